/* delete.c - a container that is kept, deleted by name. */
#include "container/container.h"

#include <stdio.h>
#include <string.h>

#include "lxcexec/lxcexec.h"

static int report(const char *what, const char *name)
{
    struct buf b = { .max = 32768 };
    int status;

    buf_puts(&b, what);
    buf_shown(&b, name);
    buf_putc(&b, '\n');
    status = answer(&b, DOOR_OK);
    buf_drop(&b);
    return status;
}

/* As container_remove(), but that nothing is removed: whether a run has it at
 * the time is left to the deletion. */
static int would_remove(const struct store_place *at, const char *name,
                        struct err *e)
{
    scoped(arena_drop) struct arena a = { .limit = 64 << 20 };
    struct container found;

    return container_find(&a, at, name, &found, e);
}

int delete_container(const struct door *d)
{
    const struct store_place at = {
        .data_home = door_variable(d, "XDG_DATA_HOME="),
        .home = door_variable(d, "HOME="),
    };
    const char *name = d->args.container;
    struct err e = { 0 };
    int r;

    if (!name) {
        say_text(STDERR_FILENO,
                 "Error: --containername is required with --delete");
        return DOOR_REFUSED;
    }
    r = d->args.dry_run ? would_remove(&at, name, &e)
                        : container_remove(&at, name, &e);
    if (r == 0)
        return report(d->args.dry_run ? "Dry run completed. Would delete LXC "
                                        "container: "
                                      : "Deleted LXC container: ",
                      name);
    if (r > 0)
        say_text(STDOUT_FILENO, "Container '%s' does not exist.", name);
    else
        say_text(STDERR_FILENO, "Error: %s%s%s", e.msg, e.hint[0] ? ": " : "",
                 e.hint);
    return DOOR_REFUSED;
}

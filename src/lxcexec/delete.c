/* delete.c - a container that is kept, deleted by name. */
#include "container/container.h"

#include <stdio.h>
#include <string.h>

#include "lxcexec/lxcexec.h"

static int deleted(const char *name)
{
    struct buf b = { .max = 32768 };
    int status;

    buf_puts(&b, "Deleted LXC container: ");
    buf_shown(&b, name);
    buf_putc(&b, '\n');
    status = answer(&b, DOOR_OK);
    buf_drop(&b);
    return status;
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
    r = container_remove(&at, name, &e);
    if (r == 0)
        return deleted(name);
    if (r > 0)
        say_text(STDOUT_FILENO, "Container '%s' does not exist.", name);
    else
        say_text(STDERR_FILENO, "Error: %s%s%s", e.msg, e.hint[0] ? ": " : "",
                 e.hint);
    return DOOR_REFUSED;
}

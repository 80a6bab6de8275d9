/* cmd_container.c - mxc container: those that are kept
 * (container/container.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/store_verbs.h"
#include "container/container.h"

const char *const container_verbs[] = { "list", "show", "rm", NULL };

static void json_container(struct buf *b, const struct container *c)
{
    buf_puts(b, "{\"name\":");
    buf_json(b, c->name);
    buf_puts(b, ",\"image\":");
    buf_json(b, c->image);
    buf_printf(b, ",\"digest\":\"sha256:%s\",\"created\":\"", c->digest);
    store_put_time(b, (time_t)(c->created_ms / 1000));
    buf_puts(b, "\",\"network\":");
    if (c->network)
        buf_json(b, c->network);
    else
        buf_puts(b, "null");
    buf_puts(b, ",\"path\":");
    buf_json(b, c->path);
    buf_putc(b, '}');
}

/* Its rules, a line each. */
static void text_network(struct buf *b, const char *network)
{
    if (!network) {
        buf_puts(b, "network   as each run asks\n");
        return;
    }
    buf_puts(b, network[0] ? "network   kept, of all later runs:\n"
                           : "network   kept, of all later runs: none\n");
    while (*network) {
        size_t n = strcspn(network, "\n");
        char *line = strndup(network, n);

        if (!line) {
            b->failed = true;
            return;
        }
        buf_puts(b, "          ");
        buf_shown(b, line);
        buf_putc(b, '\n');
        free(line);
        network += n + (network[n] == '\n');
    }
}

static void text_container(struct buf *b, const struct container *c)
{
    buf_puts(b, "name      ");
    buf_shown(b, c->name);
    buf_puts(b, "\nimage     ");
    buf_shown(b, c->image);
    buf_printf(b, " sha256:%s\ncreated   ", c->digest);
    store_put_time(b, (time_t)(c->created_ms / 1000));
    buf_putc(b, '\n');
    text_network(b, c->network);
    buf_puts(b, "changes   ");
    buf_shown(b, c->path);
    buf_puts(b, "/upper\n");
}

static int missing(const char *name, struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION, "there is no container '%.200s'", name);
    return err_hint(e, "mxc container list");
}

static int verb_list(struct store_call *k, struct err *e)
{
    struct container *list;
    size_t n, damaged;

    if (container_list(&k->c->arena, &k->at, &list, &n, &damaged, e) < 0)
        return -1;
    buf_puts(k->json, "\"outcome\":\"listed\",\"containers\":[");
    for (size_t i = 0; i < n; i++) {
        buf_puts(k->json, i ? "," : "");
        json_container(k->json, &list[i]);
        buf_shown(k->text, list[i].name);
        buf_puts(k->text, "  ");
        buf_shown(k->text, list[i].image);
        buf_printf(k->text, "  %.12s  ", list[i].digest);
        store_put_time(k->text, list[i].created_ms);
        buf_puts(k->text, list[i].network ? "  network kept\n" : "\n");
    }
    buf_printf(k->json, "],\"damaged\":%zu", damaged);
    if (damaged)
        buf_printf(k->text, "and %zu that cannot be understood\n", damaged);
    else if (n == 0)
        buf_puts(k->text, "no containers\n");
    return 0;
}

static int verb_show(struct store_call *k, struct err *e)
{
    struct container c;
    int r = container_find(&k->c->arena, &k->at, k->name, &c, e);

    if (r != 0)
        return r > 0 ? missing(k->name, e) : -1;
    text_container(k->text, &c);
    buf_puts(k->json, "\"outcome\":\"shown\",\"container\":");
    json_container(k->json, &c);
    return 0;
}

static int verb_rm(struct store_call *k, struct err *e)
{
    int r = container_remove(&k->at, k->name, e);

    if (r != 0)
        return r > 0 ? missing(k->name, e) : -1;
    buf_puts(k->text, "removed ");
    buf_shown(k->text, k->name);
    buf_putc(k->text, '\n');
    buf_puts(k->json, "\"outcome\":\"removed\"");
    return 0;
}

static const struct store_verb verbs[] = {
    { verb_list, 0, "mxc container list" },
    { verb_show, 1, "mxc container show NAME" },
    { verb_rm, 1, "mxc container rm NAME" },
};

int cmd_container(int argc, char **argv)
{
    static const struct store_command command = {
        .name = "container",
        .verbs = container_verbs,
        .verb = verbs,
        .hint = "list, show or rm",
    };

    return store_command(&command, argc, argv);
}

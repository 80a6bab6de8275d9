/* cmd_container.c - mxc container: those that are kept
 * (container/container.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/report.h"
#include "cli/cli.h"
#include "container/container.h"

const char *const container_verbs[] = { "list", "show", "rm", NULL };

struct call {
    struct cli *c;
    struct store_place at;
    const char *name;
    struct buf *text, *json; /* the answer, for people and programs */
};

static void put_time(struct buf *b, uint64_t ms)
{
    const time_t at = (time_t)(ms / 1000);
    struct tm tm = { 0 };
    char text[32];

    (void)gmtime_r(&at, &tm);
    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    buf_puts(b, text);
}

static void json_container(struct buf *b, const struct container *c)
{
    buf_puts(b, "{\"name\":");
    buf_json(b, c->name);
    buf_puts(b, ",\"image\":");
    buf_json(b, c->image);
    buf_printf(b, ",\"digest\":\"sha256:%s\",\"created\":\"", c->digest);
    put_time(b, c->created_ms);
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
    put_time(b, c->created_ms);
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

static int verb_list(struct call *k, struct err *e)
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
        put_time(k->text, list[i].created_ms);
        buf_puts(k->text, list[i].network ? "  network kept\n" : "\n");
    }
    buf_printf(k->json, "],\"damaged\":%zu", damaged);
    if (damaged)
        buf_printf(k->text, "and %zu that cannot be understood\n", damaged);
    else if (n == 0)
        buf_puts(k->text, "no containers\n");
    return 0;
}

static int verb_show(struct call *k, struct err *e)
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

static int verb_rm(struct call *k, struct err *e)
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

static const struct {
    int (*run)(struct call *k, struct err *e);
    int operands;
    const char *usage;
} verbs[] = {
    { verb_list, 0, "mxc container list" },
    { verb_show, 1, "mxc container show NAME" },
    { verb_rm, 1, "mxc container rm NAME" },
};

static int find_verb(const struct cli *c, struct err *e)
{
    int v = 0;

    while (c->nwords && container_verbs[v] &&
           strcmp(container_verbs[v], c->word[0]) != 0)
        v++;
    if (c->nwords == 0)
        err_set(e, ERR_MALFORMED_REQUEST, "container: no verb");
    else if (!container_verbs[v])
        err_set(e, ERR_MALFORMED_REQUEST, "container: no such verb '%s'",
                c->word[0]);
    if (c->nwords == 0 || !container_verbs[v])
        return err_hint(e, "list, show or rm; mxc container --help");
    if (c->nwords - 1 == verbs[v].operands)
        return v;
    err_set(e, ERR_MALFORMED_REQUEST, "container %s: %s", container_verbs[v],
            c->nwords - 1 < verbs[v].operands ? "an operand is missing"
                                              : "too many operands");
    return err_hint(e, "%s", verbs[v].usage);
}

/* What the answer is, to whom it was asked for. */
static int answer(struct cli *c, struct call *k, int fd, struct err *e)
{
    buf_puts(k->json, "}\n");
    if (k->json->failed || k->text->failed)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    if (fd != STDOUT_FILENO)
        cli_print(stdout, k->text);
    if (fd >= 0 && report_write(fd, k->json, e) < 0) {
        c->json = NULL;
        return -1;
    }
    return 0;
}

static int run(struct cli *c)
{
    scoped(buf_drop) struct buf text = { .max = 64 << 20 };
    scoped(buf_drop) struct buf json = { .max = 64 << 20 };
    struct call k = { .c = c,
                      .at = { getenv("XDG_DATA_HOME"), getenv("HOME") },
                      .text = &text,
                      .json = &json };
    struct err e = { 0 };
    int v = find_verb(c, &e), fd;

    if (v < 0)
        return cli_fail(c, &e, CLI_USAGE);
    k.name = c->nwords > 1 ? c->word[1] : NULL;
    buf_puts(&json, "{\"exitCode\":0,");
    if (cli_open_json(c, &fd, &e) < 0 || verbs[v].run(&k, &e) < 0 ||
        answer(c, &k, fd, &e) < 0)
        return cli_fail(c, &e, CLI_REFUSED);
    return CLI_OK;
}

int cmd_container(int argc, char **argv)
{
    struct cli c = { 0 };
    int r = cli_parse(&c, command_find("container"), argc, argv);

    if (r < 0)
        r = run(&c);
    cli_free(&c);
    return r;
}

/* learn_report.c - what was learnt, and why: for people, and as JSON. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/report.h"
#include "base/scoped.h"
#include "cli/learning.h"

enum { REPORT_MOST = 16 << 20 };

static const char *option_of(enum learn_kind kind)
{
    static const char *const options[] = {
        [LEARN_READ] = "--ro",
        [LEARN_WRITE] = "--rw",
        [LEARN_DENY] = "--deny",
        [LEARN_GUARD] = "--ro",
        [LEARN_HOST] = "--allow-host",
        [LEARN_NET] = "--allow-net",
        [LEARN_ENV] = "--env",
        [LEARN_CWD] = "--cwd",
        [LEARN_OTHER] = "",
    };

    return options[kind];
}

/* Quoted, or a name could be taken for more of the report. */
static void put_what(struct buf *b, const struct learn_entry *e)
{
    scoped(buf_drop) struct buf word = { .max = REPORT_MOST };

    buf_word(&word, e->what);
    buf_shown(b, word.len ? word.data : "''");
}

/* "--allow-host example.com:443". */
static void put_clause(struct buf *b, const struct learn_entry *e)
{
    const bool is_v6 = e->kind == LEARN_NET && strchr(e->what, ':');

    buf_printf(b, "%s ", option_of(e->kind));
    if (is_v6 && e->port)
        buf_putc(b, '[');
    if (e->kind == LEARN_HOST || e->kind == LEARN_NET)
        buf_shown(b, e->what);
    else
        put_what(b, e);
    if (is_v6 && e->port)
        buf_putc(b, ']');
    if ((e->kind == LEARN_HOST || e->kind == LEARN_NET) && e->port)
        buf_printf(b, ":%u", e->port);
}

static void put_programs(struct buf *b, const struct learn_entry *e)
{
    for (size_t i = 0; i < e->nprograms; i++) {
        buf_puts(b, i ? ", " : "");
        buf_shown(b, e->program[i]);
    }
}

static void put_why(struct buf *b, const struct learn_entry *e)
{
    buf_puts(b, "      ");
    if (e->kind == LEARN_DENY || e->kind == LEARN_GUARD)
        buf_puts(b, "inside of what is granted: ");
    if (e->message)
        buf_shown(b, e->message);
    if (e->round > 0)
        buf_printf(b, " (round %u", e->round);
    if (e->round > 0 && e->count > 1)
        buf_printf(b, ", %llu times", (unsigned long long)e->count);
    if (e->nprograms) {
        buf_puts(b, " by ");
        put_programs(b, e);
    }
    buf_puts(b, e->round > 0 ? ")\n" : "\n");
}

static void put_granted(struct buf *b, const struct learnt *l)
{
    for (size_t i = 0; i < l->n; i++) {
        if (!learn_is_granted(&l->entry[i]))
            continue;
        buf_puts(b, "  ");
        put_clause(b, &l->entry[i]);
        buf_putc(b, '\n');
        put_why(b, &l->entry[i]);
    }
}

bool learn_has_unreached(const struct learning *x)
{
    for (size_t i = 0; i < x->l.n && !x->c->learn.reaches; i++)
        if (learn_is_granted(&x->l.entry[i]) &&
            (x->l.entry[i].kind == LEARN_HOST ||
             x->l.entry[i].kind == LEARN_NET))
            return x->mode != LEARN_PERMISSIVE;
    return false;
}

static bool is_left_out(const struct learn_entry *e)
{
    return e->left_out && !e->stands_in;
}

static void put_left_out(struct buf *b, const struct learnt *l)
{
    bool is_first = true;

    for (size_t i = 0; i < l->n; i++) {
        const struct learn_entry *e = &l->entry[i];

        if (!is_left_out(e))
            continue;
        buf_puts(b, is_first ? "left out:\n" : "");
        is_first = false;
        buf_puts(b, "  ");
        put_what(b, e);
        buf_puts(b, ": ");
        buf_shown(b, e->left_out);
        if (e->option) {
            buf_puts(b, "; to grant it: ");
            buf_shown(b, e->option);
        }
        buf_putc(b, '\n');
    }
}

static void put_end(struct buf *b, const struct learning *x)
{
    const bool has_passed = x->code == 0;
    const uint64_t lost = x->l.more + x->unlisted;

    buf_printf(b, "mxc: learn: %u round%s; the last one %s (exit code %d)",
               x->round, x->round == 1 ? "" : "s",
               has_passed ? "passed" : "did not pass", x->code);
    if (x->is_interrupted)
        buf_puts(b, "; a signal ended it, the policy is a part");
    else if (x->has_failed)
        buf_puts(b, "; it could not be run, the policy is a part");
    else if (x->is_late)
        buf_puts(b, "; no time was left, the policy is a part");
    else if (x->is_new)
        buf_puts(b, "; what it asked for last was not tried any more");
    buf_putc(b, '\n');
    if (learn_has_unreached(x))
        buf_puts(b, "mxc: learn: hosts that it asked for are in the policy, "
                    "and were not reached; --reach lets it reach them\n");
    if (x->mode == LEARN_PERMISSIVE)
        buf_puts(b, "mxc: learn: warning: the command was not held back while "
                    "it was learnt (--mode permissive)\n");
    for (size_t i = 0; i < x->nwarnings; i++)
        buf_printf(b, "mxc: learn: warning: %s\n", x->warning[i]);
    if (x->unknown)
        buf_printf(b,
                   "mxc: learn: warning: of %llu calls that failed in the last "
                   "round it is not known whether they were refused: the "
                   "policy may lack something; mxc learn --merge POLICY tries "
                   "it again, and adds what it lacks\n",
                   (unsigned long long)x->unknown);
    if (lost)
        buf_printf(b,
                   "mxc: learn: warning: %llu more had no room, and are not in "
                   "the policy\n",
                   (unsigned long long)lost);
}

void learn_tell(const struct learning *x)
{
    struct buf b = { .max = REPORT_MOST };

    put_end(&b, x);
    put_granted(&b, &x->l);
    put_left_out(&b, &x->l);
    cli_print(stderr, &b);
    buf_drop(&b);
}

/* --- as JSON ---------------------------------------------------------------
 */

static void member(struct buf *b, const char *name, const char *text)
{
    struct buf shown = { .max = REPORT_MOST };

    buf_printf(b, ",\"%s\":", name);
    if (text)
        buf_shown(&shown, text);
    if (!text)
        buf_puts(b, "null");
    else
        buf_json(b, shown.len ? shown.data : "");
    buf_drop(&shown);
}

static void put_entry(struct buf *b, const struct learn_entry *e)
{
    static const char *const kinds[] = { "read",  "write", "deny",
                                         "guard", "host",  "net",
                                         "env",   "cwd",   "other" };
    struct buf clause = { .max = REPORT_MOST };

    buf_printf(b, "{\"kind\":\"%s\"", kinds[e->kind]);
    member(b, "what", e->what);
    if (e->port)
        buf_printf(b, ",\"port\":%u", e->port);
    if (e->kind != LEARN_OTHER) {
        put_clause(&clause, e);
        member(b, "option", clause.data);
        buf_drop(&clause);
    }
    if (e->left_out) {
        member(b, "leftOut", e->left_out);
        member(b, "remedy", e->option);
    }
    member(b, "message", e->message);
    buf_puts(b, ",\"programs\":[");
    for (size_t i = 0; i < e->nprograms; i++) {
        struct buf name = { .max = 256 };

        buf_shown(&name, e->program[i]);
        buf_puts(b, i ? "," : "");
        buf_json(b, name.len ? name.data : "");
        buf_drop(&name);
    }
    buf_printf(b, "],\"count\":%llu,\"round\":%u}",
               (unsigned long long)e->count, e->round);
}

static void put_list(struct buf *b, const char *name, const struct learnt *l,
                     bool (*is_of)(const struct learn_entry *))
{
    const char *before = "";

    buf_printf(b, ",\"%s\":[", name);
    for (size_t i = 0; i < l->n; i++) {
        if (!is_of(&l->entry[i]))
            continue;
        buf_puts(b, before);
        put_entry(b, &l->entry[i]);
        before = ",";
    }
    buf_putc(b, ']');
}

int learn_tell_json(const struct learning *x, int fd, struct err *e)
{
    const uint64_t lost = x->l.more + x->unlisted;
    struct buf b = { .max = 4 * REPORT_MOST };
    int r;

    buf_printf(&b, "{\"mode\":\"%s\",\"rounds\":%u,\"exitCode\":%d",
               learn_mode_name(x->mode), x->round, x->code);
    member(&b, "outcome", x->outcome);
    buf_printf(&b, ",\"passed\":%s,\"partial\":%s,\"tried\":%s",
               x->code == 0 ? "true" : "false",
               x->is_interrupted || x->is_late || x->has_failed ? "true"
                                                                : "false",
               x->is_new || x->wide || x->has_failed || x->is_interrupted ||
                       x->is_late || learn_has_unreached(x)
                   ? "false"
                   : "true");
    put_list(&b, "granted", &x->l, learn_is_granted);
    put_list(&b, "leftOut", &x->l, is_left_out);
    buf_printf(&b, ",\"notListed\":%llu,\"denialsLost\":%llu,\"warnings\":[",
               (unsigned long long)lost, (unsigned long long)x->unknown);
    for (size_t i = 0; i < x->nwarnings; i++) {
        buf_puts(&b, i ? "," : "");
        buf_json(&b, x->warning[i]);
    }
    buf_puts(&b, "],\"policy\":");
    buf_add(&b, x->policy.data, x->policy.len);
    buf_puts(&b, "}\n");
    r = report_write(fd, &b, e);
    buf_drop(&b);
    return r;
}

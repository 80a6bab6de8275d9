/* explain.c - the effective policy, for people.
 *
 * Every line of it says where it comes from; what enforces it follows.  It
 * decides nothing: it prints what a run would be given. */
#include "api/explain.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 79, ORIGIN_AT = 56 };

/* "  name         value            (origin)" */
void explain_row(struct buf *b, const char *name, const char *value,
                 const char *origin)
{
    size_t start = b->len;

    buf_printf(b, "  %-11s ", name);
    buf_shown(b, value);
    if (origin) {
        do
            buf_putc(b, ' ');
        while (!b->failed && b->len - start < ORIGIN_AT);
        buf_printf(b, "(%s)", origin);
    }
    buf_putc(b, '\n');
}

/* Words of a text between an indent and the right edge. */
static void wrap(struct buf *b, size_t indent, const char *text)
{
    size_t at = 0;

    while (*text) {
        size_t n = strcspn(text, " ");

        if (at && at + n + 1 > WIDTH) {
            buf_putc(b, '\n');
            at = 0;
        }
        if (!at) {
            buf_printf(b, "%*s", (int)indent, "");
            at = indent;
        } else {
            buf_putc(b, ' ');
            at++;
        }
        buf_add(b, text, n);
        at += n;
        text += n + (text[n] == ' ');
    }
    buf_putc(b, '\n');
}

/* As it would be typed into a shell. */
static void put_word(struct buf *b, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_-+=:,./@%";

    if (*word && word[strspn(word, plain)] == '\0') {
        buf_puts(b, word);
        return;
    }
    if (strchr(word, '\'') && !strpbrk(word, "\"$`\\!")) {
        buf_printf(b, "\"%s\"", word);
        return;
    }
    buf_putc(b, '\'');
    for (; *word; word++) {
        if (*word == '\'')
            buf_puts(b, "'\\'");
        buf_putc(b, *word);
    }
    buf_putc(b, '\'');
}

static void explain_command(struct buf *b, const struct prepared *p)
{
    const struct policy *q = &p->policy;
    struct buf words = { .max = 1 << 20 };
    bool whole = q->timeout_ms % 1000 == 0;
    char time[40];

    buf_puts(b, "Command\n");
    for (size_t i = 0; i < q->nargs; i++) {
        buf_puts(&words, i ? " " : "");
        put_word(&words, q->arg[i]);
    }
    explain_row(b, "runs", words.failed ? "(too long to show)" : words.data,
                q->arg_origin ? q->arg_origin : "an example");
    buf_drop(&words);
    explain_row(b, "starts in", p->cwd, q->cwd ? q->cwd_origin : "default");
    (void)snprintf(time, sizeof(time), "after %llu %s",
                   (unsigned long long)q->timeout_ms / (whole ? 1000 : 1),
                   whole ? "s" : "ms");
    if (q->timeout_ms)
        explain_row(b, "is killed", time, q->timeout_origin);
}

static void explain_files(struct buf *b, const struct policy *p, bool all)
{
    static const char *const names[] = { "denied", "read-only", "read-write" };
    bool has_programs = false;

    buf_puts(b, "\nFiles\n");
    for (size_t i = 0; i < p->nrules; i++)
        if (p->rule[i].base)
            has_programs |= path_is_within(p->rule[i].path, "/usr");
        else
            explain_row(b, names[p->rule[i].access], p->rule[i].path,
                        p->rule[i].origin);
    for (size_t i = 0; all && i < p->nrules; i++)
        if (p->rule[i].base)
            explain_row(b, names[p->rule[i].access], p->rule[i].path, "base");
    if (!all && has_programs)
        explain_row(b, "read-only", "the programs and libraries of /usr",
                    "base");
    explain_row(b, "private", "/, /tmp, /dev, /proc", "base");
    if (p->private_home)
        explain_row(b, "private", policy_home(p), "base");
    buf_puts(b, "  Nothing else is there. What is private begins empty and "
                "is gone afterwards.\n");
}

static void explain_env(struct buf *b, const struct policy *p)
{
    buf_puts(b, "\nEnvironment\n");
    for (size_t i = 0; i < p->nenv; i++) {
        const char *entry = p->env[i], *eq = strchr(entry, '=');
        char name[64];

        (void)snprintf(name, sizeof(name), "%.*s", (int)(eq - entry), entry);
        explain_row(b, name, eq + 1, p->env_from[i]);
    }
}

static void explain_rest(struct buf *b)
{
    buf_puts(b, "\nUser interface\n  none: no display, clipboard or input "
                "device\n");
}

static void explain_receipt(struct buf *b, const struct prepared *p)
{
    buf_printf(b, "\nWhat enforces it: backend '%s', tier '%s'\n",
               p->backend->name, tier_name(p->backend->tier));
    for (const struct receipt_row *r = p->receipt; r->clause; r++) {
        bool enforced = strcmp(r->state, "enforced") == 0;

        wrap(b, 2, r->clause);
        wrap(b, 6, r->by);
        if (!enforced)
            wrap(b, 6, r->state);
    }
    for (size_t i = 0; i < p->policy.nwarnings; i++) {
        buf_puts(b, "\nWarning\n");
        wrap(b, 2, p->policy.warning[i]);
    }
}

void explain(struct buf *b, const struct prepared *p, bool all, bool plan)
{
    explain_command(b, p);
    explain_files(b, &p->policy, all || plan);
    explain_network(b, &p->policy, all || plan);
    explain_rest(b);
    explain_env(b, &p->policy);
    explain_receipt(b, p);
    if (plan) {
        buf_puts(b, "\nPlan\n");
        plan_print(&p->plan, b);
    }
}

/* cmd_why.c - mxc why: may the workload, and by which clause? */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/report.h"
#include "cli/ask.h"
#include "supervise/supervise.h"

static int check(const struct cli *c, struct err *e)
{

    if (c->nasks == 0) {
        err_set(e, ERR_MALFORMED_REQUEST, "why: no question");
        return err_hint(e, "--read PATH, --write PATH, --exec PATH or "
                           "--connect HOST:PORT");
    }
    if (!c->id || (!c->policy_file && !c->has_policy))
        return 0;
    err_set(e, ERR_MALFORMED_REQUEST,
            "why: a session has its policy already, and options give another");
    return err_hint(e, "leave out --session, or the others");
}

static void print_line(struct buf *b, const char *name, const char *text)
{
    if (!text)
        return;
    buf_printf(b, "  %-10s", name);
    buf_shown(b, text);
    buf_putc(b, '\n');
}

static void print(const struct asked *q)
{
    struct buf b = { .max = 64 * 1024 };
    const struct why_answer *w = &q->answer;

    buf_printf(&b, "%s  %s ", ask_word(ask_outcome(q)),
               why_name(q->question.kind));
    buf_shown(&b, q->question.operand);
    buf_putc(&b, '\n');
    print_line(&b, "because", ask_reason(q));
    print_line(&b, "clause", w->clause);
    print_line(&b, "about", w->where);
    print_line(&b, "by", w->mechanism);
    if (q->was_tried)
        buf_printf(&b, "  %-10s%s: %s\n", "tried", q->tried.call,
                   q->tried.error ? why_error_name(q->tried.error) : "done");
    if (ask_is_let_through(q))
        print_line(&b, "note",
                   "the policy lets it through; what is outside did not "
                   "answer");
    if (!ask_agrees(q))
        buf_printf(&b, "  %-10s%s\n", "note",
                   "the sandbox did not do what the policy says");
    if (ask_outcome(q) != WHY_ALLOWED)
        print_line(&b, "try", w->remedy);
    if (ask_outcome(q) != WHY_ALLOWED && w->remedy && w->is_secret)
        print_line(&b, "careful", "that shows what may be a secret");
    cli_print(stdout, &b);
    buf_drop(&b);
}

static int write_json(const struct cli *c, const struct asked *q, size_t n,
                      struct err *e)
{
    struct buf b = { .max = 16 << 20 };
    int fd, r;

    if (cli_open_json(c, &fd, e) < 0)
        return -1;
    if (fd != STDOUT_FILENO)
        for (size_t i = 0; i < n; i++)
            print(&q[i]);
    buf_puts(&b, "{\"answers\":[");
    for (size_t i = 0; i < n; i++) {
        buf_puts(&b, i ? "," : "");
        ask_json(&b, &q[i]);
    }
    buf_puts(&b, "]}\n");
    r = fd < 0 ? 0 : report_write(fd, &b, e);
    buf_drop(&b);
    return r;
}

static int ask(struct cli *c, struct err *e)
{
    struct asked *q = arena_array(&c->arena, c->nasks, sizeof(*q));
    char cwd[4096];
    int code = CLI_OK;

    if (!q)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    if (!getcwd(cwd, sizeof(cwd)))
        return err_sys(e, "getcwd(2)", errno,
                       "the current directory cannot be found");
    for (size_t i = 0; i < c->nasks; i++)
        if (why_ask(&c->arena, c->ask[i].kind, c->ask[i].operand, cwd,
                    &q[i].question, e) < 0)
            return -1;
    if (ask_all(c, q, c->nasks, e) < 0 || write_json(c, q, c->nasks, e) < 0)
        return -1;
    for (size_t i = 0; i < c->nasks; i++)
        if (ask_outcome(&q[i]) == WHY_REFUSED)
            code = CLI_REFUSED;
        else if (ask_outcome(&q[i]) == WHY_OPEN && code == CLI_OK)
            code = CLI_FAILED;
    return code;
}

int cmd_why(int argc, char **argv)
{
    struct cli c = { 0 };
    struct err e = { 0 };
    int r;

    supervise_ignore_signals();
    r = cli_parse(&c, command_find("why"), argc, argv);
    if (r < 0 && check(&c, &e) < 0)
        r = cli_fail(&c, &e, CLI_USAGE);
    if (r < 0) {
        r = ask(&c, &e);
        if (r < 0)
            r = cli_fail(&c, &e, CLI_FAILED);
    }
    cli_free(&c);
    return r;
}

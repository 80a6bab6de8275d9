/* cmd_session.c - the phases of a session: provision, start, stop,
 * deprovision, and pause and resume. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/provision.h"
#include "base/report.h"
#include "cli/session.h"
#include "supervise/supervise.h"

static int write_json(const struct cli *c, struct buf *b, struct err *e)
{
    int fd, r;

    r = cli_open_json(c, &fd, e);
    if (r == 0 && fd >= 0)
        r = report_write(fd, b, e);
    buf_drop(b);
    return r;
}

int cli_answer(const struct cli *c, const char *members, struct err *e)
{
    struct buf b = { .max = 64 * 1024 };

    buf_printf(&b, "{\"result\":{%s}}\n", members);
    return write_json(c, &b, e);
}

int cli_fail_phase(const struct cli *c, const struct err *e, int code)
{
    struct buf b = { .max = 64 * 1024 };
    struct buf text = { .max = 8192 };
    struct err other;

    report_text(&text, e);
    cli_print(stderr, &text);
    buf_drop(&text);
    buf_puts(&b, "{\"error\":");
    report_json(&b, e);
    buf_puts(&b, "}\n");
    (void)write_json(c, &b, &other);
    return code;
}

/* --- provision -------------------------------------------------------------
 */

static int tell_provisioned(const struct cli *c, const struct policy *p,
                            const char *id, struct err *e)
{
    struct buf b = { .max = 16 * 1024 };
    int r;

    buf_puts(&b, "\"sandboxId\":");
    buf_json(&b, id);
    buf_puts(&b, p->nwarnings ? ",\"warnings\":[" : "");
    for (size_t i = 0; i < p->nwarnings; i++) {
        buf_puts(&b, i ? "," : "");
        buf_json(&b, p->warning[i]);
        if (!c->json)
            (void)fprintf(stderr, "mxc: warning: %s\n", p->warning[i]);
    }
    buf_puts(&b, p->nwarnings ? "]" : "");
    r = b.failed ? err_set(e, ERR_BACKEND_ERROR, "out of memory")
                 : cli_answer(c, b.data, e);
    buf_drop(&b);
    if (r == 0 && cli_prints_text(c) && (puts(id) < 0 || fflush(stdout) != 0))
        return err_sys(e, "write(2)", errno, "cannot tell the session's id");
    return r;
}

static int do_provision(struct cli *c, struct err *e)
{
    struct session_facts facts = { .idle_ms = c->idle_ms, .age_ms = c->age_ms };
    char id[SESSION_ID_MAX];
    struct prepared p;

    if (cli_read_request(c, e) < 0 ||
        provision(&c->arena, c->text, c->text_len, &c->flags, &facts, &p, id,
                  e) < 0)
        return -1;
    if (tell_provisioned(c, &p.policy, id, e) == 0)
        return 0;
    provision_undo(id, c->flags.runtime);
    return -1;
}

/* --- the others ------------------------------------------------------------
 */

/* Who waits for long is told for what: a start that hangs in the kernel, at a
 * grant whose filesystem does not answer, may never end.  Who removes the
 * session ends it. */
static int open_locked(struct cli *c, bool ends_start, struct session_dir *d,
                       struct err *e)
{
    bool is_busy;
    int r;

    if (session_dir_open(c->flags.runtime, c->id, false, d, e) < 0)
        return -1;
    /* Others may have waited for the first one's end. */
    do {
        is_busy = session_is_busy(d);
        r = is_busy && ends_start ? session_end_start(d, e) : 0;
    } while (r > 0);
    session_dir_close(d);
    if (r < 0)
        return -1;
    if (is_busy && r == 0)
        (void)fprintf(stderr,
                      "mxc: note: another start, stop or deprovision of this "
                      "session goes on; waiting for its end%s\n",
                      ends_start ? "" : " (mxc deprovision ends a start)");
    return session_dir_open(c->flags.runtime, c->id, true, d, e);
}

static int do_start(struct cli *c, struct err *e)
{
    struct session_dir d = SESSION_DIR_NONE;
    char launcher[PATH_MAX];
    int r;

    if (supervise_find_launcher(launcher, e) < 0 ||
        open_locked(c, false, &d, e) < 0)
        return -1;
    r = session_start(&d, launcher, e);
    session_dir_close(&d);
    return r < 0 ? -1 : cli_answer(c, "", e);
}

static uint64_t grace_of(const struct cli *c)
{
    enum { USUAL_MS = 2000 };

    return c->has_grace ? c->grace_ms : USUAL_MS;
}

static int do_stop(struct cli *c, struct err *e)
{
    struct session_dir d = SESSION_DIR_NONE;
    int r;

    if (open_locked(c, false, &d, e) < 0)
        return -1;
    r = session_stop(&d, grace_of(c), e);
    session_dir_close(&d);
    return r < 0 ? -1 : cli_answer(c, "", e);
}

static int do_deprovision(struct cli *c, struct err *e)
{
    struct session_dir d = SESSION_DIR_NONE;
    int r;

    if (open_locked(c, true, &d, e) < 0)
        return -1;
    r = session_deprovision(&d, grace_of(c), e);
    session_dir_close(&d);
    return r < 0 ? -1 : cli_answer(c, "", e);
}

static int order(struct cli *c, enum ask_what what, struct err *e)
{
    struct session_dir d = SESSION_DIR_NONE;
    int r;

    if (session_dir_open(c->flags.runtime, c->id, false, &d, e) < 0)
        return -1;
    r = session_order(&d, what, e);
    session_dir_close(&d);
    return r < 0 ? -1 : cli_answer(c, "", e);
}

static int do_pause(struct cli *c, struct err *e)
{
    return order(c, ASK_PAUSE, e);
}

static int do_resume(struct cli *c, struct err *e)
{
    return order(c, ASK_RESUME, e);
}

static int phase(const char *name, int (*act)(struct cli *, struct err *),
                 int argc, char **argv)
{
    struct cli c = { 0 };
    struct err e = { 0 };
    int r;

    supervise_ignore_signals();
    r = cli_parse(&c, command_find(name), argc, argv);
    if (r < 0) {
        c.flags.term = getenv("TERM");
        c.flags.home = getenv("HOME");
        c.flags.data_home = getenv("XDG_DATA_HOME");
        c.flags.search_path = getenv("PATH");
        r = act(&c, &e) < 0 ? cli_fail_phase(&c, &e, CLI_REFUSED) : CLI_OK;
    }
    cli_free(&c);
    return r;
}

int cmd_provision(int argc, char **argv)
{
    return phase("provision", do_provision, argc, argv);
}

int cmd_start(int argc, char **argv)
{
    return phase("start", do_start, argc, argv);
}

int cmd_stop(int argc, char **argv)
{
    return phase("stop", do_stop, argc, argv);
}

int cmd_deprovision(int argc, char **argv)
{
    return phase("deprovision", do_deprovision, argc, argv);
}

int cmd_pause(int argc, char **argv)
{
    return phase("pause", do_pause, argc, argv);
}

int cmd_resume(int argc, char **argv)
{
    return phase("resume", do_resume, argc, argv);
}

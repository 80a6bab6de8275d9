/* lib_lifecycle.c - requests with a phase, and the contract's envelopes. */
#include <string.h>

#include "api/lib_session.h"
#include "api/lifecycle.h"
#include "api/provision.h"

enum { ARENA_MAX = 64 << 20, TEXT_MAX = 1 << 20, GRACE_MS = 2000 };

/* One call, from the request to its answer. */
struct call {
    const char *text;
    size_t len;
    struct mxc_options o;
    struct arena arena;
    struct request *request;
    struct buf answer;         /* the members of "result" */
    char made[SESSION_ID_MAX]; /* what it has provisioned, or "" */
};

static int begin(struct call *c, const char *text, size_t len,
                 const struct mxc_options *options, enum phase phase,
                 struct err *e)
{
    *c = (struct call){ .text = text,
                        .len = len,
                        .arena = { .limit = ARENA_MAX },
                        .answer = { .max = TEXT_MAX } };
    if (lib_options_kept(options, &c->o, e) < 0)
        return -1;
    return lifecycle_parse(&c->arena, text, len, phase, &c->request, e);
}

static void finish(struct call *c)
{
    arena_drop(&c->arena);
    buf_drop(&c->answer);
}

/* A fault that was found after parsing knows its path: add the line. */
static int failed(const struct call *c, struct err *e, struct mxc_error *to)
{
    if (c->text && e->where[0] && !e->line)
        request_locate(c->text, c->len, e->where, &e->line, &e->column);
    return lib_fail(to, e);
}

static void add(struct call *c, const char *name)
{
    buf_puts(&c->answer, c->answer.len ? "," : "");
    buf_json(&c->answer, name);
    buf_putc(&c->answer, ':');
}

/* *response takes it over. */
static int answer(struct call *c, char **response, struct err *e)
{
    struct buf b = { .max = TEXT_MAX };

    buf_puts(&b, "{\"result\":{");
    if (c->answer.len)
        buf_add(&b, c->answer.data, c->answer.len);
    buf_puts(&b, "}}");
    if (b.failed || c->answer.failed) {
        buf_drop(&b);
        return lib_out_of_memory(e);
    }
    *response = b.data;
    return 0;
}

static void warn(struct call *c, const char *const *warning, size_t n)
{
    if (n)
        add(c, "warnings");
    for (size_t i = 0; i < n; i++) {
        buf_puts(&c->answer, i ? "," : "[");
        buf_json(&c->answer, warning[i]);
    }
    if (n)
        buf_putc(&c->answer, ']');
}

/* Of a phase that has no policy. */
static void warn_of_telemetry(struct call *c)
{
    static const char *const none[] = { POLICY_NO_TELEMETRY };

    warn(c, none, c->request->telemetry ? 1 : 0);
}

static int find(struct call *c, struct mxc_session **out, struct err *e)
{
    return lib_session_find(c->request->sandbox_id, &c->o, out, e);
}

/* --- acting ----------------------------------------------------------------
 */

static int do_provision(struct call *c, struct err *e)
{
    struct mxc_session *s = NULL;
    const char *warnings;

    if (lib_session_make(c->text, c->len, &c->o, &s, e) < 0)
        return -1;
    memcpy(c->made, s->id, sizeof(c->made));
    add(c, "sandboxId");
    if (c->request->containment == CONTAIN_WSLC) {
        buf_printf(&c->answer, "\"%s:%s\"", SESSION_ALIAS, s->dir.name);
    } else {
        buf_json(&c->answer, s->id);
    }
    warnings = mxc_session_warnings(s);
    if (strcmp(warnings, "[]") != 0) {
        add(c, "warnings");
        buf_puts(&c->answer, warnings);
    }
    mxc_session_close(s);
    return 0;
}

static int do_phase(struct call *c, struct err *e)
{
    struct mxc_session *s = NULL;
    int r;

    if (find(c, &s, e) < 0)
        return -1;
    if (c->request->phase == PHASE_START)
        r = lib_session_start(s, e);
    else if (c->request->phase == PHASE_STOP)
        r = lib_session_stop(s, GRACE_MS, e);
    else
        r = lib_session_end(s, GRACE_MS, e);
    mxc_session_close(s);
    if (r == 0)
        warn_of_telemetry(c);
    return r;
}

static int act(struct call *c, struct err *e)
{
    if (c->request->phase == PHASE_EXEC) {
        err_set(e, ERR_MALFORMED_REQUEST,
                "the exec phase has streams, and no envelope");
        return err_hint(e, "mxc_lifecycle_exec runs it");
    }
    return c->request->phase == PHASE_PROVISION ? do_provision(c, e)
                                                : do_phase(c, e);
}

int mxc_lifecycle(const char *request, size_t len,
                  const struct mxc_options *options, char **response,
                  struct mxc_error *error)
{
    struct err e = { 0 };
    struct call c;
    int r = begin(&c, request, len, options, PHASE_NONE, &e);

    if (r == 0)
        r = act(&c, &e);
    if (r == 0)
        r = answer(&c, response, &e);
    if (r < 0 && c.made[0])
        provision_undo(c.made, lib_runtime(&c.o));
    if (r < 0)
        (void)failed(&c, &e, error);
    finish(&c);
    return r;
}

/* --- looking ---------------------------------------------------------------
 */

static int check(struct call *c, struct err *e)
{
    char driver[PATH_MAX];
    struct prepared *p = arena_alloc(&c->arena, sizeof(*p));
    struct run_flags flags;
    struct guard g;
    int r;

    if (!p)
        return lib_out_of_memory(e);
    lib_flags(&c->o, driver, &flags);
    guard_begin(&g);
    r = lifecycle_check(&c->arena, c->text, c->len, c->request, &flags, p, e);
    guard_end(&g);
    if (r < 0)
        return -1;
    if (c->request->phase == PHASE_PROVISION)
        warn(c, p->policy.warning, p->policy.nwarnings);
    else
        warn_of_telemetry(c);
    return 0;
}

int mxc_lifecycle_check(const char *request, size_t len,
                        const struct mxc_options *options, char **response,
                        struct mxc_error *error)
{
    struct err e = { 0 };
    struct call c;
    int r = begin(&c, request, len, options, PHASE_NONE, &e);

    if (r == 0)
        r = check(&c, &e);
    if (r == 0)
        r = answer(&c, response, &e);
    if (r < 0)
        (void)failed(&c, &e, error);
    finish(&c);
    return r;
}

/* --- a command -------------------------------------------------------------
 */

static int start(struct call *c, struct mxc_sandbox **out, struct err *e)
{
    struct session_command command;
    struct mxc_session *s = NULL;
    int r;

    if (lifecycle_command(&c->arena, c->request, &command, e) < 0 ||
        find(c, &s, e) < 0)
        return -1;
    r = lib_exec(s, &command, &c->o, out, e);
    mxc_session_close(s);
    return r;
}

int mxc_lifecycle_exec(const char *request, size_t len,
                       const struct mxc_options *options,
                       struct mxc_sandbox **sandbox, struct mxc_error *error)
{
    struct err e = { 0 };
    struct call c;
    int r = begin(&c, request, len, options, PHASE_EXEC, &e);

    if (r == 0)
        r = lib_check_spawn(&c.o, &e);
    if (r == 0)
        r = lib_check_exec(&c.o, &e);
    if (r == 0)
        r = start(&c, sandbox, &e);
    if (r < 0)
        (void)failed(&c, &e, error);
    finish(&c);
    return r;
}

int mxc_lifecycle_run(const char *request, size_t len,
                      const struct mxc_options *options,
                      struct mxc_result *result, struct mxc_error *error)
{
    struct mxc_sandbox *s = NULL;
    struct err e = { 0 };
    struct call c;
    int r = begin(&c, request, len, options, PHASE_EXEC, &e);

    if (r == 0)
        r = lib_check_run(&c.o, result, &e);
    if (r == 0)
        r = lib_check_one_shot(&c.o, &e);
    if (r == 0) {
        c.o.stdio = MXC_STDIO_PIPE;
        r = start(&c, &s, &e);
    }
    if (r == 0)
        r = lib_capture(s, &c.o, result, &e);
    if (r < 0)
        (void)failed(&c, &e, error);
    finish(&c);
    return r;
}

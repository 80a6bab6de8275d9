/* lib_session.c - sessions, as handles.
 *
 * A handle has the session's directory open for its commands; what changes the
 * session opens it anew, so that the locks of two threads are two. */
#include "api/lib_session.h"

#include <errno.h>
#include <string.h>

#include "api/provision.h"
#include "session/look.h"

enum { TEXT_MAX = 16 << 20, LOG_MAX = 256 * 1024, ARENA_MAX = 64 << 20 };

/* --- handles ---------------------------------------------------------------
 */

void mxc_session_close(struct mxc_session *session)
{
    if (!session)
        return;
    session_dir_close(&session->dir);
    session_plan_drop(&session->plan);
    (void)pthread_mutex_destroy(&session->lock);
    free(session->runtime);
    free(session->libexec);
    free(session->warnings);
    free(session);
}

static int copy(char **to, const char *text, struct err *e)
{
    if (!text)
        return 0;
    *to = strdup(text);
    return *to ? 0 : lib_out_of_memory(e);
}

static struct mxc_session *make(const struct mxc_options *o, struct err *e)
{
    struct mxc_session *s = calloc(1, sizeof(*s));

    if (!s) {
        (void)lib_out_of_memory(e);
        return NULL;
    }
    (void)pthread_mutex_init(&s->lock, NULL);
    s->dir = (struct session_dir)SESSION_DIR_NONE;
    if (copy(&s->runtime, lib_runtime(o), e) < 0 ||
        copy(&s->libexec, o->libexec, e) < 0) {
        mxc_session_close(s);
        return NULL;
    }
    return s;
}

int lib_session_find(const char *id, const struct mxc_options *o,
                     struct mxc_session **out, struct err *e)
{
    struct mxc_session *s = make(o, e);

    if (!s)
        return -1;
    if (session_dir_open(s->runtime, id, false, &s->dir, e) < 0) {
        mxc_session_close(s);
        return -1;
    }
    session_id_print(s->dir.name, s->id);
    *out = s;
    return 0;
}

int lib_session_plan(struct mxc_session *s, const struct plan_view **out,
                     struct err *e)
{
    int r = 0;

    (void)pthread_mutex_lock(&s->lock);
    if (!s->has_plan)
        r = session_plan(&s->dir, &s->plan, e);
    s->has_plan = r == 0;
    (void)pthread_mutex_unlock(&s->lock);
    *out = &s->plan;
    return r;
}

/* --- provision -------------------------------------------------------------
 */

static char *warnings_of(const struct policy *p)
{
    struct buf b = { .max = TEXT_MAX };

    buf_putc(&b, '[');
    for (size_t i = 0; i < p->nwarnings; i++) {
        buf_puts(&b, i ? "," : "");
        buf_json(&b, p->warning[i]);
    }
    buf_putc(&b, ']');
    if (b.failed)
        buf_drop(&b);
    return b.data;
}

static int keep(struct arena *a, const char *request, size_t len,
                const struct mxc_options *o, char id[SESSION_ID_MAX],
                char **warnings, struct err *e)
{
    struct session_facts facts = { .idle_ms = o->idle_timeout_ms,
                                   .age_ms = o->max_age_ms };
    char driver[PATH_MAX];
    struct prepared *p = arena_alloc(a, sizeof(*p));
    struct run_flags flags;
    struct guard g;
    int r;

    if (!p)
        return lib_out_of_memory(e);
    lib_flags(o, driver, &flags);
    guard_begin(&g);
    r = provision(a, request, len, &flags, &facts, p, id, e);
    guard_end(&g);
    if (r < 0)
        return -1;
    *warnings = warnings_of(&p->policy);
    return *warnings ? 0 : lib_out_of_memory(e);
}

int lib_session_make(const char *request, size_t len,
                     const struct mxc_options *o, struct mxc_session **out,
                     struct err *e)
{
    struct arena a = { .limit = ARENA_MAX };
    char id[SESSION_ID_MAX] = "";
    char *warnings = NULL;
    int r = keep(&a, request, len, o, id, &warnings, e);

    arena_drop(&a);
    if (r == 0)
        r = lib_session_find(id, o, out, e);
    if (r == 0) {
        (*out)->warnings = warnings;
        return 0;
    }
    free(warnings);
    if (id[0])
        provision_undo(id, lib_runtime(o));
    return -1;
}

int mxc_session_provision(const char *request, size_t len,
                          const struct mxc_options *options,
                          struct mxc_session **session, struct mxc_error *error)
{
    struct mxc_options o;
    struct err e = { 0 };

    if (lib_options_kept(options, &o, &e) < 0 ||
        lib_session_make(request, len, &o, session, &e) < 0)
        return lib_fail(error, &e);
    return 0;
}

int mxc_session_open(const char *id, const struct mxc_options *options,
                     struct mxc_session **session, struct mxc_error *error)
{
    struct mxc_options o;
    struct err e = { 0 };

    if (lib_options_kept(options, &o, &e) < 0 ||
        lib_session_find(id, &o, session, &e) < 0)
        return lib_fail(error, &e);
    return 0;
}

const char *mxc_session_id(const struct mxc_session *session)
{
    return session->id;
}

const char *mxc_session_warnings(const struct mxc_session *session)
{
    return session->warnings ? session->warnings : "[]";
}

/* --- the other phases ------------------------------------------------------
 */

int lib_session_start(struct mxc_session *s, struct err *e)
{
    struct session_dir d = SESSION_DIR_NONE;
    char launcher[PATH_MAX];
    struct guard g;
    int r;

    if (lib_find(s->libexec, "mxc-launch", launcher, sizeof(launcher), e) < 0 ||
        session_dir_open(s->runtime, s->id, true, &d, e) < 0)
        return -1;
    guard_begin(&g);
    r = session_start(&d, launcher, e);
    guard_end(&g);
    session_dir_close(&d);
    return r;
}

int lib_session_stop(struct mxc_session *s, uint64_t grace_ms, struct err *e)
{
    struct session_dir d = SESSION_DIR_NONE;
    int r;

    if (session_dir_open(s->runtime, s->id, true, &d, e) < 0)
        return -1;
    r = session_stop(&d, grace_ms, e);
    session_dir_close(&d);
    return r;
}

int lib_session_end(struct mxc_session *s, uint64_t grace_ms, struct err *e)
{
    struct session_dir d = SESSION_DIR_NONE;
    int r;

    if (session_dir_open(s->runtime, s->id, false, &d, e) < 0)
        return -1;
    do
        r = session_is_busy(&d) ? session_end_start(&d, e) : 0;
    while (r > 0);
    session_dir_close(&d);
    if (r < 0 || session_dir_open(s->runtime, s->id, true, &d, e) < 0)
        return -1;
    r = session_deprovision(&d, grace_ms, e);
    session_dir_close(&d);
    return r;
}

int mxc_session_start(struct mxc_session *session, struct mxc_error *error)
{
    struct err e = { 0 };

    return lib_session_start(session, &e) < 0 ? lib_fail(error, &e) : 0;
}

int mxc_session_stop(struct mxc_session *session, uint64_t grace_ms,
                     struct mxc_error *error)
{
    struct err e = { 0 };

    return lib_session_stop(session, grace_ms, &e) < 0 ? lib_fail(error, &e)
                                                       : 0;
}

int mxc_session_deprovision(struct mxc_session *session, uint64_t grace_ms,
                            struct mxc_error *error)
{
    struct err e = { 0 };

    return lib_session_end(session, grace_ms, &e) < 0 ? lib_fail(error, &e) : 0;
}

static int order(struct mxc_session *s, enum ask_what what,
                 struct mxc_error *error)
{
    struct err e = { 0 };

    return session_order(&s->dir, what, &e) < 0 ? lib_fail(error, &e) : 0;
}

int mxc_session_pause(struct mxc_session *session, struct mxc_error *error)
{
    return order(session, ASK_PAUSE, error);
}

int mxc_session_resume(struct mxc_session *session, struct mxc_error *error)
{
    return order(session, ASK_RESUME, error);
}

/* --- looking ---------------------------------------------------------------
 */

static int give(struct buf *b, char **to, struct mxc_error *error)
{
    struct err e = { 0 };

    if (!b->failed && b->data) {
        *to = b->data;
        return 0;
    }
    buf_drop(b);
    (void)lib_out_of_memory(&e);
    return lib_fail(error, &e);
}

static int inspect(const struct session_dir *d, struct buf *b, struct err *e)
{
    struct session_process *p;
    struct session_seen seen;

    if (session_see(d, &seen, e) < 0)
        return -1;
    p = calloc(SESSION_PROCESSES, sizeof(*p));
    if (!p)
        return lib_out_of_memory(e);
    session_seen_members(&seen, b);
    session_processes_member(
        p, seen.holder ? session_processes(seen.holder, p) : 0, b);
    free(p);
    session_policy_member(d, b);
    buf_putc(b, '}');
    return 0;
}

int mxc_session_inspect(struct mxc_session *session, char **json,
                        struct mxc_error *error)
{
    struct session_dir d = SESSION_DIR_NONE;
    struct buf b = { .max = TEXT_MAX };
    struct err e = { 0 };
    int r = session_dir_open(session->runtime, session->id, false, &d, &e);

    if (r == 0)
        r = inspect(&d, &b, &e);
    session_dir_close(&d);
    if (r == 0)
        return give(&b, json, error);
    buf_drop(&b);
    return lib_fail(error, &e);
}

int mxc_session_log(struct mxc_session *session, char **text,
                    struct mxc_error *error)
{
    struct session_dir d = SESSION_DIR_NONE;
    struct arena a = { .limit = 2 * LOG_MAX };
    struct buf b = { .max = TEXT_MAX };
    struct err e = { 0 };
    const char *log = NULL;
    size_t len = 0;
    int r = session_dir_open(session->runtime, session->id, false, &d, &e);

    if (r == 0)
        r = session_read(&d, &a, "log", LOG_MAX, &log, &len, &e);
    session_dir_close(&d);
    /* Text of no length where there is none. */
    if (r == 0)
        buf_add(&b, log ? log : "", log ? len : 0);
    arena_drop(&a);
    return r < 0 ? lib_fail(error, &e) : give(&b, text, error);
}

static int list_one(void *context, struct session_dir *d, struct err *e)
{
    struct buf *b = context;
    struct session_seen seen;
    struct err other;

    (void)e;
    /* It may be ending while we look. */
    if (session_see(d, &seen, &other) < 0 && !seen.holder)
        return 0;
    buf_puts(b, b->len > 1 ? "," : "");
    session_seen_members(&seen, b);
    buf_putc(b, '}');
    return 0;
}

int mxc_session_list(const struct mxc_options *options, char **json,
                     struct mxc_error *error)
{
    struct buf b = { .max = TEXT_MAX };
    struct mxc_options o;
    struct err e = { 0 };
    int r = lib_options_kept(options, &o, &e);

    buf_putc(&b, '[');
    if (r == 0)
        r = session_each(lib_runtime(&o), false, list_one, &b, &e);
    buf_putc(&b, ']');
    if (r == 0)
        return give(&b, json, error);
    buf_drop(&b);
    return lib_fail(error, &e);
}

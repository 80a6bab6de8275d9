/* lib_pool.c - warm sandboxes, as handles of their pool (session/pool.h).
 *
 * A handle has the pool's directory open; a claim is one connection to the
 * sandbox's supervisor, and the command's from then on (lib_command.c). */
#include <string.h>

#include "api/claim.h"
#include "api/lib_session.h"

enum { ARENA_MAX = 64 << 20, USUAL_SIZE = 4 };

struct mxc_pool {
    struct pool_dir dir;
    char *runtime; /* NULL: the usual one */
    char *libexec; /* NULL: beside the library */
};

void mxc_pool_close(struct mxc_pool *pool)
{
    if (!pool)
        return;
    pool_close(&pool->dir);
    free(pool->runtime);
    free(pool->libexec);
    free(pool);
}

static int open_it(const char *name, const struct mxc_options *o,
                   struct mxc_pool **out, struct err *e)
{
    const char *runtime = lib_runtime(o);
    struct mxc_pool *p = calloc(1, sizeof(*p));

    if (!p)
        return lib_out_of_memory(e);
    p->dir = (struct pool_dir)POOL_DIR_NONE;
    if ((runtime && !(p->runtime = strdup(runtime))) ||
        (o->libexec && !(p->libexec = strdup(o->libexec)))) {
        mxc_pool_close(p);
        return lib_out_of_memory(e);
    }
    if (pool_open(p->runtime, name, &p->dir, e) < 0) {
        mxc_pool_close(p);
        return -1;
    }
    *out = p;
    return 0;
}

int mxc_pool_open(const char *name, const struct mxc_options *options,
                  struct mxc_pool **pool, struct mxc_error *error)
{
    struct mxc_options o;
    struct err e = { 0 };

    if (lib_options_kept(options, &o, &e) < 0 ||
        open_it(name, &o, pool, &e) < 0)
        return lib_fail(error, &e);
    return 0;
}

const char *mxc_pool_name(const struct mxc_pool *pool)
{
    return pool->dir.name;
}

/* --- start and stop --------------------------------------------------------
 */

static int make(struct arena *a, const char *request, size_t len,
                const struct mxc_options *o, struct pool_start *s,
                char name[POOL_NAME_MAX + 1], int *word, struct err *e)
{
    char driver[PATH_MAX], launcher[PATH_MAX];
    struct prepared *p = arena_alloc(a, sizeof(*p));
    struct run_flags flags;
    struct guard g;
    int r;

    if (!p)
        return lib_out_of_memory(e);
    if (lib_find(o->libexec, "mxc-launch", launcher, sizeof(launcher), e) < 0)
        return -1;
    lib_flags(o, driver, &flags);
    s->launcher = launcher;
    s->runtime = flags.runtime;
    guard_begin(&g);
    r = claim_make_pool(a, request, len, &flags, s, p, e);
    if (r == 0)
        r = pool_start(s, name, word, e);
    guard_end(&g);
    return r;
}

static int check_size(uint32_t size, struct err *e)
{
    if (size <= POOL_SIZE_MAX)
        return 0;
    return err_set(e, ERR_MALFORMED_REQUEST,
                   "a pool of %u sandboxes: at most %d", size, POOL_SIZE_MAX);
}

int mxc_pool_start(const char *request, size_t len, const char *name,
                   uint32_t size, const struct mxc_options *options,
                   struct mxc_pool **pool, struct mxc_error *error)
{
    struct pool_start s = { .name = name };
    struct arena a = { .limit = ARENA_MAX };
    char made[POOL_NAME_MAX + 1];
    scoped(drop_fd) int word = -1;
    struct mxc_options o;
    struct err e = { 0 };
    int r = lib_options_kept(options, &o, &e);

    if (r == 0)
        r = check_size(size, &e);
    if (r == 0) {
        s.facts = (struct pool_facts){ .idle_ms = o.idle_timeout_ms,
                                       .age_ms = o.max_age_ms,
                                       .size = size ? size : USUAL_SIZE };
        r = make(&a, request, len, &o, &s, made, &word, &e);
    }
    arena_drop(&a);
    if (r == 0)
        r = open_it(made, &o, pool, &e);
    if (r == 0)
        pool_told(&word);
    return r < 0 ? lib_fail(error, &e) : 0;
}

int mxc_pool_stop(struct mxc_pool *pool, uint64_t grace_ms,
                  struct mxc_error *error)
{
    struct err e = { 0 };

    return pool_stop(&pool->dir, grace_ms, &e) < 0 ? lib_fail(error, &e) : 0;
}

int mxc_pool_inspect(struct mxc_pool *pool, char **json,
                     struct mxc_error *error)
{
    struct buf b = { .max = 64 * 1024 };
    struct pool_look look;
    struct err e = { 0 };

    (void)pool_members(&pool->dir, &look, &b);
    buf_putc(&b, '}');
    if (!b.failed) {
        *json = b.data;
        return 0;
    }
    buf_drop(&b);
    (void)lib_out_of_memory(&e);
    return lib_fail(error, &e);
}

/* --- a claim ---------------------------------------------------------------
 */

static const enum access access_of[] = { [NARROW_DENY] = ACCESS_DENY,
                                         [NARROW_READ] = ACCESS_READ,
                                         [NARROW_WRITE] = ACCESS_WRITE };

/* Its lists are what it has besides. */
static int add_grants(struct arena *a, const struct mxc_pool *pool,
                      const struct mxc_options *o, struct session_command *c,
                      struct pool_extra *extra, struct err *e)
{
    struct run_flags f = { .runtime = pool->runtime,
                           .directory = o->directory,
                           .npaths = c->npaths };

    f.path = arena_array(a, c->npaths + 1, sizeof(*f.path));
    if (!f.path)
        return lib_out_of_memory(e);
    for (size_t i = 0; i < c->npaths; i++)
        f.path[i] =
            (struct path_flag){ access_of[c->path[i].access], c->path[i].path };
    return claim_grants(a, &pool->dir, &f, c, extra, e);
}

static int none_ready(int64_t wait_ms, struct err *e)
{
    err_set(e, ERR_BACKEND_UNAVAILABLE,
            "no sandbox of the pool was ready within %lld ms",
            (long long)wait_ms);
    return err_hint(e, "wait longer, or start the pool with more sandboxes");
}

static int send_claim(const struct lib_way *way, int conn,
                      const struct session_command *c, const int streams[3],
                      struct err *e)
{
    return pool_claim_send(conn, c, way->plan, way->len, POOL_TELL_START,
                           streams, e);
}

/* Everything is at hand before there is a connection. */
static int claim(struct arena *a, struct mxc_pool *pool, struct mxc_sandbox *s,
                 struct session_command *c, int64_t wait_ms,
                 const struct mxc_options *o, struct err *e)
{
    const int cancel = o->cancel_fd > 0 ? o->cancel_fd : -1;
    struct lib_way way = { .send = send_claim,
                           .hear = pool_hear,
                           .waits = wait_ms < 0,
                           .cancel = cancel,
                           .libexec = pool->libexec };
    struct pool_extra extra;
    void *bytes;

    if (add_grants(a, pool, o, c, &extra, e) < 0 ||
        pool_claim_plan(a, c, &extra, &bytes, &way.len, e) < 0 ||
        pool_connect(&pool->dir, wait_ms, way.cancel, &s->wait_fd, e) < 0)
        return -1;
    if (s->wait_fd < 0)
        return none_ready(wait_ms, e);
    way.plan = bytes;
    return lib_command_start(s, c, o, &way, e);
}

static int exec_it(struct mxc_pool *pool, const struct mxc_command *command,
                   int64_t wait_ms, const struct mxc_options *o,
                   struct mxc_sandbox **out, struct err *e)
{
    struct arena a = { .limit = ARENA_MAX };
    struct mxc_options how = *o;
    struct mxc_sandbox *s = NULL;
    struct session_command c;
    struct guard g;
    int r = lib_take_command(&a, command, &c, e);

    if (r == 0)
        r = lib_command_make(&c, &how, "sandbox's supervisor", &s, e);
    if (r == 0) {
        guard_begin(&g);
        r = claim(&a, pool, s, &c, wait_ms, &how, e);
        guard_end(&g);
    }
    arena_drop(&a);
    if (r == 0)
        *out = s;
    else if (s)
        lib_sandbox_free(s);
    return r;
}

int mxc_pool_exec(struct mxc_pool *pool, const struct mxc_command *command,
                  int64_t wait_ms, const struct mxc_options *options,
                  struct mxc_sandbox **sandbox, struct mxc_error *error)
{
    struct mxc_options o;
    struct err e = { 0 };

    if (lib_options_kept(options, &o, &e) < 0 || lib_check_spawn(&o, &e) < 0 ||
        lib_check_exec(&o, &e) < 0 ||
        exec_it(pool, command, wait_ms, &o, sandbox, &e) < 0)
        return lib_fail(error, &e);
    return 0;
}

int mxc_pool_run(struct mxc_pool *pool, const struct mxc_command *command,
                 int64_t wait_ms, const struct mxc_options *options,
                 struct mxc_result *result, struct mxc_error *error)
{
    struct mxc_sandbox *s = NULL;
    struct mxc_options o;
    struct err e = { 0 };
    int r = lib_options_of_run(options, result, &o, &e);

    if (r == 0)
        r = lib_check_kept(&o, &e);
    if (r == 0)
        r = exec_it(pool, command, wait_ms, &o, &s, &e);
    if (r == 0)
        r = lib_capture(s, &o, result, &e);
    return r < 0 ? lib_fail(error, &e) : 0;
}

/* check.c - is this byte string a plan that is safe to carry out?
 *
 * The launcher trusts nothing but its own checks: sizes, offsets, strings,
 * flags, and the rules that make a plan a sandbox (a private root first, no
 * mount without nosuid and nodev, exactly one filter, one directory to start
 * in, something to run, nothing of the network without the gateway's rules).
 * What is run in a session is a plan of another kind: it makes nothing; and
 * what a warm sandbox is claimed with, which adds to what stands. */
#include <string.h>

#include "base/limit.h"

#include "plan/pack.h"

static const struct {
    char path;
    char text;
    uint32_t flags; /* that may be set */
} shape[STEP_END] = {
#define X(num, id, name, p, t) [STEP_##id] = { (p), (t), 0 },
    STEP_KINDS(X)
#undef X
};

static uint32_t allowed_flags(uint32_t kind)
{
    switch (kind) {
    case STEP_BIND:
        return STEP_READONLY | STEP_NOEXEC | STEP_OPTIONAL | STEP_IS_DIR |
               STEP_CREATE | STEP_LAYER | STEP_COPY;
    case STEP_OVERLAY:
        return STEP_CREATE;
    case STEP_DEVICE:
        return STEP_OPTIONAL;
    case STEP_MASK:
        return STEP_IS_DIR | STEP_CREATE | STEP_OPTIONAL | STEP_OURS;
    case STEP_ABSENT:
        return STEP_OURS;
    case STEP_HOLLOW:
        return STEP_CREATE;
    case STEP_RLIMIT:
        return STEP_SOFT;
    case STEP_RUNTIME_ARG:
        return STEP_BY_FD;
    case STEP_PIN:
    case STEP_SYSCTL:
        return STEP_OPTIONAL;
    case STEP_KEPT:
        return STEP_LAST;
    case STEP_LIMIT:
        return STEP_BY_GROUP;
    default:
        return 0;
    }
}

static int bad(struct err *e, size_t i, const char *what)
{
    return err_set(e, ERR_BACKEND_ERROR, "plan refused: step %zu: %s", i, what);
}

/* Components that are neither empty nor "." nor "..". */
static bool is_clean(const char *p)
{
    for (;;) {
        size_t n = strcspn(p, "/");

        if (n == 0 || (n == 1 && p[0] == '.') ||
            (n == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        if (p[n] == '\0')
            return true;
        p += n + 1;
    }
}

static bool is_clean_path(const char *p)
{
    if (p[0] != '/' || strlen(p) >= 4096)
        return false;
    return p[1] == '\0' || is_clean(p + 1);
}

struct pool_view {
    const char *data;
    size_t len;
};

static int check_string(const struct pool_view *pool, uint32_t at, char want,
                        uint32_t len, size_t i, struct err *e)
{
    const char *s;

    if (want == '-')
        return at == PACKED_NONE && len == 0
                   ? 0
                   : bad(e, i, "a string where none belongs");
    if (at >= pool->len)
        return bad(e, i, "string outside the pool");
    s = pool->data + at;
    if (len >= pool->len - at || s[len] != '\0')
        return bad(e, i, "string is not terminated");
    if (want != 'b' && strlen(s) != len)
        return bad(e, i, "string holds a NUL");
    if ((want == 'a' || want == 'h') && !is_clean_path(s))
        return bad(e, i, "path is not absolute and clean");
    if (want == 'r' && (len >= 4096 || !is_clean(s)))
        return bad(e, i, "path is not relative and clean");
    return 0;
}

static int check_step(const struct packed_step *s, size_t i,
                      const struct pool_view *pool, struct err *e)
{
    size_t left;

    if (s->kind == STEP_NONE || s->kind >= STEP_END || s->zero != 0)
        return bad(e, i, "unknown kind");
    if (s->flags & ~allowed_flags(s->kind))
        return bad(e, i, "unknown flag");
    if (shape[s->kind].path != '-') {
        left = s->path < pool->len ? pool->len - s->path : 0;
        left = left ? strnlen(pool->data + s->path, left) : 0;
        if (check_string(pool, s->path, shape[s->kind].path, (uint32_t)left, i,
                         e) < 0)
            return -1;
    } else if (s->path != PACKED_NONE) {
        return bad(e, i, "a path where none belongs");
    }
    if (check_string(pool, s->text, shape[s->kind].text, s->text_len, i, e) < 0)
        return -1;
    if ((s->kind == STEP_DIR || s->kind == STEP_FILE) && s->num[0] & ~01777ull)
        return bad(e, i, "mode has setuid or setgid bits");
    if (s->kind == STEP_FILTER && (s->text_len == 0 || s->text_len % 8))
        return bad(e, i, "filter is not a list of instructions");
    if (s->kind == STEP_RULES && s->text_len == 0)
        return bad(e, i, "rules are empty");
    if (s->kind == STEP_LISTEN &&
        (s->num[0] == 0 || s->num[0] > UINT16_MAX || s->num[1] != 0))
        return bad(e, i, "not a port");
    if (s->kind == STEP_RUNSC && (s->num[1] == 0 || s->text_len == 0))
        return bad(e, i, "a program without identity or configuration");
    /* What would be more than one path to the kernel. */
    if (s->kind == STEP_OVERLAY && strpbrk(pool->data + s->path, ":,\\"))
        return bad(e, i, "not a path to lay something over");
    if (s->flags & STEP_LAYER &&
        (s->flags & STEP_READONLY || !(s->flags & STEP_IS_DIR)))
        return bad(e, i, "not a directory to write to");
    if (s->flags & STEP_COPY && (s->flags & (STEP_READONLY | STEP_LAYER) ||
                                 !(s->flags & STEP_IS_DIR) || !s->num[1]))
        return bad(e, i, "not a grant to copy on write");
    if (s->kind == STEP_LIMIT && s->num[0] >= LIMIT_COUNT)
        return bad(e, i, "a limit that there is not");
    if (s->kind == STEP_SYSCTL &&
        strncmp(pool->data + s->path, "/proc/sys/", 10) != 0)
        return bad(e, i, "not a sysctl");
    return 0;
}

/* What the launcher opens is answered by a gateway, which never starts
 * without something to do. */
static int check_network(const struct plan_view *v, struct err *e)
{
    const uint32_t ways = PLAN_NET_EGRESS | PLAN_NET_ICMP | PLAN_NET_DIAL;
    bool is_asked = v->head.flags & ways || plan_count(v, STEP_LISTEN) > 0;
    size_t rules = plan_count(v, STEP_RULES);

    if (rules > 1)
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: it may have one list of network rules");
    if (is_asked != (rules == 1))
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: network rules and flags disagree");
    if (v->head.flags & PLAN_NET_ICMP && !(v->head.flags & PLAN_NET_EGRESS))
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: echo requests without a way out");
    return 0;
}

/* A kernel of its own for the workload: it mounts, which Landlock forbids, and
 * what init would decide single calls of, or give a terminal, is behind it. */
static int check_runsc(const struct plan_view *v, struct err *e)
{
    const uint32_t not_behind =
        PLAN_TTY | PLAN_BROKER_CREATES | PLAN_BROKER_UNIX;
    size_t n = plan_count(v, STEP_RUNSC);

    if (n > 1)
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: it may have one user-space kernel");
    if (n && !(v->head.flags & PLAN_NO_LANDLOCK))
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: Landlock around a user-space kernel");
    if (n && plan_count(v, STEP_RUNTIME))
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: a user-space kernel in a runtime's "
                       "sandbox");
    if (n && v->head.flags & not_behind)
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: a terminal or a broker behind a "
                       "user-space kernel");
    return 0;
}

/* A session has nothing to run yet, and no terminal for it; nor has what is
 * warm, where a port of the host could be but one sandbox's. */
static int check_command(const struct plan_view *v, struct err *e)
{
    const bool is_warm = v->head.flags & PLAN_WARM;
    const bool is_session = is_warm || v->head.flags & PLAN_SESSION;

    if (plan_count(v, STEP_CWD) != 1 ||
        (plan_count(v, STEP_ARG) == 0) != is_session)
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: nothing to run, or nowhere");
    if (is_session && v->head.flags & PLAN_TTY)
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: a session has no terminal");
    if (is_session && plan_count(v, STEP_RUNSC))
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: a session behind a user-space kernel");
    if (is_warm && plan_count(v, STEP_RUNTIME))
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: a warm sandbox is made by nobody else");
    if (v->head.flags & PLAN_DENIALS &&
        (is_session || plan_count(v, STEP_RUNSC)))
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: refusals are told of a single run");
    if (v->head.flags & PLAN_ACCESSES && !(v->head.flags & PLAN_DENIALS))
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: what is used is told with what is "
                       "refused");
    if (v->head.flags & PLAN_VERIFY &&
        (is_session || plan_count(v, STEP_RUNSC)))
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: the walls are tried by a single run");
    /* Init does it, for the one command that it has. */
    if (v->head.flags & PLAN_EXEC_NO_SOCKETS &&
        (is_session || plan_count(v, STEP_RUNSC)))
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: who runs its commands does not forbid "
                       "sockets");
    if (is_warm && v->head.flags & (PLAN_SESSION | PLAN_NET_DIAL))
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: a warm sandbox that is a session, or "
                       "has published ports");
    return 0;
}

/* What outlives a start belongs to a session. */
static int check_layer(const struct plan_view *v, struct err *e)
{
    for (size_t i = 0; i < v->head.nsteps; i++) {
        struct step s = plan_step(v, i);

        if ((s.flags & STEP_LAYER || s.kind == STEP_OVERLAY) &&
            !(v->head.flags & PLAN_SESSION))
            return bad(e, i, "a layer without a session");
        if (s.flags & STEP_COPY &&
            (v->head.flags & (PLAN_SESSION | PLAN_WARM) ||
             plan_count(v, STEP_RUNTIME) || plan_count(v, STEP_RUNSC)))
            return bad(e, i, "a copy on write that is not of a single run");
    }
    return 0;
}

/* A container that is kept has an image's root; one that is to be made gets a
 * record, and does not end with the run that makes it. */
static int check_kept(const struct plan_view *v, struct err *e)
{
    const size_t n = plan_count(v, STEP_KEPT),
                 records = plan_count(v, STEP_RECORD);

    if (n && v->head.flags & PLAN_SESSION)
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: a session has no container that is "
                       "kept");
    if (n > 1 || records > n || n > plan_count(v, STEP_IMAGE))
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: it may have one container that is kept, "
                       "with an image and a record");
    for (size_t i = 0; n && i < v->head.nsteps; i++) {
        const struct step s = plan_step(v, i);

        if (s.kind != STEP_KEPT)
            continue;
        if (!s.text_len && (!records || s.flags & STEP_LAST))
            return bad(e, i, "a new container without a record, or an end");
        if (s.text_len && !s.num[1])
            return bad(e, i, "a container without identity");
    }
    return 0;
}

static int check_whole(const struct plan_view *v, struct err *e)
{
    for (size_t i = 0; i < v->head.nsteps; i++)
        if ((plan_step(v, i).kind == STEP_ROOT) != (i == 0))
            return bad(e, i, "the private root must come first, once");
    if (plan_count(v, STEP_FILTER) != 1)
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: it must have one filter");
    if (check_command(v, e) < 0)
        return -1;
    if (plan_count(v, STEP_RUNTIME) > 1 ||
        (plan_count(v, STEP_RUNTIME_ARG) && !plan_count(v, STEP_RUNTIME)))
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: it may have one runtime, and arguments "
                       "for no other");
    if (plan_count(v, STEP_IMAGE) > plan_count(v, STEP_RUNTIME))
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: it may have one image, and only with a "
                       "runtime");
    if (!plan_count(v, STEP_LANDLOCK) != !!(v->head.flags & PLAN_NO_LANDLOCK))
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: Landlock rules and flag disagree");
    if (!!plan_count(v, STEP_ABSENT) != !!(v->head.flags & PLAN_BROKER_CREATES))
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: absent paths and broker flag disagree");
    if (plan_count(v, STEP_CAPTURE) > (v->head.flags & PLAN_DENIALS ? 1 : 0))
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: it may have one record of what is "
                       "refused, where that is told");
    if (check_runsc(v, e) < 0 || check_layer(v, e) < 0 || check_kept(v, e) < 0)
        return -1;
    return check_network(v, e);
}

static int check_exec(const struct plan_view *v, struct err *e)
{
    size_t rules = plan_count(v, STEP_LANDLOCK);

    for (size_t i = 0; i < v->head.nsteps; i++) {
        enum step_kind k = plan_step(v, i).kind;

        if (k != STEP_ARG && k != STEP_ENV && k != STEP_CWD &&
            k != STEP_RLIMIT && k != STEP_LANDLOCK)
            return bad(e, i, "has no place in a session's command");
    }
    if (plan_count(v, STEP_CWD) != 1 || plan_count(v, STEP_ARG) < 1)
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: nothing to run, or nowhere");
    if (v->head.flags & PLAN_EXEC_PROGRAM && v->head.flags & PLAN_TTY)
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: a terminal for a program of ours");
    if (rules && !(v->head.flags & PLAN_EXEC_NARROWED))
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: Landlock rules and flag disagree");
    return 0;
}

static bool is_of_claim(enum step_kind k)
{
    switch ((int)k) {
    case STEP_ARG:
    case STEP_ENV:
    case STEP_CWD:
    case STEP_RLIMIT:
    case STEP_BIND:
    case STEP_MASK:
    case STEP_HOLLOW:
    case STEP_PIN:
    case STEP_ABSENT:
    case STEP_WATCH:
    case STEP_FILTER:
        return true;
    default:
        return false;
    }
}

static bool is_at_or_below(const char *path, const char *top)
{
    size_t n = strlen(top);

    return strncmp(path, top, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* The private root, /dev and /proc stand already, and stay as they are. */
static bool is_own(const struct step *s)
{
    const bool mounts = s->kind == STEP_BIND || s->kind == STEP_MASK ||
                        s->kind == STEP_HOLLOW || s->kind == STEP_PIN;

    return mounts && (s->path[1] == '\0' || is_at_or_below(s->path, "/proc") ||
                      is_at_or_below(s->path, "/dev"));
}

static int check_claim(const struct plan_view *v, struct err *e)
{
    const bool creates = v->head.flags & PLAN_BROKER_CREATES;
    const bool brokers = creates || v->head.flags & PLAN_BROKER_UNIX;

    for (size_t i = 0; i < v->head.nsteps; i++) {
        struct step s = plan_step(v, i);

        if (!is_of_claim(s.kind))
            return bad(e, i, "has no place in a claim");
        if (is_own(&s) || s.flags & STEP_OPTIONAL)
            return bad(e, i, "stands over what is the sandbox's own");
        if (s.flags & (STEP_LAYER | STEP_COPY))
            return bad(e, i, "is a session's, or a single run's");
        if (s.kind == STEP_BIND && s.num[1] == 0)
            return bad(e, i, "a grant of what nobody has looked at");
    }
    if (plan_count(v, STEP_CWD) > 1 || plan_count(v, STEP_ARG) < 1)
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: nothing to run, or two places for it");
    if (plan_count(v, STEP_FILTER) != (brokers ? 1 : 0))
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: filter and broker flags disagree");
    if (plan_count(v, STEP_ABSENT) && !creates)
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: absent paths and broker flag disagree");
    return 0;
}

static size_t pool_offset(uint32_t nsteps)
{
    return sizeof(struct packed_plan) + nsteps * sizeof(struct packed_step);
}

static int check_head(const struct packed_plan *h, size_t len, uint32_t flags,
                      struct err *e)
{
    if (memcmp(h->magic, PACKED_MAGIC, sizeof(h->magic)) != 0 ||
        h->version != PACKED_VERSION)
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: not a plan of this version");
    if (h->total != len || len > PLAN_MAX_BYTES || h->nsteps == 0 ||
        h->nsteps > PLAN_MAX_STEPS || pool_offset(h->nsteps) >= len)
        return err_set(e, ERR_BACKEND_ERROR, "plan refused: wrong size");
    if (h->flags & ~flags)
        return err_set(e, ERR_BACKEND_ERROR, "plan refused: unknown flag");
    return 0;
}

/* Every string and number in its place; not yet what they make together. */
static int check_parts(const void *bytes, size_t len, uint32_t flags,
                       struct plan_view *out, struct err *e)
{
    const struct packed_plan *h = bytes;
    const struct packed_step *steps;
    struct pool_view pool;
    struct plan_view v = { .bytes = bytes, .len = len };

    if (len < sizeof(*h) || (uintptr_t)bytes % 8)
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: too short, or not aligned");
    if (check_head(h, len, flags, e) < 0)
        return -1;
    steps = (const struct packed_step *)(h + 1);
    pool.data = (const char *)bytes + pool_offset(h->nsteps);
    pool.len = len - pool_offset(h->nsteps);
    if (pool.data[pool.len - 1] != '\0' || h->receipt >= pool.len)
        return err_set(e, ERR_BACKEND_ERROR, "plan refused: broken pool");
    for (size_t i = 0; i < h->nsteps; i++)
        if (check_step(&steps[i], i, &pool, e) < 0)
            return -1;
    v.head = (struct plan){
        .flags = h->flags,
        .landlock_abi = h->landlock_abi,
        .uid = h->uid,
        .gid = h->gid,
        .timeout_ms = h->timeout_ms,
        .receipt = pool.data + h->receipt,
        .nsteps = h->nsteps,
    };
    *out = v;
    return 0;
}

int plan_check(const void *bytes, size_t len, struct plan_view *out,
               struct err *e)
{
    struct plan_view v;

    if (check_parts(bytes, len, PLAN_ALL_FLAGS, &v, e) < 0 ||
        check_whole(&v, e) < 0)
        return -1;
    *out = v;
    return 0;
}

int plan_check_exec(const void *bytes, size_t len, struct plan_view *out,
                    struct err *e)
{
    struct plan_view v;

    if (check_parts(bytes, len, PLAN_EXEC_FLAGS, &v, e) < 0)
        return -1;
    if (!(v.head.flags & PLAN_EXEC))
        return err_set(e, ERR_BACKEND_ERROR,
                       "plan refused: it is not a session's command");
    if (check_exec(&v, e) < 0)
        return -1;
    *out = v;
    return 0;
}

int plan_check_claim(const void *bytes, size_t len, struct plan_view *out,
                     struct err *e)
{
    struct plan_view v;

    if (check_parts(bytes, len, PLAN_CLAIM_FLAGS, &v, e) < 0)
        return -1;
    if (!(v.head.flags & PLAN_CLAIM))
        return err_set(e, ERR_BACKEND_ERROR, "plan refused: it is no claim");
    if (check_claim(&v, e) < 0)
        return -1;
    *out = v;
    return 0;
}

struct step plan_step(const struct plan_view *v, size_t i)
{
    const struct packed_plan *h = (const void *)v->bytes;
    const struct packed_step *s = (const struct packed_step *)(h + 1) + i;
    const char *pool = (const char *)v->bytes + pool_offset(h->nsteps);

    return (struct step){
        .kind = (enum step_kind)s->kind,
        .flags = s->flags,
        .num = { s->num[0], s->num[1] },
        .path = s->path == PACKED_NONE ? NULL : pool + s->path,
        .text = s->text == PACKED_NONE ? NULL : pool + s->text,
        .text_len = s->text_len,
    };
}

size_t plan_count(const struct plan_view *v, enum step_kind kind)
{
    size_t n = 0;

    for (size_t i = 0; i < v->head.nsteps; i++)
        n += plan_step(v, i).kind == kind;
    return n;
}

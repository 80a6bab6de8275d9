/* report.c - what the workload was refused, for who wants to know, and what
 * it uses.
 *
 * What comes of the looks is a guess (foresee.c), which the workload may make
 * a wrong one; nothing but the report hangs on it. */
#include "broker/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>
#include <sys/un.h>

#include "sys/seccomp_filter.h"

/* Different things that are told apart at a time. */
enum { REFUSED_KEYS = 4096, USED_KEYS = 65536 };

struct report {
    struct told *told;
    bool tells_uses;
    struct seccomp_options options;
    const struct syscall_row *row[CALLS];
    const struct watched *watched[CALLS];
    uint64_t seed;
    struct sight sight[SIGHTS]; /* of the call that is decided */
    size_t nsights;
    bool knows_all; /* of its paths, for report_end */
};

int report_init(struct broker *b, const struct broker_config *c, struct err *e)
{
    struct report *r;

    if (!c->tell)
        return 0;
    r = calloc(1, sizeof(*r));
    if (!r)
        return err_sys(e, "malloc(3)", ENOMEM, "cannot report refusals");
    b->report = r;
    r->tells_uses = c->tells_uses;
    r->told = told_create(c->tell, c->tells_uses ? USED_KEYS : REFUSED_KEYS,
                          c->tells_uses);
    if (!r->told)
        return err_sys(e, "malloc(3)", ENOMEM, "cannot report refusals");
    r->options = (struct seccomp_options){ .broker_creates = c->creates,
                                           .broker_unix = c->unix_sockets,
                                           .ping = c->ping };
    if (getrandom(&r->seed, sizeof(r->seed), 0) != (ssize_t)sizeof(r->seed))
        return err_sys(e, "getrandom(2)", errno, "cannot report refusals");
    for (int nr = 0; nr < CALLS; nr++) {
        r->row[nr] = seccomp_row(nr);
        if (r->row[nr])
            r->watched[nr] = watched_call(r->row[nr]->name);
    }
    return 0;
}

void report_fini(struct broker *b)
{
    if (!b->report)
        return;
    told_destroy(b->report->told);
    free(b->report);
    b->report = NULL;
}

void broker_settle(struct broker *b, int most_ms)
{
    if (b->report)
        told_settle(b->report->told, most_ms);
}

void broker_refresh(struct broker *b)
{
    if (b->report)
        told_refresh(b->report->told);
}

bool broker_is_stale(const struct broker *b)
{
    return b->report && told_is_stale(b->report->told);
}

uint32_t report_verdict(const struct broker *b, int nr, const uint64_t args[6])
{
    const struct syscall_row *row =
        nr >= 0 && nr < CALLS ? b->report->row[nr] : NULL;

    return row ? seccomp_judge(&b->report->options, row, args)
               : SC_FAIL(ENOSYS);
}

/* --- telling ---------------------------------------------------------------
 */

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
    const unsigned char *p = data;

    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * 0x100000001b3ull; /* FNV-1a */
    return h;
}

static uint64_t key_of(const struct report *r, const struct broker_seen *s)
{
    uint64_t h = 0xcbf29ce484222325ull ^ r->seed;

    h = mix(h, &s->op, sizeof(s->op));
    h = mix(h, &s->sys, sizeof(s->sys));
    h = mix(h, &s->is_allowed, sizeof(s->is_allowed));
    if (!s->path[0])
        h = mix(h, s->call, strlen(s->call));
    h = mix(h, s->path, strlen(s->path));
    return h ? h : 1;
}

static void note(struct caller *c, struct broker_seen *s)
{
    struct report *r = c->b->report;
    char name[16];

    s->key = key_of(r, s);
    if (!told_count(r->told, s->key, s->is_allowed))
        return;
    caller_name(c, name);
    s->process = name;
    s->tid = c->tid;
    told_tell(r->told, s);
}

/* Where /proc/self and the like are another's than ours, we cannot look. */
static bool is_own(const char *path)
{
    static const char *const places[] = { "/proc",       "/dev/fd",
                                          "/dev/stdin",  "/dev/stdout",
                                          "/dev/stderr", "/dev/tty" };

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        const size_t n = strlen(places[i]);

        if (strncmp(path, places[i], n) == 0 &&
            (path[n] == '/' || path[n] == '\0'))
            return true;
    }
    return false;
}

/* Does it go on from there to what has another name? */
static bool leads_on(const char *path)
{
    static const char *const links[] = { "root", "cwd", "stdin", "stdout",
                                         "stderr" };
    bool is_number = false; /* of a descriptor */

    for (const char *at = path + strspn(path, "/"); *at;) {
        const size_t part = strcspn(at, "/");
        const char *behind = at + part + strspn(at + part, "/");
        bool is_link = is_number;

        for (size_t i = 0; i < ARRAY_LEN(links); i++)
            is_link = is_link || (strlen(links[i]) == part &&
                                  strncmp(at, links[i], part) == 0);
        if (is_link && *behind)
            return true;
        is_number = part == 2 && strncmp(at, "fd", 2) == 0;
        at = behind;
    }
    return false;
}

/* Nothing is known of it: it may be refused, or used. */
static void lose_own(struct caller *c, const char *path)
{
    const struct report *r = c->b->report;

    if (!leads_on(path))
        return;
    told_lose(r->told, false);
    if (r->tells_uses)
        told_lose(r->told, true);
}

/* What a policy has to do with: not that a name is no directory, too long, or
 * there already. */
static bool is_refusal(const struct sight *s, int sys)
{
    return sys == ENOENT || sys == EACCES || sys == EROFS || sys == EPERM ||
           sys == EBUSY || (sys && s->op == WATCH_OWNER);
}

static __attribute__((noinline)) void
note_refused(struct caller *c, const struct sight *s, int sys)
{
    char name[PATH_MAX];
    struct broker_seen seen = { .sys = sys,
                                .op = s->op == WATCH_LOOK ? WATCH_READ
                                                          : (int)s->op,
                                .call = s->call,
                                .why = "",
                                .named = s->path,
                                .path = name };
    bool is_on_way;

    if (!is_refusal(s, sys))
        return;
    if (!sight_name(s, name, &is_on_way)) {
        told_lose(c->b->report->told, false);
        return;
    }
    /* It was not even found. */
    if (is_on_way)
        seen.op = WATCH_READ;
    if (!is_own(name))
        note(c, &seen);
    else
        lose_own(c, name);
}

/* The call fails by itself, of what could not be told of it. */
static bool fails_itself(int sys)
{
    return sys == ENOENT || sys == ENOTDIR || sys == EINVAL;
}

static __attribute__((noinline)) void note_used(struct caller *c,
                                                const struct sight *s)
{
    char name[PATH_MAX];
    struct broker_seen seen = { .op = (int)s->op,
                                .is_allowed = true,
                                .call = s->call,
                                .why = "",
                                .named = s->path,
                                .path = name };

    /* Whom it may connect to is in the sandbox, too. */
    if (s->how == HOW_CONNECT)
        return;
    if (!sight_resolve(s, name)) {
        if (!fails_itself(errno))
            told_lose(c->b->report->told, true);
    } else if (!is_own(name)) {
        note(c, &seen);
    }
}

/* --- looking ---------------------------------------------------------------
 */

static bool is_address(const struct watched *w)
{
    return w->how == HOW_CONNECT || w->how == HOW_BIND;
}

/* Is it about what a descriptor is, and not about a path?  utimensat(2) has
 * none then. */
static bool is_of_descriptor(const struct watched *w, const uint64_t args[6],
                             const char *path)
{
    if (w->path < 0)
        return true;
    if ((w->how != HOW_ATTRIBUTE && w->how != HOW_OWNER) || w->flags < 0 ||
        path[0])
        return false;
    return args[w->path] ? args[w->flags] & AT_EMPTY_PATH
                         : (int)args[w->dir] != AT_FDCWD;
}

/* As the call has it; "" where it has none, as in the address of a peer on the
 * network, or of a socket that has no name in the view. */
static bool read_path(const struct caller *c, const struct watched *w,
                      const uint64_t args[6], char out[PATH_MAX])
{
    const size_t head = offsetof(struct sockaddr_un, sun_path);
    union {
        struct sockaddr_storage any;
        struct sockaddr_un un;
    } ad;
    int n;

    out[0] = '\0';
    if (w->path < 0 || !args[w->path])
        return true;
    if (!is_address(w))
        return caller_path(c, args[w->path], out) >= 0;
    n = caller_sockaddr(c, args[w->path], args[w->flags], &ad.any);
    if (n < 0)
        return false;
    if ((size_t)n > head && (size_t)n <= sizeof(ad.un) &&
        ad.un.sun_family == AF_UNIX) {
        const size_t len = strnlen(ad.un.sun_path, (size_t)n - head);

        memcpy(out, ad.un.sun_path, len);
        out[len] = '\0';
    }
    return true;
}

static void take_owner(const struct watched *w, const uint64_t args[6],
                       struct sight *s)
{
    const int behind = w->path < 0 ? w->dir : w->path;

    for (int i = 0; i < 2; i++)
        s->owner[i] = w->how == HOW_OWNER || w->how == HOW_LINK_OWNER
                          ? (uint32_t)args[behind + 1 + i]
                          : UINT32_MAX;
}

/* One path of a call; false where we cannot look. */
static bool look_at(struct caller *c, const struct watched *w,
                    const uint64_t args[6], struct sight *s)
{
    if (!read_path(c, w, args, s->path) ||
        (!s->path[0] && !is_of_descriptor(w, args, s->path)))
        return false;
    if (is_own(s->path)) {
        lose_own(c, s->path);
        return false;
    }
    if (s->path[0] != '/') {
        s->base =
            caller_base(c, w->dir < 0 ? AT_FDCWD : (int)args[w->dir], s->path);
        if (s->base < 0)
            return false;
    }
    s->call = w->name;
    s->how = w->how;
    s->flags = w->flags < 0 ? 0 : (int)args[w->flags];
    take_owner(w, args, s);
    s->sys = foresee(s);
    return true;
}

static void drop_sights(struct report *r)
{
    for (size_t i = 0; i < r->nsights; i++)
        drop_fd(&r->sight[i].base);
    r->nsights = 0;
}

/* At what the last one, a program, is executed by; and that by. */
static void look_at_interpreters(struct caller *c)
{
    struct report *r = c->b->report;

    while (r->nsights > 0 && r->nsights < SIGHTS) {
        const struct sight *of = &r->sight[r->nsights - 1];
        struct sight *s = &r->sight[r->nsights];

        if (of->sys || !broker_interpreter(of->base, of->path, s->path) ||
            is_own(s->path))
            return;
        s->call = of->call;
        s->how = HOW_EXEC;
        s->flags = 0;
        s->base = s->path[0] == '/' ? -1 : caller_cwd(c);
        if (s->path[0] != '/' && s->base < 0)
            return;
        s->sys = foresee(s);
        r->nsights++;
    }
}

/* That what is there is a mount is found out later than that the two are
 * apart. */
static bool may_go_on(const struct sight *s)
{
    return s->sys == 0 || s->sys == EBUSY;
}

/* At all paths of a call.  False: there is one that is not known. */
static bool look_at_all(struct caller *c, int nr, const uint64_t args[6])
{
    struct report *r = c->b->report;
    const struct watched *w = r->watched[nr];
    bool knows_all = w != NULL;

    drop_sights(r);
    for (const char *name = w ? w->name : ""; w && w->name; w++) {
        struct sight *s = &r->sight[r->nsights];

        if (strcmp(w->name, name) != 0)
            break;
        s->base = -1;
        if (look_at(c, w, args, s))
            r->nsights++;
        else
            knows_all = false;
    }
    if (r->nsights > 0 && r->sight[0].how == HOW_EXEC)
        look_at_interpreters(c);
    else if (r->nsights == 2 && may_go_on(&r->sight[0]) &&
             may_go_on(&r->sight[1]) &&
             sights_are_apart(&r->sight[0], &r->sight[1]))
        r->sight[0].sys = r->sight[1].sys = EXDEV;
    return knows_all;
}

/* Whether a report wants to know of what goes on. */
static bool is_worth_telling(const struct report *r, bool knows_all)
{
    bool is = r->tells_uses && knows_all;

    for (size_t i = 0; i < r->nsights; i++)
        is = is || is_refusal(&r->sight[i], r->sight[i].sys);
    return is;
}

static void note_all_used(struct caller *c)
{
    const struct report *r = c->b->report;

    for (size_t i = 0; i < r->nsights && r->tells_uses; i++)
        note_used(c, &r->sight[i]);
}

/* How many are foreseen to be refused; these are told. */
static size_t note_foreseen(struct caller *c)
{
    const struct report *r = c->b->report;
    size_t n = 0;

    for (size_t i = 0; i < r->nsights; i++) {
        const struct sight *s = &r->sight[i];

        if (s->sys)
            note_refused(c, s, s->sys);
        n += s->sys != 0;
    }
    return n;
}

void report_look(struct caller *c, int nr, const uint64_t args[6])
{
    const bool knows_all = look_at_all(c, nr, args);

    /* All of a call is used, or nothing. */
    if (is_worth_telling(c->b->report, knows_all) && caller_waits(c) &&
        note_foreseen(c) == 0 && knows_all)
        note_all_used(c);
    drop_sights(c->b->report);
}

void report_begin(struct caller *c, int nr, const uint64_t args[6])
{
    struct report *r = c->b->report;
    const bool knows_all = look_at_all(c, nr, args);

    if (!caller_waits(c))
        drop_sights(r);
    r->knows_all = knows_all;
}

void report_end(struct caller *c, int sys)
{
    struct report *r = c->b->report;

    if (!sys && r->knows_all)
        note_all_used(c);
    /* Where nothing speaks against it in the view, the broker does, and that
     * is about the new name, which is the last. */
    if (sys && note_foreseen(c) == 0 && r->nsights > 0)
        note_refused(c, &r->sight[r->nsights - 1], sys);
    drop_sights(r);
}

void report_refused(struct caller *c, int nr, int sys)
{
    const struct syscall_row *row =
        nr >= 0 && nr < CALLS ? c->b->report->row[nr] : NULL;
    struct broker_seen seen = { .sys = sys,
                                .op = WATCH_CALL,
                                .call = row ? row->name : "",
                                .why = row && row->why ? row->why : "",
                                .named = "",
                                .path = "" };

    note(c, &seen);
}

/* What nobody was asked about. */
static bool look_at_program(struct caller *c, const char *cwd, const char *path)
{
    struct report *r = c->b->report;
    struct sight *s = &r->sight[0];

    if (strlen(path) >= sizeof(s->path))
        return false;
    *s = (struct sight){ .call = "execve", .how = HOW_EXEC, .base = -1 };
    memcpy(s->path, path, strlen(path) + 1);
    s->base = open(cwd, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (s->base < 0)
        return false;
    r->nsights = 1;
    s->sys = foresee(s);
    look_at_interpreters(c);
    return true;
}

void broker_began(struct broker *b, pid_t pid, const char *cwd,
                  const char *path)
{
    struct caller c = { .b = b, .listener = -1, .tid = pid };

    if (!b->report || !b->report->tells_uses)
        return;
    if (look_at_program(&c, cwd, path) && b->report->sight[0].sys == 0)
        note_all_used(&c);
    drop_sights(b->report);
}

void broker_not_begun(struct broker *b, const char *cwd, const char *path)
{
    struct caller c = { .b = b, .listener = -1 };

    if (b->report && look_at_program(&c, cwd, path))
        (void)note_foreseen(&c);
    if (b->report)
        drop_sights(b->report);
}

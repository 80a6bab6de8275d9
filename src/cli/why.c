/* why.c - see why.h: paths. */
#include "cli/why.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "sys/hostpath.h"
#include "try/proto.h"

enum { MOST_LINKS = 40 }; /* path_resolution(7) */

static const char *const names[] = { "read", "write", "exec", "connect" };

const char *why_name(enum why_kind kind)
{
    return names[kind];
}

int why_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

const char *why_error_name(int error)
{
    if (error == TRY_NO_NAME)
        return "EAI_NONAME";
    return error ? err_errno_name(error) : "0";
}

static int no_memory(struct err *e)
{
    return err_set(e, ERR_BACKEND_ERROR, "out of memory");
}

int why_ask(struct arena *a, enum why_kind kind, const char *operand,
            const char *cwd, struct why_question *out, struct err *e)
{
    const char *path = operand;

    *out = (struct why_question){ kind, operand };
    if (!operand[0])
        return err_set(e, ERR_MALFORMED_REQUEST, "an empty question");
    if (kind == WHY_CONNECT)
        return 0;
    if (operand[0] != '/')
        path = arena_printf(a, "%s/%s", cwd, operand);
    path = path ? path_clean(a, path) : NULL;
    if (!path)
        return err_set(e, ERR_MALFORMED_REQUEST, "'%.80s' is no path", operand);
    out->operand = path;
    return 0;
}

/* --- where the path leads --------------------------------------------------
 */

/* The steps that put something into the view. */
static bool is_shown(enum step_kind kind)
{
    const uint64_t all = 1ull << STEP_DIR | 1ull << STEP_FILE |
                         1ull << STEP_SYMLINK | 1ull << STEP_BIND |
                         1ull << STEP_DEVICE | 1ull << STEP_DEVPTS |
                         1ull << STEP_PROC | 1ull << STEP_MASK |
                         1ull << STEP_HOLLOW | 1ull << STEP_OVERLAY;

    return all >> kind & 1;
}

/* The deepest step that the path lies in; of those of one name the last, which
 * covers the others.  STEP_NONE: the root alone. */
static struct step deepest(const struct plan_view *plan, const char *path)
{
    struct step best = { .kind = STEP_NONE, .path = "/" };

    for (size_t i = 0; i < plan->head.nsteps; i++) {
        const struct step s = plan_step(plan, i);

        if (is_shown(s.kind) && path_is_within(path, s.path) &&
            strlen(s.path) >= strlen(best.path))
            best = s;
    }
    return best;
}

/* A denied name that does not exist yet. */
static bool is_absent(const struct plan_view *plan, const char *path,
                      struct step *out)
{
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        const struct step s = plan_step(plan, i);
        const size_t n = s.kind == STEP_ABSENT ? strlen(s.path) : 0;

        if (s.kind != STEP_ABSENT || !path_is_within(path, s.path))
            continue;
        if (path[n] == '/' && path_is_within(path + n + 1, s.text)) {
            *out = s;
            return true;
        }
    }
    return false;
}

/* Behind a prefix that the path lies in. */
static const char *below(const char *path, const char *dir)
{
    const size_t n = strcmp(dir, "/") == 0 ? 0 : strlen(dir);

    return path[n] ? path + n : "";
}

/* What is shown there, on the host: an overlay lies over the directory of its
 * own name. */
static const char *source_of(struct arena *a, const struct step *s,
                             const char *path)
{
    return s->kind == STEP_OVERLAY
               ? path
               : arena_printf(a, "%s%s", s->text, below(path, s->path));
}

static bool is_of_host(const struct step *s)
{
    return s->kind == STEP_BIND || s->kind == STEP_OVERLAY;
}

/* The host's own name for it, where it lies in what is shown of the host. */
static int host_name(struct arena *a, const struct step *s, const char *path,
                     struct hostpath *at, const char **out, struct err *e)
{
    const char *from = source_of(a, s, path);

    if (!from)
        return no_memory(e);
    if (hostpath_look(a, from, at, e) < 0)
        return -1;
    /* A link to what is not there: that is what would be made. */
    if (at->dangling) {
        *out = at->dangling;
        return 0;
    }
    *out = at->rest ? arena_printf(a, "%s/%s",
                                   strcmp(at->real, "/") == 0 ? "" : at->real,
                                   at->rest)
                    : at->real;
    return *out ? 0 : no_memory(e);
}

struct found {
    struct step step;
    const char *path;   /* in the view, without symlinks */
    struct hostpath at; /* of what is the host's */
    bool is_unsure;     /* a link that means another place inside */
};

static const char *through_link(struct arena *a, const struct step *s,
                                const char *path)
{
    const char *slash = strrchr(s->path, '/');

    if (s->text[0] == '/')
        return arena_printf(a, "%s%s", s->text, below(path, s->path));
    return arena_printf(a, "%.*s/%s%s", (int)(slash - s->path), s->path,
                        s->text, below(path, s->path));
}

static int find(struct arena *a, const struct plan_view *plan, const char *path,
                struct found *out, struct err *e)
{
    for (int links = 0; links < MOST_LINKS; links++) {
        const char *next = NULL;

        out->step = deepest(plan, path);
        out->path = path;
        if (out->step.kind == STEP_SYMLINK) {
            next = through_link(a, &out->step, path);
        } else if (is_of_host(&out->step)) {
            const char *source = source_of(a, &out->step, path);

            if (!source)
                return no_memory(e);
            if (host_name(a, &out->step, path, &out->at, &next, e) < 0)
                return -1;
            if (strcmp(next, source) == 0)
                return 0;
            /* Shown by another name than the host's: its links mean other
             * places inside. */
            if (strcmp(source, path) != 0) {
                out->is_unsure = true;
                return 0;
            }
        } else {
            return 0;
        }
        path = next ? path_clean(a, next) : NULL;
        if (!path)
            return no_memory(e);
    }
    return err_set(e, ERR_MALFORMED_REQUEST,
                   "too many symbolic links on the way");
}

/* --- what that comes to ----------------------------------------------------
 */

struct asking {
    struct arena *a;
    const struct plan_view *plan;
    const struct places *places;
    const char *home;
    bool is_session;
    const struct why_question *q;
    struct found f;
    struct why_answer *w;
};

/* What the step was made of; NULL: that is not known, or nobody's clause. */
static const struct place *place_of(const struct asking *x)
{
    const struct places *p = x->places;
    const struct place *found = NULL;

    for (size_t i = 0; p && i < p->n; i++) {
        const struct place *at = &p->item[i];

        if (at->kind == PLACE_ABSENT || at->kind == PLACE_WATCH ||
            at->kind == PLACE_PIN || strcmp(at->target, x->f.step.path) != 0)
            continue;
        found = at;
    }
    return found;
}

static const char *origin_of(const struct asking *x)
{
    const struct place *p = place_of(x);

    return p && p->origin ? p->origin
           : x->places    ? "base"
                          : "the session's policy";
}

static const struct place *absent_of(const struct asking *x)
{
    const struct places *p = x->places;

    for (size_t i = 0; p && i < p->n; i++) {
        const struct place *at = &p->item[i];

        if (at->kind == PLACE_ABSENT &&
            strcmp(at->target, x->f.step.path) == 0 &&
            strcmp(at->rest, x->f.step.text) == 0)
            return at;
    }
    return NULL;
}

static void refuse(struct asking *x, int error, const char *mechanism,
                   const char *reason)
{
    x->w->decision = WHY_REFUSED;
    x->w->error = error;
    x->w->mechanism = mechanism;
    x->w->reason = reason;
}

static void allow(struct asking *x, const char *mechanism, const char *reason)
{
    x->w->decision = WHY_ALLOWED;
    x->w->mechanism = mechanism;
    x->w->reason = reason;
}

static bool caller_may(const char *path, int mode);

/* As it would be typed into a shell. */
static const char *quoted(struct arena *a, const char *path)
{
    struct buf b = { .max = 64 * 1024 };
    const char *text;

    buf_word(&b, path);
    text = b.failed ? NULL : arena_printf(a, "%s", b.data);
    buf_drop(&b);
    return text;
}

/* "/" or what stands before the last name. */
static const char *directory_of(struct arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *dir = slash == path
                          ? "/"
                          : arena_printf(a, "%.*s", (int)(slash - path), path);

    return dir ? dir : "/";
}

/* Whose name may be a link. */
static bool is_home(const struct asking *x, const char *dir)
{
    struct hostpath home;
    struct err ignored;

    return secret_is_home(dir, x->home) ||
           (x->home && x->home[0] == '/' &&
            hostpath_look(x->a, x->home, &home, &ignored) == 0 && home.exists &&
            secret_is_home(dir, home.real));
}

/* Of two grants of one path the one for reading would win. */
static const char *grant(struct asking *x, const char *option, const char *what)
{
    const struct place *p = place_of(x);
    const bool is_it = x->f.step.kind == STEP_BIND &&
                       strcmp(x->f.step.path, what) == 0 && p && !p->base;

    what = quoted(x->a, is_it && p->named ? p->named : what);
    return what ? arena_printf(x->a, "%s %s%s", option, what,
                               is_it ? " instead of --ro" : "")
                : NULL;
}

/* What is not there cannot be granted, but the directory that it would be in,
 * and that alone makes no other; and neither the root nor, to be written to, a
 * home is anything to suggest. */
static void suggest_grant(struct asking *x)
{
    const bool writes = x->q->kind == WHY_WRITE;
    struct hostpath at;
    struct err ignored;
    const char *what;

    if (hostpath_look(x->a, x->f.path, &at, &ignored) < 0 ||
        (!at.exists && (!writes || !at.rest || strchr(at.rest, '/'))))
        return;
    what = at.exists ? x->f.path : directory_of(x->a, x->f.path);
    if (strcmp(what, "/") == 0 || (writes && is_home(x, at.real)) ||
        !caller_may(what, writes ? W_OK : R_OK))
        return;
    x->w->is_secret =
        secret_is_in(what, x->home) || secret_is_in(at.real, x->home);
    x->w->remedy = grant(x, writes ? "--rw" : "--ro", what);
}

/* By the name that stands there: it may be another's, a link. */
static void suggest_less(struct asking *x, const struct place *p)
{
    /* Out of what, is not known, or nothing. */
    if (!x->places || x->f.step.flags & STEP_OURS)
        return;
    x->w->is_secret = secret_is_in(x->w->where, x->home);
    x->w->remedy =
        arena_printf(x->a, "take '%s' out of %s",
                     p && p->named ? p->named : x->w->where, x->w->clause);
}

/* What nobody granted. */
static void of_nothing(struct asking *x)
{
    x->w->clause = "default";
    x->w->where = x->f.path;
    refuse(x, ENOENT, "the private root does not have it",
           "nothing in the policy grants it, so for the sandbox it does not "
           "exist");
    suggest_grant(x);
}

/* A directory of the sandbox's own: made for itself, or above what is shown. */
static bool is_private_dir(const struct plan_view *plan, const char *path)
{
    if (strcmp(deepest(plan, path).path, path) == 0)
        return true;
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        const struct step s = plan_step(plan, i);

        if (is_shown(s.kind) && path_is_within(s.path, path))
            return true;
    }
    return false;
}

static void of_private(struct asking *x)
{
    const char *dir = directory_of(x->a, x->f.path);

    x->w->clause = "base";
    x->w->where = x->f.step.path;
    if (x->q->kind != WHY_EXEC && is_private_dir(x->plan, x->f.path)) {
        allow(x, "a private directory",
              "it is the sandbox's own, begins empty and is gone afterwards");
    } else if (x->is_session && x->f.step.kind == STEP_DIR) {
        x->w->decision = WHY_OPEN;
        x->w->mechanism = "a private directory";
        x->w->reason = "it is there if a command of the session has made it";
    } else if (x->q->kind == WHY_WRITE && is_private_dir(x->plan, dir)) {
        allow(x, "a private directory",
              "a file made there is the sandbox's own and is gone afterwards");
        x->w->is_new = true;
        x->w->where = dir;
    } else {
        of_nothing(x);
    }
}

static void of_kernel(struct asking *x)
{
    x->w->clause = "base";
    x->w->where = x->f.step.path;
    x->w->decision = WHY_OPEN;
    x->w->mechanism = "the sandbox's own /proc, /dev and terminals";
    x->w->reason = "no clause of a policy is about it: the kernel decides";
}

static void of_own_file(struct asking *x)
{
    x->w->clause = "base";
    x->w->where = x->f.step.path;
    x->w->decision = x->q->kind == WHY_READ ? WHY_ALLOWED : WHY_OPEN;
    x->w->mechanism = "a file that was written for the sandbox";
    x->w->reason = "it is the sandbox's own, and not the host's";
}

static const char own_place[] =
    "mxc keeps its own files there, and no sandbox sees them";

static void of_mask(struct asking *x)
{
    x->w->where = x->f.step.path;
    x->w->clause = origin_of(x);
    refuse(x, EACCES, "an unreadable object is mounted over it",
           x->f.step.flags & STEP_OURS ? own_place : "the policy denies it");
    suggest_less(x, place_of(x));
}

static void of_absent(struct asking *x)
{
    const struct place *p = absent_of(x);

    x->w->where = x->f.path;
    x->w->clause = p ? p->origin : "the session's policy";
    x->w->is_new = true;
    refuse(x, x->q->kind == WHY_WRITE ? EACCES : ENOENT,
           "a broker on the calls that make names",
           x->f.step.flags & STEP_OURS
               ? own_place
               : "the policy denies it, and it does not exist yet");
    suggest_less(x, p);
}

/* A sandbox has no more rights than who made it, and no capability: of root
 * only that it owns what it owns. */
static bool caller_may(const char *path, int mode)
{
    struct stat st;
    unsigned bits;

    if (!path || faccessat(AT_FDCWD, path, mode, AT_EACCESS) < 0)
        return false;
    if (geteuid() != 0)
        return true;
    if (stat(path, &st) < 0)
        return false;
    bits = st.st_uid == 0   ? st.st_mode >> 6
           : st.st_gid == 0 ? st.st_mode >> 3
                            : st.st_mode;
    return ((unsigned)mode & ~bits & 7) == 0;
}

static bool is_directory(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static const char own_rights[] = "the permissions of the file system";

static void write_grant(struct asking *x, const char *source)
{
    const bool is_new = x->w->is_new = !x->f.at.exists;
    const bool may =
        caller_may(is_new ? directory_of(x->a, source) : source, W_OK);

    if (is_new && !is_directory(directory_of(x->a, source))) {
        refuse(x, ENOENT, "there is nothing",
               "the directory that it would be in does not exist");
    } else if (x->f.step.flags & STEP_READONLY && may) {
        refuse(x, EROFS, "a read-only mount",
               "the policy grants reading alone");
        suggest_grant(x);
    } else if (x->f.step.flags & STEP_READONLY) {
        refuse(x, EACCES,
               "a read-only mount, and the file system's permissions",
               "the policy grants reading alone, and you may not write there "
               "yourself");
    } else if (!may) {
        refuse(x, EACCES, own_rights,
               is_new ? "you may not write to its directory yourself"
                      : "you may not write to it yourself");
    } else {
        allow(x, "a writable mount", "the policy grants it");
    }
}

static void read_grant(struct asking *x, const char *source)
{
    const bool runs = x->q->kind == WHY_EXEC;

    if (!x->f.at.exists)
        refuse(x, ENOENT, "there is nothing",
               "the policy grants the place, and nothing of that name is "
               "there");
    else if (runs && x->f.step.flags & STEP_NOEXEC)
        refuse(x, EACCES, "a mount without execution (noexec)",
               "nothing is executed from there");
    else if (runs && x->f.at.is_dir)
        refuse(x, EACCES, "it is a directory", "a directory is no program");
    else if (!caller_may(source, runs ? X_OK : R_OK))
        refuse(x, EACCES, own_rights,
               runs ? "it is not executable for you either"
                    : "you may not read it yourself");
    else
        allow(x,
              x->f.step.flags & STEP_READONLY ? "a read-only mount"
                                              : "a writable mount",
              "the policy grants it");
}

static void of_grant(struct asking *x)
{
    const char *source = source_of(x->a, &x->f.step, x->f.path);
    const bool is_layer = x->f.step.kind == STEP_OVERLAY;

    x->w->where = x->f.step.path;
    x->w->clause = origin_of(x);
    if (x->f.is_unsure ||
        (is_layer && (x->q->kind == WHY_WRITE || !x->f.at.exists))) {
        x->w->decision = WHY_OPEN;
        x->w->mechanism =
            is_layer ? "a layer over the host's files" : "a mount";
        x->w->reason = is_layer ? "what commands have written there counts"
                                : "a link leads to another place inside";
    } else if (x->q->kind == WHY_WRITE)
        write_grant(x, source ? source : "/");
    else
        read_grant(x, source);
}

static const struct {
    enum step_kind kind;
    void (*decide)(struct asking *x);
} deciders[] = {
    { STEP_MASK, of_mask },     { STEP_HOLLOW, of_mask },
    { STEP_BIND, of_grant },    { STEP_OVERLAY, of_grant },
    { STEP_PROC, of_kernel },   { STEP_DEVICE, of_kernel },
    { STEP_DEVPTS, of_kernel }, { STEP_FILE, of_own_file },
    { STEP_DIR, of_private },   { STEP_NONE, of_private },
};

static int decide_path(struct asking *x, struct err *e)
{
    if (find(x->a, x->plan, x->q->operand, &x->f, e) < 0)
        return -1;
    if (is_absent(x->plan, x->f.path, &x->f.step)) {
        of_absent(x);
        return 0;
    }
    x->w->where = x->f.path;
    for (size_t i = 0; i < ARRAY_LEN(deciders); i++)
        if (deciders[i].kind == x->f.step.kind)
            deciders[i].decide(x);
    /* The plan need not stay. */
    x->w->where = arena_strdup(x->a, x->w->where);
    return x->w->where ? 0 : no_memory(e);
}

int why_decide(struct arena *a, const struct why_policy *p,
               const struct why_question *q, struct why_answer *out,
               struct err *e)
{
    struct asking x = { .a = a,
                        .plan = p->plan,
                        .places = p->places,
                        .home = p->home,
                        .is_session = p->is_session,
                        .q = q,
                        .w = out };

    *out = (struct why_answer){ .decision = WHY_REFUSED };
    return q->kind == WHY_CONNECT
               ? why_decide_connect(a, p->plan, q->operand, out, e)
               : decide_path(&x, e);
}

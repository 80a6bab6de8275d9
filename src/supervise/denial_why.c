/* denial_why.c - a refusal's cause, its remedy, and both in words. */
#include "supervise/denial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/scoped.h"
#include "base/secret.h"
#include "base/utf8.h"
#include "supervise/place.h"
#include "sys/watched.h"

/* What the host has of the name that a grant would have. */
struct host_look {
    enum host_seen seen;
    bool met_link;           /* the name is one, or something on its way */
    struct host_found found; /* of HOST_THERE */
};

/* A name that is made or taken away. */
static bool names(uint32_t op)
{
    return op == WATCH_CREATE || op == WATCH_DELETE || op == WATCH_NODE;
}

static bool changes(uint32_t op)
{
    return op == WATCH_WRITE || names(op);
}

static bool is_in(const char *path, const char *dir)
{
    const size_t n = strlen(dir);

    return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static bool is_denied(const struct plan_place *p)
{
    return p->kind == STEP_MASK || p->kind == STEP_HOLLOW ||
           p->kind == STEP_ABSENT;
}

/* The smallest grant: of the name itself, or for a name that is to be made or
 * taken away of the directory that it is in. */
static void grant_of(const struct denial *d, char out[DENIALS_TEXT])
{
    char *slash;

    (void)snprintf(out, DENIALS_TEXT, "%s", d->path);
    slash = strrchr(out, '/');
    if (names(d->op) && slash)
        slash[slash == out] = '\0';
}

static enum denial_is explain(struct denial *d, const char *reason,
                              const char *mechanism, const char *rule,
                              const char *why)
{
    d->reason = reason;
    d->mechanism = mechanism;
    d->rule = rule;
    (void)snprintf(d->why, sizeof(d->why), "%s", why);
    return DENIAL_FOUND;
}

/* A person pastes a hint into a shell, and a program a clause into a policy:
 * of a path that was cut, or that cannot be shown as it is, there is none. */
static bool is_tellable(const char *path)
{
    return strlen(path) + 1 < DENIALS_TEXT && utf8_is_plain(path);
}

/* A text in which %s stands for a path, each as the text needs it. */
static bool fill(char out[DENIALS_TEXT], const char *text, const char *path,
                 void (*put)(struct buf *, const char *))
{
    struct buf b = { .max = DENIALS_TEXT - 1 };
    bool is_whole;

    for (; *text; text++) {
        if (text[0] == '%' && text[1] == 's') {
            put(&b, path);
            text++;
        } else {
            buf_putc(&b, *text);
        }
    }
    is_whole = b.len > 0 && !b.failed;
    if (is_whole) {
        memcpy(out, b.data, b.len);
        out[b.len] = '\0';
    }
    buf_drop(&b);
    return is_whole;
}

/* `real` is what the name leads to on the host. */
static enum denial_is allow(struct denial *d, const char *path,
                            const char *real, const char *clause,
                            const char *hint)
{
    d->is_secret = secret_is_in(path, d->home) || secret_is_in(real, d->home);
    d->is_allowable = is_tellable(path) &&
                      fill(d->clause, clause, path, buf_json) &&
                      fill(d->hint, hint, path, buf_word);
    return DENIAL_FOUND;
}

/* To grant a whole home, or more, for one file of it is no remedy.  `real` has
 * no links, and the home's name may. */
static bool is_wide(struct denials *all, const char *real)
{
    struct host_found home;

    return secret_is_home(real, all->home) ||
           (all->home &&
            host_see(&all->looks, all->home, &home) == HOST_THERE &&
            secret_is_home(real, home.name));
}

/* A file that is there, and was opened to be made if it were not. */
static bool is_file_there(struct denials *all, const struct denial *d)
{
    struct host_found file;

    return d->op == WATCH_CREATE &&
           (strncmp(d->call, "open", 4) == 0 ||
            strcmp(d->call, "creat") == 0) &&
           host_see(&all->looks, d->path, &file) == HOST_THERE &&
           strcmp(file.name, d->path) == 0 && !file.is_dir && file.is_writable;
}

static enum denial_is allow_no_more(struct denials *all, struct denial *d)
{
    const size_t n = strlen(d->why);

    if (is_file_there(all, d))
        return allow(d, d->path, d->path, "filesystem.readwritePaths += %s",
                     "--rw %s");
    (void)snprintf(d->why + n, sizeof(d->why) - n,
                   "; only a grant of a whole home would allow it");
    return DENIAL_FOUND;
}

static enum denial_is allow_by_grant(struct denials *all, struct denial *d,
                                     const char *path, const char *real)
{
    if (!changes(d->op))
        return allow(d, path, real, "filesystem.readonlyPaths += %s",
                     "--ro %s");
    if (is_wide(all, real))
        return allow_no_more(all, d);
    return allow(d, path, real, "filesystem.readwritePaths += %s", "--rw %s");
}

static enum denial_is allow_instead(struct denials *all, struct denial *d,
                                    const char *path, const char *real)
{
    if (is_wide(all, real))
        return allow_no_more(all, d);
    return allow(d, path, real,
                 "filesystem.readonlyPaths -= %s, "
                 "filesystem.readwritePaths += %s",
                 "--rw %s instead of --ro");
}

/* Besides what allows it already. */
static bool add(char text[DENIALS_TEXT], const char *more, const char *path,
                void (*put)(struct buf *, const char *))
{
    char added[DENIALS_TEXT];
    const size_t n = strlen(text);

    if (!fill(added, more, path, put) || n + strlen(added) >= DENIALS_TEXT)
        return false;
    memcpy(text + n, added, strlen(added) + 1);
    return true;
}

/* The directory, and no longer what is in it by itself. */
static enum denial_is allow_above(struct denial *d, const char *dir,
                                  const char *itself, bool is_read)
{
    d->is_secret = secret_is_in(dir, d->home);
    d->is_allowable =
        is_tellable(itself) && is_tellable(dir) &&
        fill(d->clause,
             is_read ? "filesystem.readonlyPaths -= %s"
                     : "filesystem.readwritePaths -= %s",
             itself, buf_json) &&
        add(d->clause, ", filesystem.readwritePaths += %s", dir, buf_json) &&
        fill(d->hint, "--rw %s", dir, buf_word) &&
        add(d->hint, is_read ? " instead of --ro %s" : " instead of --rw %s",
            itself, buf_word);
    return DENIAL_FOUND;
}

/* It is no refusal; unless nobody looked. */
static enum denial_is not_found(enum host_seen seen)
{
    return seen == HOST_UNASKED ? DENIAL_UNKNOWN : DENIAL_NONE;
}

/* The home inside is a private one; what the program looks for is in the
 * caller's. */
static enum denial_is explain_home(struct denials *all, struct denial *d,
                                   const char *path)
{
    static const char inside[] = "/home/user/";
    const size_t n = sizeof(inside) - 1;
    struct host_found found;
    enum host_seen seen;
    char host[DENIALS_TEXT];
    int len;

    if (!all->home || strncmp(path, inside, n) != 0)
        return DENIAL_NONE;
    len = snprintf(host, sizeof(host), "%s/%s", all->home, path + n);
    if (len < 0 || (size_t)len >= sizeof(host))
        return DENIAL_NONE;
    seen = host_see(&all->looks, host, &found);
    if (seen != HOST_THERE)
        return not_found(seen);
    explain(d, "private_home", "mount namespace", NULL,
            "the home inside is private and empty, yours is not granted");
    allow_by_grant(all, d, found.name, found.name);
    (void)snprintf(host, sizeof(host), "HOME=%s", all->home);
    d->is_allowable = d->is_allowable && is_tellable(host) &&
                      add(d->clause, ", process.env += %s", host, buf_json) &&
                      add(d->hint, " --env %s", host, buf_word);
    return DENIAL_FOUND;
}

static const char own_place[] =
    "mxc keeps its own files there, and no sandbox sees them";

static enum denial_is explain_denied(struct denial *d,
                                     const struct plan_place *p,
                                     const struct host_look *host)
{
    char denied[DENIALS_TEXT];

    if (p->flags & STEP_OURS)
        return explain(d, "never", "mount", NULL, own_place);
    explain(d, "denied", "mount", "filesystem.deniedPaths",
            "the policy denies it");
    if (strncmp(d->path, "/proc/", 6) == 0 || strncmp(d->path, "/sys/", 5) == 0)
        return explain(d, "never", "mount", NULL,
                       "it tells of the host, and no policy shows it");
    (void)snprintf(denied, sizeof(denied), "%.*s", (int)p->len, d->path);
    return allow(d, p->named ? p->named : denied,
                 host->seen == HOST_THERE ? host->found.name : denied,
                 "filesystem.deniedPaths -= %s", "leave out --deny %s");
}

/* A mode, an owner and times are the owner's to set, whether or not he may
 * write; but only what one may write to can be granted so. */
static bool may_change(const struct denial *d, const struct host_found *f)
{
    static const char *const calls[] = { "chmod", "chown", "utime" };

    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        if (strstr(d->call, calls[i]))
            return f->is_own && f->may_write;
    return f->is_writable;
}

/* What the caller may not do a grant does not give: it would be suggested in
 * vain.  Who only looks needs no leave, but mostly wants more. */
static bool is_of_use(const struct denial *d, const struct host_found *f)
{
    if (changes(d->op))
        return may_change(d, f);
    if (d->op == WATCH_EXEC)
        return f->may_read && f->is_searched;
    return f->may_read && (f->is_readable || (f->is_dir && f->is_searched));
}

static enum denial_is explain_useless(struct denial *d)
{
    return explain(d, "host", "permissions of the host", NULL,
                   changes(d->op)
                       ? "the policy does not grant it, and your user may not "
                         "write there"
                   : d->op == WATCH_EXEC
                       ? "the policy does not grant it, and your user may not "
                         "execute it"
                       : "the policy does not grant it, and your user may not "
                         "read it");
}

static enum denial_is explain_missing(struct denials *all, struct denial *d,
                                      const struct plan_place *p,
                                      const struct host_look *host)
{
    enum denial_is in_home;
    char grant[DENIALS_TEXT];

    if (is_denied(p))
        return d->is_link || host->seen == HOST_THERE
                   ? explain_denied(d, p, host)
                   : not_found(host->seen);
    /* What is granted is the host's own, as it is; but for a link of it that
     * leads elsewhere, as one of the workload's that leads on by /proc. */
    if (p->kind == STEP_BIND)
        return host->seen == HOST_UNKNOWN && host->met_link
                   ? DENIAL_UNKNOWN
                   : not_found(host->seen);
    grant_of(d, grant);
    in_home = explain_home(all, d, grant);
    if (in_home != DENIAL_NONE)
        return in_home;
    if (host->seen != HOST_THERE || strcmp(grant, "/") == 0)
        return not_found(host->seen);
    if (is_in(grant, "/dev") || is_in(grant, "/proc"))
        return explain(d, "never", "mount namespace", NULL,
                       "the sandbox has a /dev and a /proc of its own, and no "
                       "policy shows it the host's");
    if (!is_of_use(d, &host->found))
        return explain_useless(d);
    explain(d, "not_granted", "mount namespace", NULL,
            "the policy does not grant it, so it is not there");
    return allow_by_grant(all, d, grant, host->found.name);
}

static enum denial_is explain_read_only(struct denials *all, struct denial *d,
                                        const struct plan_place *p,
                                        const struct host_look *host)
{
    char grant[DENIALS_TEXT];

    grant_of(d, grant);
    /* What its user may not do anyway, no grant lets it do. */
    if (host->seen == HOST_THERE && !may_change(d, &host->found))
        return explain(d, "host", "permissions of the host", NULL,
                       "your user may not write there");
    if (strcmp(grant, "/") == 0)
        return explain(d, "never", "mount", NULL,
                       "the root of the sandbox stays as it is");
    /* Whose it is, and what a grant of that name would give, is not known: the
     * workload may have made it a link. */
    if (host->seen != HOST_THERE)
        return explain(d, "read_only", "mount", NULL,
                       "it is there for reading only");
    if (p->kind == STEP_BIND && !p->is_granted)
        return explain(d, "read_only", "mount", NULL,
                       "it is part of the base system, which stays as it is");
    explain(d, "read_only", "mount",
            p->is_granted ? "filesystem.readonlyPaths" : NULL,
            p->is_granted ? "the policy grants it for reading"
                          : "the policy does not grant it");
    /* Of two grants of one path the one for reading would win. */
    if (p->is_granted && strlen(grant) == p->len)
        return allow_instead(all, d, p->named ? p->named : grant,
                             host->found.name);
    return allow_by_grant(all, d, grant, host->found.name);
}

/* What is mounted has a name that stays: a grant of its own, or what leads to
 * something that a clause names. */
static enum denial_is explain_mounted(struct denials *all, struct denial *d,
                                      const struct host_look *host)
{
    const struct plan_place p = place_find(all->plan, d->path);
    char dir[DENIALS_TEXT];

    if (p.flags & STEP_OURS)
        return explain(d, "never", "mount", NULL, own_place);
    if (p.kind != STEP_BIND || strlen(d->path) != p.len)
        return explain(d, "mounted", "mount", NULL,
                       "a clause of the policy names it, or something in it, "
                       "so it stays where it is");
    if (!p.is_granted)
        return explain(d, "mounted", "mount", NULL,
                       "it is part of the base system, which stays as it is");
    grant_of(d, dir);
    explain(d, "mounted", "mount", NULL,
            p.flags & STEP_READONLY
                ? "it is granted by itself, and for reading"
                : "it is granted by itself, and so it is a mount: it can be "
                  "written to, but not replaced, renamed or removed");
    if (p.flags & STEP_IS_DIR || host->seen != HOST_THERE ||
        !host->found.is_writable || is_wide(all, host->found.name))
        return DENIAL_FOUND;
    return allow_above(d, dir, p.named ? p.named : d->path,
                       p.flags & STEP_READONLY);
}

static enum denial_is explain_refused(struct denials *all, struct denial *d,
                                      const struct plan_place *p,
                                      const struct host_look *host)
{
    if (d->op == WATCH_NODE)
        return explain(d, "never", "Landlock", NULL,
                       "no policy lets a workload make a device");
    if (d->op == WATCH_OWNER)
        return explain(d, "never", "user namespace", NULL,
                       "the sandbox has one user and one group, and no policy "
                       "gives it others");
    if (is_denied(p))
        return explain_denied(d, p, host);
    if (p->kind == STEP_BIND && d->op == WATCH_EXEC && p->flags & STEP_NOEXEC)
        return explain(d, "no_exec", "mount", NULL,
                       "nothing is executed from there");
    if (changes(d->op) && d->sys == EROFS)
        return explain_read_only(all, d, p, host);
    return explain(d, "host", "permissions of the host", NULL,
                   "the permissions of the file, and not the policy, say no");
}

/* A socket of the host has somebody behind it who is not in the sandbox. */
static enum denial_is explain_socket(struct denial *d,
                                     const struct plan_place *p,
                                     const struct host_look *host)
{
    if (d->sys == ENOENT && host->seen != HOST_THERE)
        return not_found(host->seen);
    if (d->sys != ENOENT && p->kind != STEP_BIND && p->kind != STEP_MASK &&
        p->kind != STEP_HOLLOW)
        return explain(d, "host", "permissions of the host", NULL,
                       "the permissions of the socket, and not the policy, say "
                       "no");
    return explain(d, "never", d->sys == ENOENT ? "mount namespace" : "broker",
                   NULL,
                   "it is a socket of the host, to which no policy lets a "
                   "workload connect; a service on a TCP port can be given "
                   "with --host-service");
}

/* A grant may show by its own name, a link, what the host has by another: does
 * `path` stand for `real` without a link below that? */
static bool is_itself(const struct plan_place *in, const char *path,
                      const char *real)
{
    const char *source = in->kind == STEP_BIND ? in->source : "";
    const size_t n = strlen(source);

    if (!n)
        return strcmp(path, real) == 0;
    return strncmp(real, source, n) == 0 &&
           strcmp(real + n, path + in->len) == 0;
}

/* The name inside of what was reached by a link below such a grant: the host's
 * own, but where only the grant shows it. */
static __attribute__((noinline)) void name_inside(const struct denials *all,
                                                  const struct denial *d,
                                                  const struct plan_place *in,
                                                  char real[PATH_MAX])
{
    char name[2 * PATH_MAX];

    if (d->sys == ENOENT || in->kind != STEP_BIND || !is_in(real, in->source) ||
        place_find(all->plan, real).kind != STEP_NONE)
        return;
    (void)snprintf(name, sizeof(name), "%.*s%s", (int)in->len, in->at,
                   real + strlen(in->source));
    if (strlen(name) < PATH_MAX)
        memcpy(real, name, strlen(name) + 1);
}

/* The workload may have made a link in what it was given: what it leads to on
 * the host is what a grant of its name would give, and what is judged.  Where
 * that cannot be seen, nothing would be known of it. */
static __attribute__((noinline)) void resolve(struct denials *all,
                                              struct denial *d,
                                              struct plan_place *p,
                                              struct host_look *host)
{
    static const char cut[] = "...";
    char grant[DENIALS_TEXT], last[NAME_MAX + 2] = "", to[PATH_MAX];
    const char *slash = strrchr(d->path, '/');
    struct plan_place in;
    int n;

    host->seen = HOST_UNKNOWN;
    host->met_link = false;
    /* Of one that was cut the name is another's. */
    if (!slash || strlen(d->path) == sizeof(d->path) - 1)
        return;
    grant_of(d, grant);
    host->seen = host_see(&all->looks, grant, &host->found);
    host->met_link = all->looks.met_link;
    in = place_find(all->plan, grant);
    if (host->seen != HOST_THERE || is_denied(p) ||
        is_itself(&in, grant, host->found.name))
        return;
    if (strcmp(grant, d->path) != 0)
        (void)snprintf(last, sizeof(last), "%s", slash);
    memcpy(to, host->found.name, strlen(host->found.name) + 1);
    name_inside(all, d, &in, to);
    *p = place_find(all->plan, to);
    n = snprintf(d->path, sizeof(d->path), "%s%s",
                 last[0] && strcmp(to, "/") == 0 ? "" : to, last);
    d->is_link = n > 0;
    /* It has no hint. */
    if (n >= (int)sizeof(d->path))
        memcpy(d->path + sizeof(d->path) - sizeof(cut), cut, sizeof(cut));
}

enum denial_is denial_explain(struct denials *all, struct denial *d)
{
    struct host_look host;
    struct plan_place p;

    if (d->op == WATCH_CALL)
        return explain(d, "filter", "seccomp", NULL, d->named);
    if (!d->path[0])
        return DENIAL_NONE;
    p = place_find(all->plan, d->path);
    resolve(all, d, &p, &host);
    if (d->op == WATCH_CONNECT)
        return explain_socket(d, &p, &host);
    if (d->sys == EBUSY)
        return explain_mounted(all, d, &host);
    return d->sys == ENOENT ? explain_missing(all, d, &p, &host)
                            : explain_refused(all, d, &p, &host);
}

/* --- in words --------------------------------------------------------------
 */

static const char *verb_of(const struct denial *d)
{
    switch (d->op) {
    case WATCH_WRITE:
        return "writing to";
    case WATCH_OWNER:
        return "changing the owner of";
    case WATCH_CREATE:
        return d->sys == EBUSY ? "replacing" : "making";
    case WATCH_NODE:
        return "making the device";
    case WATCH_DELETE:
        return "removing";
    case WATCH_EXEC:
        return "executing";
    case WATCH_CONNECT:
        return "connecting to";
    default:
        return "reading";
    }
}

void denial_sentence(const struct denial *d, struct buf *out)
{
    if (d->op == WATCH_CALL) {
        buf_puts(out, "the system call ");
        buf_shown(out, d->call);
    } else {
        buf_printf(out, "%s ", verb_of(d));
        buf_shown(out, d->path);
    }
    if (d->process[0]) {
        buf_puts(out, " (");
        buf_shown(out, d->process);
        buf_putc(out, ')');
    }
    buf_puts(out, " was refused: ");
    buf_shown(out, d->why[0] ? d->why : "it is not for a workload");
    if (d->is_allowable && d->is_secret)
        buf_puts(out, "; careful: what would allow it shows what may be a "
                      "secret");
}

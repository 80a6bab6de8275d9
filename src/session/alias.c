/* alias.c - other names of what a command shall have less of.
 *
 * A Landlock rule is about an object.  Where the session grants the object, or
 * a part of it, by a second name (bind mounts of the host's), the rule for that
 * name gives back what the first was to lose. */
#include <string.h>

#include "session/narrow.h"
#include "sys/hostpath.h"

struct aliases {
    struct arena *a;
    const struct plan_view *session;
    const struct narrow_path *path;
    size_t n;
    const struct mountinfo *mounts;
};

/* What follows `top` in `path`; NULL: it does not lie there. */
static const char *rest_of(const char *path, const char *top)
{
    size_t n = strlen(top[1] ? top : "");

    return strncmp(path, top, n) == 0 && (path[n] == '/' || !path[n]) ? path + n
                                                                      : NULL;
}

static const char *join(struct arena *a, const char *top, const char *rest)
{
    return arena_printf(a, "%s%s", top[1] || !*rest ? top : "", rest);
}

static int no_memory(struct err *e)
{
    return err_set(e, ERR_BACKEND_ERROR, "out of memory");
}

static int other_name(const char *name, const char *other, struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION,
            "'%s' cannot be taken away alone: '%s' is another name of it, or "
            "of a part of it",
            name, other);
    return err_hint(e, "take '%s' away too", other);
}

/* Does the command have more of the host's object by one of its names inside
 * than it shall have of `name`? */
static int check_object(const struct aliases *l, const char *name,
                        const char *host, struct err *e)
{
    const enum narrow_access most = narrow_wanted(l->path, l->n, name);

    for (size_t i = 0; i < l->session->head.nsteps; i++) {
        const struct step s = plan_step(l->session, i);
        const char *source = narrow_source(&s);
        const char *rest = source ? rest_of(host, source) : NULL;
        const char *inside;

        if (!rest)
            continue;
        inside = join(l->a, s.path, rest);
        if (!inside)
            return no_memory(e);
        if (narrow_wanted(l->path, l->n, inside) > most &&
            narrow_session_access(l->session, inside) > most)
            return other_name(name, inside, e);
    }
    return 0;
}

static int check_names(const struct aliases *l, const char *name,
                       const char *host, struct err *e)
{
    const char **alias;
    size_t n;

    if (check_object(l, name, host, e) < 0 ||
        mountinfo_aliases(l->a, l->mounts, host, &alias, &n, e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (check_object(l, name, alias[i], e) < 0)
            return -1;
    return 0;
}

static int check_parts(const struct aliases *l, const char *name,
                       const char *host, struct err *e)
{
    struct hostpart *part;
    size_t n;

    if (mountinfo_parts(l->a, l->mounts, host, &part, &n, e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        const char *rest = rest_of(part[i].inside, host);
        const char *inside = rest ? join(l->a, name, rest) : name;

        if (!inside)
            return no_memory(e);
        if (check_object(l, inside, part[i].outside, e) < 0)
            return -1;
    }
    return 0;
}

static int check_path(const struct aliases *l, const char *name, struct err *e)
{
    const char *host;

    if (narrow_wanted(l->path, l->n, name) == NARROW_WRITE)
        return 0;
    host = narrow_host(l->a, l->session, name);
    if (!host)
        return 0;
    return check_names(l, name, host, e) < 0 ? -1
                                             : check_parts(l, name, host, e);
}

int narrow_check_aliases(struct arena *a, const struct plan_view *session,
                         const struct narrow_path *path, size_t n,
                         struct err *e)
{
    struct mountinfo *mounts;
    struct aliases l = { a, session, path, n, NULL };

    if (mountinfo_read(a, &mounts, e) < 0)
        return -1;
    l.mounts = mounts;
    for (size_t i = 0; i < n; i++)
        if (check_path(&l, path[i].path, e) < 0)
            return -1;
    /* What an option of a directory above speaks of. */
    for (size_t i = 0; i < session->head.nsteps; i++) {
        const struct step s = plan_step(session, i);

        if (narrow_source(&s) && check_path(&l, s.path, e) < 0)
            return -1;
    }
    return 0;
}

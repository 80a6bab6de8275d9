/* shape.c - fewer and wider entries, by rules that docs/learn.md tells. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/scoped.h"
#include "learn/learn.h"
#include "policy/fs.h"

/* --- the list --------------------------------------------------------------
 */

struct learn_entry *learn_find(const struct learnt *l, enum learn_kind kind,
                               const char *what, enum learn_proto proto,
                               uint16_t port)
{
    for (size_t i = 0; i < l->n; i++) {
        struct learn_entry *e = &l->entry[i];

        if (e->kind == kind && e->proto == proto && e->port == port &&
            strcmp(e->what, what) == 0)
            return e;
    }
    return NULL;
}

struct learn_entry *learn_add(struct learnt *l, const struct learn_entry *e)
{
    struct learn_entry *found =
        learn_find(l, e->kind, e->what, e->proto, e->port);

    if (found)
        return found;
    if (!l->entry)
        l->entry = arena_array(l->arena, LEARN_MOST, sizeof(*l->entry));
    if (!l->entry || l->n == LEARN_MOST) {
        l->more++;
        return NULL;
    }
    found = &l->entry[l->n];
    *found = *e;
    found->what = arena_strdup(l->arena, e->what);
    found->message = e->message ? arena_strdup(l->arena, e->message) : NULL;
    if (!found->what) {
        l->more++;
        return NULL;
    }
    l->n++;
    return found;
}

void learn_program(struct learn_entry *e, const char *name)
{
    if (!name || !name[0])
        return;
    for (size_t i = 0; i < e->nprograms; i++)
        if (strncmp(e->program[i], name, sizeof(e->program[i]) - 1) == 0)
            return;
    if (e->nprograms == LEARN_PROGRAMS)
        return;
    (void)snprintf(e->program[e->nprograms++], sizeof(e->program[0]), "%s",
                   name);
}

bool learn_is_granted(const struct learn_entry *e)
{
    return !e->left_out && !e->stands_in && e->kind != LEARN_OTHER;
}

/* --- names -----------------------------------------------------------------
 */

const char *learn_above(struct arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash || slash == path)
        return "/";
    return arena_strndup(a, path, (size_t)(slash - path));
}

/* Below a home: the cache itself, or its parts by one more name each; and
 * whether it is data alone. */
static const struct {
    const char *dir;
    bool has_parts, is_data;
} caches[] = {
    { ".cache/huggingface", true, true }, /* tokens lie beside */
    { ".cache", true, true },
    { ".npm/_cacache", false, true },
    { ".npm", false, false },
    { ".cargo/registry", false, true },
    { ".cargo/git", false, true },
    { ".rustup/toolchains", true, false },
    { "go/pkg/mod", false, true },
    { ".m2/repository", false, true },
    { ".gradle/caches", false, true },
    { ".gradle/wrapper", false, false },
    { ".ivy2/cache", false, true },
    { ".nuget/packages", false, true },
    { ".local/share/pnpm", false, false },
    { ".local/share/uv", false, false },
    { ".yarn/cache", false, true },
    { ".yarn/berry", false, false },
    { ".bun/install/cache", false, true },
    { ".composer/cache", false, true },
    { ".gem", false, false },
};

const char *learn_cache(struct arena *a, const char *path, enum learn_kind kind,
                        const struct learn_place *at)
{
    const size_t home = at->home ? strlen(at->home) : 0;
    const char *rest, *end;

    if (home < 2 || !path_is_within(path, at->home) || path[home] != '/')
        return NULL;
    rest = path + home + 1;
    for (size_t i = 0; i < ARRAY_LEN(caches); i++) {
        size_t n = strlen(caches[i].dir);

        if (!path_is_within(rest, caches[i].dir) ||
            (kind == LEARN_WRITE && !caches[i].is_data))
            continue;
        if (caches[i].has_parts) {
            if (rest[n] == '\0')
                return NULL; /* all caches of a home are too much */
            end = strchr(rest + n + 1, '/');
            n = end ? (size_t)(end - rest) : strlen(rest);
        }
        return arena_strndup(a, path, home + 1 + n);
    }
    return NULL;
}

/* Letters of both cases, or letters and digits, in no order that a person
 * would choose. */
static bool is_random(const char *text, size_t n)
{
    unsigned upper = 0, lower = 0, digit = 0, turns = 0;

    if (n < 6 || n > 16)
        return false;
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)text[i];

        if (!isalnum(c) && c != '_')
            return false;
        upper += isupper(c) != 0;
        lower += islower(c) != 0;
        digit += isdigit(c) != 0;
        if (i > 0)
            turns +=
                (isupper(c) && islower((unsigned char)text[i - 1])) ||
                (isdigit(c) != 0) != (isdigit((unsigned char)text[i - 1]) != 0);
    }
    return (turns > 1 && digit + (upper && lower) > 0) ||
           (turns > 0 && upper > 1 && lower > 1);
}

bool learn_is_temporary(const char *name)
{
    static const char *const heads[] = { ".tmp", "tmp", "temp", "sed",
                                         "cc",   ".#",  "pip-", "npm-" };
    const char *dot = strrchr(name, '.');
    const size_t len = strlen(name);
    size_t n;

    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        n = strlen(heads[i]);
        if (strncmp(name, heads[i], n) != 0)
            continue;
        n += strspn(name + n, "-_.");
        if (is_random(name + n, strcspn(name + n, ".")))
            return true;
    }
    /* mkstemp(3): NAME.XXXXXX */
    return dot && dot > name && len - (size_t)(dot + 1 - name) == 6 &&
           is_random(dot + 1, 6);
}

/* --- entries ---------------------------------------------------------------
 */

static bool is_path(const struct learn_entry *e)
{
    return (e->kind == LEARN_READ || e->kind == LEARN_WRITE) &&
           learn_is_granted(e);
}

static void add_counts(struct learn_entry *to, const struct learn_entry *from)
{
    to->count += from->count;
    for (size_t i = 0; i < from->nprograms; i++)
        learn_program(to, from->program[i]);
    if (from->last > to->last)
        to->last = from->last;
    if (from->round && from->round < to->round)
        to->round = from->round;
}

/* Let the directory stand for the entry; false: there is no room. */
static bool widen(struct learnt *l, size_t i, const char *dir)
{
    const struct learn_entry like = { .kind = l->entry[i].kind,
                                      .what = dir,
                                      .is_dir = true,
                                      .round = l->entry[i].round,
                                      .message = l->entry[i].message };
    struct learn_entry *wider = learn_add(l, &like);

    if (!wider || wider->left_out)
        return false;
    if (wider == &l->entry[i])
        return true;
    wider->stands_in = NULL;
    l->entry[i].stands_in = wider->what;
    add_counts(wider, &l->entry[i]);
    return true;
}

/* Is there another of such a name beside it, to be written as well? */
static bool has_turned(const struct learnt *l, size_t i)
{
    const struct learn_entry *e = &l->entry[i];
    const char *name = strrchr(e->what, '/') + 1;
    const size_t n = (size_t)(name - e->what);

    if (e->kind != LEARN_WRITE || !learn_is_temporary(name))
        return false;
    for (size_t k = 0; k < l->n; k++)
        if (k != i && is_path(&l->entry[k]) &&
            l->entry[k].kind == LEARN_WRITE &&
            strncmp(l->entry[k].what, e->what, n) == 0 &&
            !strchr(l->entry[k].what + n, '/') &&
            learn_is_temporary(l->entry[k].what + n))
            return true;
    return false;
}

static int shape_names(struct learnt *l, const struct learn_place *at,
                       learn_may *may, void *arg)
{
    for (size_t i = 0, n = l->n; i < n; i++) {
        const char *dir;

        if (!is_path(&l->entry[i]))
            continue;
        dir = learn_cache(l->arena, l->entry[i].what, l->entry[i].kind, at);
        if (!dir && has_turned(l, i))
            dir = learn_above(l->arena, l->entry[i].what);
        if (dir && strcmp(dir, l->entry[i].what) != 0 && !learn_wide(dir, at) &&
            may(arg, dir, l->entry[i].kind))
            (void)widen(l, i, dir);
    }
    return 0;
}

static size_t count_beside(const struct learnt *l, size_t i, const char *dir)
{
    const size_t n = strlen(dir);
    size_t found = 0;

    for (size_t k = 0; k < l->n; k++)
        if (is_path(&l->entry[k]) && l->entry[k].kind == l->entry[i].kind &&
            path_is_within(l->entry[k].what, dir) &&
            l->entry[k].what[n] == '/' &&
            !strchr(l->entry[k].what + n + 1, '/'))
            found++;
    return found;
}

static int shape_several(struct learnt *l, const struct learn_place *at,
                         learn_may *may, void *arg)
{
    for (size_t i = 0; i < l->n; i++) {
        const char *dir;

        if (!is_path(&l->entry[i]))
            continue;
        dir = learn_above(l->arena, l->entry[i].what);
        if (!dir)
            return -1;
        if (count_beside(l, i, dir) < LEARN_SEVERAL || learn_wide(dir, at) ||
            !may(arg, dir, l->entry[i].kind))
            continue;
        for (size_t k = 0, n = l->n; k < n; k++)
            if (is_path(&l->entry[k]) && l->entry[k].kind == l->entry[i].kind &&
                strcmp(l->entry[k].what, dir) != 0 &&
                path_is_within(l->entry[k].what, dir))
                (void)widen(l, k, dir);
    }
    return 0;
}

/* What is granted for writing is for reading too. */
static void drop_held(struct learnt *l)
{
    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; k < l->n && is_path(&l->entry[i]); k++) {
            struct learn_entry *in = &l->entry[i], *by = &l->entry[k];
            const bool is_same = strcmp(in->what, by->what) == 0;

            if (k == i || !is_path(by) || !path_is_within(in->what, by->what) ||
                by->kind < in->kind || (is_same && by->kind == in->kind))
                continue;
            in->stands_in = by->what;
            add_counts(by, in);
        }
}

/* Whoever may connect to a name may look it up. */
static void drop_lookups(struct learnt *l)
{
    for (size_t i = 0; i < l->n; i++) {
        struct learn_entry *in = &l->entry[i];

        if (in->kind != LEARN_HOST || in->port != LEARN_PORT_NONE ||
            !learn_is_granted(in))
            continue;
        for (size_t k = 0; k < l->n && !in->stands_in; k++) {
            struct learn_entry *by = &l->entry[k];

            if (k == i || by->kind != LEARN_HOST || !learn_is_granted(by) ||
                by->port == LEARN_PORT_NONE || strcmp(by->what, in->what) != 0)
                continue;
            in->stands_in = by->what;
            add_counts(by, in);
        }
    }
}

int learn_shape(struct learnt *l, const struct learn_place *at, learn_may *may,
                void *arg)
{
    if (shape_names(l, at, may, arg) < 0)
        return -1;
    drop_held(l);
    if (shape_several(l, at, may, arg) < 0)
        return -1;
    drop_held(l);
    drop_lookups(l);
    return 0;
}

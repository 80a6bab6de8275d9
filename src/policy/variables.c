/* variables.c - see variables.h. */
#include "policy/variables.h"

#include <string.h>

#include "base/scoped.h"
#include "policy/fs.h"

static const char *const names[] = { "workspace", "home" };

static const char *value_of(const struct variables *v, size_t i)
{
    return i == 0 ? v->workspace : v->home;
}

/* "${NAME}" at its beginning: which, and what stands behind it. */
static bool find(const char *text, size_t *which, const char **rest)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const size_t n = strlen(names[i]);

        if (strncmp(text, "${", 2) == 0 &&
            strncmp(text + 2, names[i], n) == 0 && text[n + 2] == '}') {
            *which = i;
            *rest = text + n + 3;
            return true;
        }
    }
    return false;
}

/* A policy is of a project: called in a directory that holds the caller's home
 * it would be of everything that he has. */
static bool is_wide(const struct variables *v)
{
    return v->workspace[0] != '/' || !v->workspace[1] ||
           (v->home && path_is_within(v->home, v->workspace));
}

static const char *unknown(const char *path, struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION, "'%s' has no variable that there is",
            path);
    err_hint(e, "a path may begin with ${workspace}, the directory of the "
                "call, or ${home}");
    return NULL;
}

const char *variables_expand(struct arena *a, const struct variables *v,
                             const char *path, struct err *e)
{
    const char *rest, *value, *out;
    size_t which;

    if (strncmp(path, "${", 2) != 0)
        return path;
    if (!find(path, &which, &rest) || (*rest && *rest != '/'))
        return unknown(path, e);
    value = value_of(v, which);
    if (which == 0 && is_wide(v)) {
        err_set(e, ERR_POLICY_VALIDATION,
                "'%s': the directory of the call, '%s', holds all of a home",
                path, value);
        err_hint(e, "call it in the directory of the project");
        return NULL;
    }
    if (!value || value[0] != '/') {
        err_set(e, ERR_POLICY_VALIDATION, "'%s': nothing is known of it here",
                path);
        err_hint(e, "set HOME to an absolute path, or write the path out");
        return NULL;
    }
    out = arena_printf(a, "%s%s", value, rest);
    if (!out)
        err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
    return out;
}

const char *variables_spell(struct arena *a, const struct variables *v,
                            const char *path)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = value_of(v, i);

        /* Below "/" is everything. */
        if (value && value[0] == '/' && value[1] &&
            path_is_within(path, value) && (i != 0 || !is_wide(v)))
            return arena_printf(a, "${%s}%s", names[i], path + strlen(value));
    }
    return path;
}

static int expand_list(struct arena *a, const struct variables *v,
                       struct strings *list, const char *where, struct err *e)
{
    const char **item = arena_array(a, list->n + 1, sizeof(*item));

    if (!item)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
    for (size_t i = 0; i < list->n; i++) {
        item[i] = variables_expand(a, v, list->item[i], e);
        if (!item[i])
            return err_where(e, "%s[%zu]", where, i);
    }
    list->item = item;
    return 0;
}

/* A value may be anything: one that begins with another name is as it is. */
static int expand_env(struct arena *a, const struct variables *v,
                      struct strings *env, struct err *e)
{
    const char **item = arena_array(a, env->n + 1, sizeof(*item));

    if (!item)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    for (size_t i = 0; i < env->n; i++) {
        const char *value = strchr(env->item[i], '='), *rest, *whole;
        size_t which;

        item[i] = env->item[i];
        if (!value || !find(value + 1, &which, &rest) ||
            (*rest && *rest != '/'))
            continue;
        whole = variables_expand(a, v, value + 1, e);
        if (!whole)
            return err_where(e, "process.env[%zu]", i);
        item[i] = arena_printf(a, "%.*s=%s", (int)(value - env->item[i]),
                               env->item[i], whole);
        if (!item[i])
            return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    }
    env->item = item;
    return 0;
}

int variables_apply(struct arena *a, const struct variables *v,
                    const struct request *r, struct request *out, struct err *e)
{
    *out = *r;
    if (r->contract != CONTRACT_1_1_0_C1)
        return 0;
    if (r->process.cwd) {
        out->process.cwd = variables_expand(a, v, r->process.cwd, e);
        if (!out->process.cwd)
            return err_where(e, "process.cwd");
    }
    if (expand_list(a, v, &out->filesystem.readwrite,
                    "filesystem.readwritePaths", e) < 0 ||
        expand_list(a, v, &out->filesystem.readonly, "filesystem.readonlyPaths",
                    e) < 0 ||
        expand_list(a, v, &out->filesystem.denied, "filesystem.deniedPaths",
                    e) < 0)
        return -1;
    return expand_env(a, v, &out->process.env, e);
}

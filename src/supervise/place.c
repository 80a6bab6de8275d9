/* place.c - see place.h. */
#include "supervise/place.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static bool is_within(const char *path, const char *dir, size_t len)
{
    if (len == 1 && dir[0] == '/')
        return true;
    return strncmp(path, dir, len) == 0 &&
           (path[len] == '/' || path[len] == '\0');
}

static void consider(struct plan_place *p, const char *path,
                     const struct step *s)
{
    char absent[2 * PATH_MAX];
    const char *at = s->path;
    size_t len;

    if (s->kind == STEP_ABSENT) {
        (void)snprintf(absent, sizeof(absent), "%s/%s", s->path, s->text);
        at = absent;
    }
    len = strlen(at);
    if (!is_within(path, at, len) || len < p->len)
        return;
    *p = (struct plan_place){ .at = s->path,
                              .is_granted = s->kind == STEP_BIND && s->num[1],
                              .len = len,
                              .flags = s->flags,
                              .kind = s->kind,
                              .source = s->kind == STEP_BIND ? s->text : NULL };
}

struct plan_place place_find(const struct plan_view *plan, const char *path)
{
    struct plan_place p = { .at = "/", .len = 0 };

    for (size_t i = 0; i < plan->head.nsteps; i++) {
        struct step s = plan_step(plan, i);

        if (s.kind == STEP_BIND || s.kind == STEP_MASK ||
            s.kind == STEP_HOLLOW || s.kind == STEP_ABSENT)
            consider(&p, path, &s);
    }
    for (size_t i = 0; i < plan->head.nsteps && p.len > 0; i++) {
        const struct step s = plan_step(plan, i);

        if (s.kind == STEP_NAMED && strlen(s.path) == p.len &&
            strncmp(s.path, path, p.len) == 0)
            p.named = s.text;
    }
    return p;
}

bool place_is_granted(const struct plan_view *plan, const char *path)
{
    const struct plan_place p = place_find(plan, path);
    bool is_granted = p.is_granted;

    if (p.kind != STEP_BIND && p.kind != STEP_NONE)
        return false;
    for (size_t i = 0; i < plan->head.nsteps && !is_granted; i++) {
        const struct step s = plan_step(plan, i);
        const size_t len = s.kind == STEP_SHOWN ? strlen(s.path) : 0;

        is_granted = len > 0 && len >= p.len && is_within(path, s.path, len);
    }
    return is_granted;
}

bool place_is_on_the_way(const struct plan_view *plan, const char *path)
{
    const char *slash = strrchr(path, '/');
    const size_t len = slash ? (size_t)(slash - path) : 0;
    bool leads = false;

    if (len == 0 || place_find(plan, path).kind != STEP_NONE)
        return false;
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        const struct step s = plan_step(plan, i);

        if ((s.kind != STEP_BIND && s.kind != STEP_DIR) ||
            strncmp(s.path, path, len) != 0)
            continue;
        /* One that every sandbox has, as /tmp. */
        if (s.kind == STEP_DIR && s.path[len] == '\0')
            return false;
        leads =
            leads || (s.kind == STEP_BIND && s.num[1] && s.path[len] == '/');
    }
    return leads;
}

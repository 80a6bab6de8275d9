/* layer.c - what a session keeps when it stops: directories of its own, in
 * the place where the session is kept, instead of memory.  Pure.
 *
 * The private ones are mounted where the private root would have them; those
 * of the base system are the upper parts of overlays, so that nothing of the
 * host's is written to. */
#include <string.h>

#include "backends/native/build.h"
#include "base/compat.h"

/* The place of a directory: that of "/usr/local" ends in "usr+local". */
static const char *place_of(const struct builder *b, const char *path,
                            const char *before)
{
    char *out = arena_printf(b->a, "%s/layer/%s%s", b->h->session_place, before,
                             path + 1);
    size_t tail = out ? strlen(out) - strlen(path + 1) : 0;

    for (size_t i = tail; out && out[i]; i++)
        if (out[i] == '/')
            out[i] = '+';
    return out;
}

static int no_memory(struct err *e)
{
    return err_set(e, ERR_BACKEND_ERROR, "out of memory for the plan");
}

/* What policy says of the path, or of one above it, comes first. */
static bool is_spoken_of(const struct builder *b, const char *path)
{
    for (size_t i = 0; i < b->fs->n; i++) {
        const char *t = b->fs->item[i].target;

        if (t && path_is_within(path, t))
            return true;
    }
    return false;
}

/* Its mode is that of the directory below, which comes before it. */
static int keep(struct builder *b, const char *path, const char *name,
                struct err *e)
{
    const char *place = place_of(b, name, "");

    if (is_spoken_of(b, path))
        return 0;
    return place ? native_add(b, STEP_BIND,
                              STEP_LAYER | STEP_IS_DIR | STEP_CREATE, 0, 0,
                              path, place, e)
                 : no_memory(e);
}

int native_add_layer(struct builder *b, struct err *e)
{
    static const char *const made[] = { "/opt", "/usr/local" };
    static const char *const kept[] = { "/tmp", "/var/tmp", "/opt",
                                        "/usr/local" };
    const char *home = policy_home(b->p);

    if (!b->p->layer)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(made); i++)
        if (!is_spoken_of(b, made[i]) &&
            native_add(b, STEP_DIR, 0, 0755, 0, made[i], NULL, e) < 0)
            return -1;
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (keep(b, kept[i], kept[i], e) < 0)
            return -1;
    return b->p->private_home && home[1] ? keep(b, home, "/home", e) : 0;
}

/* What is denied there could be seen through a name that the workload gives
 * it in the upper part. */
static int check_denied(const struct builder *b, const struct place *base,
                        struct err *e)
{
    for (size_t i = 0; i < b->fs->n; i++) {
        const struct place *p = &b->fs->item[i];

        if ((p->kind != PLACE_MASK && p->kind != PLACE_HOLLOW &&
             p->kind != PLACE_ABSENT) ||
            !path_is_within(p->target, base->target))
            continue;
        err_set(e, ERR_POLICY_VALIDATION,
                "'%s' cannot be denied in a session whose layer is 'system': "
                "it is a part of the base",
                p->target);
        err_hint(e, "ask for the layer 'private', or deny all of '%s'",
                 base->target);
        return err_where(e, "%s", p->origin);
    }
    return 0;
}

/* What policy grants for reading there, by its own name or through a link of
 * the base's, needed no mount of its own as long as all around it could only be
 * read. */
static int keep_read_only(struct builder *b, const struct place *base,
                          struct err *e)
{
    for (size_t i = 0; i < b->p->nrules; i++) {
        const struct fs_rule *r = &b->p->rule[i];

        if (r->base || r->access != ACCESS_READ || !r->at.exists ||
            strcmp(r->at.real, base->target) == 0 ||
            !path_is_within(r->at.real, base->target))
            continue;
        if (native_add(b, STEP_BIND,
                       STEP_READONLY | (r->at.is_dir ? STEP_IS_DIR : 0),
                       r->at.dev, r->at.ino, r->at.real, r->at.real, e) < 0)
            return -1;
    }
    return 0;
}

bool native_has_overlay(const struct builder *b, const struct place *p)
{
    return b->p->layer == LAYER_SYSTEM && p->kind == PLACE_GRANT && p->base &&
           p->is_dir;
}

int native_add_overlay(struct builder *b, const struct place *p, struct err *e)
{
    const char *place = place_of(b, p->target, "base+");

    if (check_denied(b, p, e) < 0)
        return -1;
    if (!place)
        return no_memory(e);
    if (native_add(b, STEP_OVERLAY, p->own_space ? STEP_CREATE : 0, 0, 0,
                   p->target, place, e) < 0)
        return -1;
    return keep_read_only(b, p, e);
}

/* lxc.c - the native plan in a root of an image, its namespaces made by LXC.
 *
 * mxc-lxc, our driver of liblxc, makes the copy-on-write root and mounts in it
 * what the plan says; mxc-launch, as the container's pid 1, looks whether that
 * stands there, and does the rest.  Pure. */
#include <string.h>

#include "backends/backend.h"

/* The container's root is the caller: it has no capability, so that the only
 * thing that this name gives is the image's files. */
static struct host inside_of(const struct host *h)
{
    struct host inside = *h;

    inside.uid = 0;
    inside.gid = 0;
    return inside;
}

static bool is_place(const struct places *fs, const char *path)
{
    for (size_t i = 0; i < fs->n; i++)
        if (fs->item[i].target && strcmp(fs->item[i].target, path) == 0)
            return true;
    return false;
}

/* The decision was made of the host's names, whose links lead elsewhere than
 * the image's: what is denied is so by the name that the policy wrote, too. */
static int add_masks(struct plan *plan, const struct policy *p,
                     const struct places *fs, struct arena *a, struct err *e)
{
    for (size_t i = 0; i < p->nrules; i++) {
        const struct step mask = { .kind = STEP_MASK,
                                   .flags = STEP_OPTIONAL,
                                   .path = p->rule[i].path };

        if (p->rule[i].access == ACCESS_DENY && !is_place(fs, mask.path) &&
            plan_add(plan, a, mask, e) < 0)
            return -1;
    }
    return 0;
}

static int add_runtime(struct plan *plan, const struct host *h, struct arena *a,
                       struct err *e)
{
    const struct step image = { .kind = STEP_IMAGE,
                                .num = { h->image_dev, h->image_ino },
                                .path = h->image };
    const struct step runtime = { .kind = STEP_RUNTIME, .path = h->lxc };

    return plan_add(plan, a, image, e) < 0 ? -1 : plan_add(plan, a, runtime, e);
}

static int add_kept(struct plan *plan, const struct kept *k, struct arena *a,
                    struct err *e)
{
    const struct step kept = { .kind = STEP_KEPT,
                               .flags = k->ends ? STEP_LAST : 0,
                               .num = { k->dev, k->ino },
                               .path = k->path,
                               .text = k->found };
    const struct step record = { .kind = STEP_RECORD, .text = k->record };

    if (!k->path)
        return 0;
    if (plan_add(plan, a, kept, e) < 0)
        return -1;
    return k->record ? plan_add(plan, a, record, e) : 0;
}

static int lxc_plan(const struct policy *p, const struct host *h,
                    const struct places *fs, const char *cwd, struct arena *a,
                    struct plan *out, struct err *e)
{
    const struct host inside = inside_of(h);
    struct plan plan = { 0 };

    if (backend_native.plan(p, &inside, fs, cwd, a, &plan, e) < 0 ||
        add_masks(&plan, p, fs, a, e) < 0 || add_runtime(&plan, h, a, e) < 0 ||
        add_kept(&plan, &h->kept, a, e) < 0)
        return -1;
    plan.uid = h->uid;
    plan.gid = h->gid;
    *out = plan;
    return 0;
}

static int lxc_probe(const struct host *h, const struct policy *p,
                     struct err *e)
{
    if (!h->lxc) {
        err_set(e, ERR_BACKEND_UNAVAILABLE,
                "this build has no lxc: mxc-lxc is not installed");
        return err_hint(e, "build mxc where liblxc is: lxc-dev; the backend "
                           "'native' needs no other program");
    }
    return backend_native.probe(h, p, e);
}

static const char *life_of(const struct kept *k, struct arena *a)
{
    if (!k->path)
        return "changes end with the run";
    if (k->ends)
        return arena_printf(a,
                            "with what the container '%s' has in '%s', all of "
                            "which ends with the run",
                            k->name, k->path);
    return arena_printf(a,
                        "what is written stays with the container '%s', in "
                        "'%s', as far as the disk has room",
                        k->name, k->path);
}

static const struct receipt_row *lxc_receipt(const struct policy *p,
                                             const struct host *h,
                                             const struct places *fs,
                                             struct arena *a)
{
    const struct host inside = inside_of(h);
    const struct receipt_row *native =
        backend_native.receipt(p, &inside, fs, a);
    struct receipt_row *rows;
    const char *life = life_of(&h->kept, a);
    size_t n = 0, first = 2;

    while (native && native[n].clause)
        n++;
    rows = native && life ? arena_array(a, n + 4, sizeof(*rows)) : NULL;
    if (!rows)
        return NULL;
    rows[0] = (struct receipt_row){
        .clause = "namespaces and mounts",
        .by = "made by LXC; each mount of the policy is looked at before the "
              "start",
        .state = "enforced",
    };
    rows[1] = (struct receipt_row){
        .clause = "root",
        .by = arena_printf(a, "image %s (sha256:%s), copy-on-write: %s",
                           p->image, h->image_digest, life),
        .state = "enforced",
    };
    if (h->kept.has_network)
        rows[first++] = (struct receipt_row){
            .clause = "lifecycle.preservePolicy",
            .by = "the network's rules are kept with the container: a later "
                  "run of it has these, or none",
            .state = "enforced",
        };
    memcpy(rows + first, native, (n + 1) * sizeof(*rows));
    return rows[1].by ? rows : NULL;
}

const struct backend backend_lxc = {
    .name = "lxc",
    .summary = "a container with a copy-on-write root of an image; Landlock, "
               "seccomp and the gateway as in native",
    .tier = TIER_PROCESS,
    .features = FEAT_LAUNCHED | FEAT_TTY | FEAT_KEEP,
    .limits = LIMITS_AROUND | LIMITS_INSIDE | LIMITS_WRITTEN,
    .has_image = true,
    .probe = lxc_probe,
    .plan = lxc_plan,
    .receipt = lxc_receipt,
};

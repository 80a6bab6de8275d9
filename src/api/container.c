/* container.c - is the run one of a container that is kept? */
#include "container/container.h"

#include <string.h>
#include <time.h>

#include "api/prepare.h"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_BACKEND_ERROR, "out of memory");
}

/* The rules are kept with the container, so there must be one. */
static int nothing_to_keep_with(struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION,
            "a policy is kept with its container, and this one ends with its "
            "run");
    err_hint(e, "\"destroyOnExit\": false keeps the container; or leave "
                "preservePolicy out");
    return err_where(e, "lifecycle.preservePolicy");
}

static int other_image(const struct container *c, const struct policy *p,
                       const struct host *h, struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION,
            "the container '%.120s' was made of another image: %s, sha256:%s; "
            "'%s' is sha256:%s",
            c->name, c->image, c->digest, p->image, h->image_digest);
    err_hint(e, "name the image that it was made of (import it again, if need "
                "be), take another containerId, or `mxc container rm`");
    return err_where(e, "containerId");
}

static int other_network(const struct container *c, struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION,
            "the container '%.120s' keeps the network rules that it ran under "
            "(lifecycle.preservePolicy), and these are others",
            c->name);
    err_hint(e, "ask for the same rules or for no network (`mxc container "
                "show` has them); `mxc container rm` ends it with them");
    return err_where(e, "network");
}

static int too_many_rules(struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION,
            "the network's rules are too many to be kept with a container: "
            "more than %d bytes",
            CONTAINER_RECORD_MAX);
    err_hint(e, "write fewer, or leave preservePolicy out");
    return err_where(e, "lifecycle.preservePolicy");
}

/* The rules of this run as they are kept; NULL: too many. */
static const char *network_text(struct arena *a, const struct policy *p)
{
    struct buf b = { .max = CONTAINER_RECORD_MAX };
    const char *text;

    net_print(&b, &p->net);
    text = b.failed ? NULL : arena_strdup(a, b.data ? b.data : "");
    buf_drop(&b);
    return text;
}

/* None at all is within any; too many to be kept are others. */
static int check_network(struct arena *a, const struct container *c,
                         const struct policy *p, struct err *e)
{
    const char *wanted = c->network ? network_text(a, p) : "";

    if (wanted && (!wanted[0] || strcmp(c->network, wanted) == 0))
        return 0;
    return other_network(c, e);
}

/* What is written of a container as this run wants it to be. */
static int print_record(struct arena *a, struct container *c,
                        const struct policy *p, struct err *e)
{
    if (p->keeps_network)
        c->network = network_text(a, p);
    if (p->keeps_network && !c->network)
        return too_many_rules(e);
    return container_print(a, c, e);
}

/* Of a container that nobody has named. */
static int make_name(struct arena *a, struct policy *p, const struct host *h,
                     struct err *e)
{
    const char *text;

    p->label = arena_printf(a, "mxc-%.8s", h->boot_id);
    text = p->label
               ? arena_printf(a,
                              "containerId is not given: the container is kept "
                              "as '%s'",
                              p->label)
               : NULL;
    if (!text)
        return no_memory(e);
    policy_warn(p, text);
    return 0;
}

static int plan_new(struct arena *a, const struct policy *p,
                    const struct store_place *at, struct host *h, struct err *e)
{
    struct container c = { .name = p->label,
                           .image = p->image,
                           .digest = h->image_digest,
                           .created_ms = (uint64_t)time(NULL) * 1000 };

    if (container_path(a, at, p->label, &c.path, e) < 0 ||
        print_record(a, &c, p, e) < 0)
        return -1;
    h->kept = (struct kept){ .path = c.path,
                             .name = c.name,
                             .found = "",
                             .record = c.record,
                             .has_network = c.network != NULL };
    return 0;
}

static int plan_old(struct arena *a, const struct policy *p,
                    const struct container *c, struct host *h, struct err *e)
{
    struct container now = *c;

    if (strcmp(c->digest, h->image_digest) != 0)
        return other_image(c, p, h, e);
    if (check_network(a, c, p, e) < 0)
        return -1;
    h->kept = (struct kept){ .path = c->path,
                             .name = c->name,
                             .found = c->record,
                             .dev = c->dev,
                             .ino = c->ino,
                             .ends = !p->keeps,
                             .has_network = c->network != NULL };
    if (c->network || !p->keeps_network)
        return 0;
    if (print_record(a, &now, p, e) < 0)
        return -1;
    h->kept.record = now.record;
    h->kept.has_network = true;
    return 0;
}

/* What lasts beyond a session is its layer, and who stops it ends the rest. */
static int check_session(const struct policy *p, struct err *e)
{
    if (!p->keeps && !p->keeps_network)
        return 0;
    err_set(e, ERR_POLICY_VALIDATION,
            "a session is no container that is kept: it lasts until it is "
            "deprovisioned");
    err_hint(e, "leave lifecycle out; or run single commands: mxc run");
    return err_where(e, "lifecycle.%s",
                     p->keeps ? "destroyOnExit" : "preservePolicy");
}

int container_look(struct arena *a, struct policy *p, const struct backend *b,
                   const struct run_flags *f, struct host *h, struct err *e)
{
    const struct store_place at = { f->data_home, f->home };
    struct container c;
    int r;

    if (!(b->features & FEAT_KEEP))
        return 0;
    if (h->session_place)
        return check_session(p, e);
    if (p->keeps_network && !p->keeps)
        return nothing_to_keep_with(e);
    if (!p->label || !p->label[0]) {
        if (!p->keeps)
            return 0;
        if (make_name(a, p, h, e) < 0)
            return -1;
    }
    /* A label that is too long for one that is kept is a label. */
    if (!p->keeps && strlen(p->label) > CONTAINER_NAME_MAX)
        return 0;
    r = container_find(a, &at, p->label, &c, e);
    if (r == 0)
        return plan_old(a, p, &c, h, e);
    if (r < 0)
        return -1;
    return p->keeps ? plan_new(a, p, &at, h, e) : 0;
}

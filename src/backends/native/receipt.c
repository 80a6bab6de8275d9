/* receipt.c - which mechanism enforces which clause, in plain words. */
#include <string.h>

#include "backends/limit_holder.h"
#include "backends/native/build.h"
#include "plan/clause.h"

void native_receipt_put(struct receipt *r, const char *clause, const char *by,
                        const char *state)
{
    if (!clause || !by)
        r->row = NULL;
    if (r->row && r->n < RECEIPT_ROWS - 1)
        r->row[r->n++] = (struct receipt_row){ clause, by, state };
}

static size_t count(const struct places *fs, enum place_kind kind)
{
    size_t n = 0;

    for (size_t i = 0; i < fs->n; i++)
        n += fs->item[i].kind == kind;
    return n;
}

static bool has_grants(const struct places *fs)
{
    for (size_t i = 0; i < fs->n; i++)
        if (fs->item[i].kind == PLACE_GRANT && !fs->item[i].base)
            return true;
    return false;
}

static void put_filesystem(struct receipt *r, const struct policy *p,
                           const struct host *h, const struct places *fs)
{
    native_receipt_put(r, clause_name(CLAUSE_VIEW), clause_by(CLAUSE_VIEW),
                       "enforced");
    native_receipt_put(
        r, clause_name(CLAUSE_READ_ONLY),
        "read-only mounts, which no "
        "process inside can change (no capability, mount calls refused)",
        "enforced");
    if (p->copies)
        native_receipt_put(
            r, "filesystem: nothing that is written to grants is kept",
            "overlays in one memory of their own, as large as the private "
            "root, "
            "bytes and inodes",
            "enforced");
    if (count(fs, PLACE_MASK) || count(fs, PLACE_HOLLOW))
        native_receipt_put(
            r, clause_name(CLAUSE_DENIED),
            "unreadable mounts over every name, pinned parents, watch on "
            "the host",
            "enforced");
    if (count(fs, PLACE_ABSENT))
        native_receipt_put(
            r, clause_name(CLAUSE_ABSENT),
            "broker on the calls that create names, watch on the host",
            "enforced");
    if (p->hard_links == LINKS_REFUSE)
        native_receipt_put(
            r, "filesystem: no file with names outside of the writable paths",
            "a look at every file of the writable paths before the start",
            "enforced");
    if (has_grants(fs))
        native_receipt_put(r, clause_name(CLAUSE_DAEMONS),
                           "broker on the calls that connect", "enforced");
    native_receipt_put(
        r, clause_name(CLAUSE_OUTSIDE),
        h->landlock_abi ? arena_printf(r->a, "Landlock ABI %u", h->landlock_abi)
                        : "Landlock",
        h->landlock_abi ? "enforced"
                        : "not enforced: accepted as missing by the caller");
}

static void put_layer(struct receipt *r, const struct policy *p)
{
    if (!p->layer)
        return;
    native_receipt_put(
        r, "session: what its layer keeps",
        p->layer == LAYER_SYSTEM
            ? "directories of the session's own; overlays over the base, "
              "nothing of which is written to"
            : "directories of the session's own",
        "enforced");
    native_receipt_put(r, "size of the session's layer",
                       "the filesystem that it lies in",
                       "not enforced: the layer was asked for");
}

static void put_limits(struct receipt *r, const struct policy *p,
                       const struct host *h)
{
    for (int i = 0; i < LIMIT_COUNT; i++) {
        struct receipt_row row;

        if (!(p->limits.set & LIMIT_BIT(i)))
            continue;
        row = limits_row(&p->limits, h, r->a, (enum limit)i);
        native_receipt_put(r, row.clause, row.by, row.state);
    }
}

static void put_process(struct receipt *r, const struct policy *p,
                        const struct host *h)
{
    native_receipt_put(r, clause_name(CLAUSE_PRIVILEGES),
                       clause_by(CLAUSE_PRIVILEGES), "enforced");
    native_receipt_put(r, clause_name(CLAUSE_KERNEL), clause_by(CLAUSE_KERNEL),
                       "enforced");
    native_receipt_put(r, clause_name(CLAUSE_PROCESSES),
                       "pid, ipc and cgroup namespaces, own /proc", "enforced");
    native_receipt_put(r, clause_name(CLAUSE_INHERITED),
                       "built from nothing; "
                       "only stdio inherited; own session and session keyring",
                       "enforced");
    native_receipt_put(
        r, "supplementary groups",
        h->uid != 0       ? "the kernel does not let an ordinary user drop them"
        : h->keeps_groups ? "this root may not drop them"
                          : "dropped",
        h->uid == 0 && !h->keeps_groups
            ? "enforced"
            : "not enforced: they count on granted paths");
    native_receipt_put(r, "number of processes",
                       h->has_pid_limit
                           ? "pid_max of the pid namespace, RLIMIT_NPROC"
                           : "RLIMIT_NPROC",
                       h->has_pid_limit || h->uid != 0
                           ? "enforced"
                           : "not enforced: accepted as missing by the caller");
    native_receipt_put(r, clause_name(CLAUSE_SCRATCH),
                       clause_by(CLAUSE_SCRATCH), "enforced");
    put_layer(r, p);
    put_limits(r, p, h);
    if (p->timeout_ms)
        native_receipt_put(r, "timeout", "supervisor, kills the pid namespace",
                           "enforced");
}

const struct receipt_row *native_receipt(const struct policy *p,
                                         const struct host *h,
                                         const struct places *fs,
                                         struct arena *a)
{
    struct receipt r = { arena_array(a, RECEIPT_ROWS, sizeof(*r.row)), 0, a };

    if (!r.row)
        return NULL;
    put_filesystem(&r, p, h, fs);
    native_receipt_network(&r, &p->net);
    native_receipt_put(&r, "ui: none",
                       "no display, clipboard or input socket or device is "
                       "in the sandbox",
                       "enforced");
    put_process(&r, p, h);
    return r.row;
}

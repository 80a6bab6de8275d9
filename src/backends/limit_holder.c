/* limit_holder.c - what holds each limit of a policy here.  Pure. */
#include "backends/limit_holder.h"

/* How the numbers of pids run out where RLIMIT_NPROC does not count: below
 * this, pid_max leaves too few when it has wrapped around (pid_namespaces(7):
 * the first 300 are not given again). */
enum { PID_MAX_LEAST = 1024 };

/* What control groups are looked for (sys/cgroup.h). */
static const uint32_t group_limits =
    LIMIT_BIT(LIMIT_MEMORY) | LIMIT_BIT(LIMIT_SWAP) | LIMIT_BIT(LIMIT_PIDS) |
    LIMIT_BIT(LIMIT_CPU_SHARE) | LIMIT_BIT(LIMIT_CPU_TIME);

static enum limit_holder network_holder(const struct policy *p)
{
    return net_needs_gateway(&p->net) ? HOLD_GATEWAY : HOLD_NO_NETWORK;
}

static enum limit_holder holder_of_pids(const struct host *h, uint64_t value)
{
    if (h->group_limits & LIMIT_BIT(LIMIT_PIDS))
        return HOLD_GROUP;
    /* Root's processes are not counted (setrlimit(2)). */
    if (h->uid != 0)
        return HOLD_RLIMIT;
    return h->has_pid_limit && value >= PID_MAX_LEAST ? HOLD_PID_MAX : HOLD_NOT;
}

static enum limit_holder find(const struct policy *p, const struct host *h,
                              enum limit which)
{
    switch (which) {
    case LIMIT_PIDS:
        return holder_of_pids(h, p->limits.value[which]);
    case LIMIT_MEMORY:
    case LIMIT_SWAP:
    case LIMIT_CPU_SHARE:
        return h->group_limits & LIMIT_BIT(which) ? HOLD_GROUP : HOLD_NOT;
    case LIMIT_CPU_TIME:
        /* Who counts has to be there all the time. */
        return h->group_limits & LIMIT_BIT(which) && !h->session_place
                   ? HOLD_GROUP
                   : HOLD_NOT;
    case LIMIT_FILES:
    case LIMIT_FILE_SIZE:
        return HOLD_RLIMIT;
    case LIMIT_SCRATCH:
    case LIMIT_SCRATCH_FILES:
        return p->layer ? HOLD_NOT : HOLD_TMPFS;
    case LIMIT_SILENCE:
    case LIMIT_OUTPUT:
        return h->session_place ? HOLD_NOT : HOLD_SUPERVISOR;
    case LIMIT_NETWORK:
        return h->session_place ? HOLD_NOT : network_holder(p);
    case LIMIT_CONNECTIONS:
        return network_holder(p);
    case LIMIT_WRITTEN:
    case LIMIT_WRITTEN_FILES:
    case LIMIT_COUNT:
        break;
    }
    return HOLD_NOT;
}

/* Why not, and what could be done. */
static void explain(const struct policy *p, const struct host *h,
                    enum limit which, struct err *e)
{
    const char *name = limit_rows[which].name;

    const bool is_scratch =
        which == LIMIT_SCRATCH || which == LIMIT_SCRATCH_FILES;

    if (h->session_place && !is_scratch && !(group_limits & LIMIT_BIT(which))) {
        err_set(e, ERR_POLICY_VALIDATION,
                "limit '%s' is one of a single run, which ends with it: a "
                "session goes on",
                name);
        err_hint(e, "run it as a single command (mxc run)");
    } else if (p->layer && is_scratch) {
        err_set(e, ERR_POLICY_VALIDATION,
                "limit '%s' cannot be held where a layer is kept, which lies "
                "on the host's filesystem",
                name);
        err_hint(e, "leave the layer out, or the limit");
    } else if (which == LIMIT_WRITTEN || which == LIMIT_WRITTEN_FILES) {
        err_set(e, ERR_POLICY_VALIDATION,
                "limit '%s' cannot be held: what is written to a granted path "
                "is counted by a quota of its filesystem alone",
                name);
        err_hint(e, "grant a filesystem of that size, or let the work go to "
                    "the private root (limits.scratchBytes)");
    } else if (which == LIMIT_CPU_TIME && h->session_place) {
        err_set(e, ERR_POLICY_VALIDATION, "limit '%s' is one of a single run",
                name);
        err_hint(e, "run it as a single command (mxc run), or give a session's "
                    "command --limit cpu=SECONDS");
    } else {
        err_set(e, ERR_POLICY_VALIDATION,
                "limit '%s' cannot be held here: it needs a control group, "
                "and %s may make none that has it",
                name, h->uid == 0 ? "root" : "an ordinary user");
        err_hint(e, h->uid == 0
                        ? "enable the controllers where mxc is started "
                          "(cgroup.subtree_control), or mount /sys/fs/cgroup "
                          "writable; `mxc doctor` tells more"
                        : "systemd-run --user --scope mxc run ..., or have "
                          "root delegate a cgroup; `mxc doctor` tells more");
    }
}

static int not_in_backend(const struct backend *b, enum limit which,
                          const char *origin, struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION, "backend '%s' cannot enforce limit '%s'",
            b->name, limit_rows[which].name);
    err_hint(e, "leave it out, or choose a backend that has it ('native'); "
                "nothing was run");
    return err_where(e, "%s", origin);
}

int backend_limits(const struct backend *b, const struct host *h,
                   struct policy *p, struct err *e)
{
    struct policy_limits *l = &p->limits;

    for (int i = 0; i < LIMIT_COUNT; i++) {
        const uint32_t bit = LIMIT_BIT(i);
        struct err why = { 0 };

        if (!(l->set & bit))
            continue;
        l->holder[i] = b->limits & bit ? find(p, h, (enum limit)i) : HOLD_NOT;
        if (l->holder[i] != HOLD_NOT || l->advisory & bit)
            continue;
        if (!(b->limits & bit))
            return not_in_backend(b, (enum limit)i, l->origin[i], e);
        explain(p, h, (enum limit)i, &why);
        *e = why;
        return err_where(e, "%s", l->origin[i]);
    }
    return 0;
}

int limits_add(const struct policy_limits *l, struct plan *plan,
               struct arena *a, struct err *e)
{
    for (int i = 0; i < LIMIT_COUNT; i++) {
        const struct step s = { .kind = STEP_LIMIT,
                                .flags = l->holder[i] == HOLD_GROUP
                                             ? STEP_BY_GROUP
                                             : 0,
                                .num = { (uint64_t)i, l->value[i] } };

        if (l->set & LIMIT_BIT(i) && l->holder[i] != HOLD_NOT &&
            plan_add(plan, a, s, e) < 0)
            return -1;
    }
    return 0;
}

static const char *by(const struct policy_limits *l, const struct host *h,
                      enum limit which)
{
    switch (l->holder[which]) {
    case HOLD_GROUP:
        return h->group_v2 & LIMIT_BIT(which) ? "control group, version 2"
                                              : "control group, version 1";
    case HOLD_RLIMIT:
        return which == LIMIT_PIDS    ? "RLIMIT_NPROC of the user namespace"
               : which == LIMIT_FILES ? "RLIMIT_NOFILE"
                                      : "RLIMIT_FSIZE";
    case HOLD_PID_MAX:
        return "pid_max of the pid namespace";
    case HOLD_TMPFS:
        return "size and inodes of the tmpfs";
    case HOLD_SUPERVISOR:
        return "supervisor, which passes the output on and ends the run";
    case HOLD_GATEWAY:
        return "gateway";
    case HOLD_NO_NETWORK:
        return "there is no network";
    case HOLD_NOT:
        break;
    }
    return "nothing";
}

static const char *clause_of(const struct policy_limits *l, struct arena *a,
                             enum limit which)
{
    struct buf b = { .max = 256 };
    const char *text;

    buf_printf(&b, "limit %s: ", limit_rows[which].name);
    limit_print(which, l->value[which], &b);
    text = b.failed ? NULL : arena_strdup(a, b.data);
    buf_drop(&b);
    return text;
}

struct receipt_row limits_row(const struct policy_limits *l,
                              const struct host *h, struct arena *a,
                              enum limit which)
{
    return (struct receipt_row){
        clause_of(l, a, which), by(l, h, which),
        l->holder[which] == HOLD_NOT
            ? "not enforced: advisory, and it cannot be held here"
            : "enforced"
    };
}

const char *limit_held_by(const struct host *h, enum limit which)
{
    struct policy p;

    policy_default(&p);
    p.limits.value[which] = PID_MAX_LEAST;
    p.limits.holder[which] = find(&p, h, which);
    /* A run without a network has none to be counted. */
    if (p.limits.holder[which] == HOLD_NO_NETWORK)
        p.limits.holder[which] = HOLD_GATEWAY;
    return p.limits.holder[which] == HOLD_NOT ? NULL : by(&p.limits, h, which);
}

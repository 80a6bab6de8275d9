/* run_limits.c - see run_limits.h. */
#include "supervise/run_limits.h"

#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

/* Processes of ours that are counted with the workload's: init, and where a
 * runtime makes the sandbox those that it leaves around it. */
enum { OWN_PROCESSES = 1, RUNTIME_PROCESSES = 3 };

/* The shortest sleep between two looks at the time used. */
enum { CPU_LOOK_MS = 5 };

void limits_take(const struct plan_view *plan, struct run_limits *out)
{
    *out = (struct run_limits){ 0 };
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        const struct step s = plan_step(plan, i);

        if (s.kind != STEP_LIMIT)
            continue;
        out->set |= LIMIT_BIT(s.num[0]);
        out->groups |= s.flags & STEP_BY_GROUP ? LIMIT_BIT(s.num[0]) : 0;
        out->value[s.num[0]] = s.num[1];
    }
}

int limits_group(const struct plan_view *plan, struct cgroup *out,
                 struct err *e)
{
    struct run_limits l;

    *out = cgroup_none;
    limits_take(plan, &l);
    if (!l.groups)
        return 0;
    l.value[LIMIT_PIDS] +=
        OWN_PROCESSES +
        (plan_count(plan, STEP_RUNTIME) ? RUNTIME_PROCESSES : 0);
    return cgroup_make(l.groups, l.value, out, e);
}

int limits_output(const struct plan_view *plan, struct output **out,
                  struct err *e)
{
    struct run_limits l;

    limits_take(plan, &l);
    if (plan->head.flags & PLAN_TTY ||
        !(l.set & (LIMIT_BIT(LIMIT_OUTPUT) | LIMIT_BIT(LIMIT_SILENCE))))
        return 0;
    return output_create(l.value[LIMIT_OUTPUT], out, e);
}

int limits_cpu_left(const struct run_limits *l, const struct cgroup *g,
                    uint64_t *left)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    const uint64_t most = l->value[LIMIT_CPU_TIME] < UINT64_MAX / 1000
                              ? l->value[LIMIT_CPU_TIME] * 1000
                              : UINT64_MAX;
    uint64_t used;
    const int r = cgroup_cpu_us(g, &used);

    *left = 0;
    if (r < 0 || used >= most)
        return r;
    *left = (most - used) / 1000 / (uint64_t)(processors > 0 ? processors : 1);
    if (*left < CPU_LOOK_MS)
        *left = CPU_LOOK_MS;
    return 0;
}

void limits_reach(const struct run_limits *l, enum limit which, uint64_t count,
                  struct result *r)
{
    if (!count || !(l->set & LIMIT_BIT(which)))
        return;
    r->reached[which].count += count;
    r->reached[which].value = l->value[which];
}

/* Of the size of a file there is no word but the signal, which whoever may
 * signal the workload can send. */
void limits_end(const struct run_limits *l, enum limit which, struct result *r)
{
    struct buf b = { .max = 64 };

    limit_print(which, l->value[which], &b);
    if (!r->reached[which].count)
        limits_reach(l, which, 1, r);
    r->ended_by = which;
    r->outcome = OUTCOME_LIMITED;
    r->exit_code = EXIT_LIMITED;
    err_set(&r->err, ERR_BACKEND_ERROR,
            which == LIMIT_FILE_SIZE
                ? "the workload died of SIGXFSZ, as at its limit '%s' of %s "
                  "(%s); a process may send that to itself"
                : "the workload was ended: it reached its limit '%s' of %s "
                  "(%s)",
            limit_rows[which].name, b.failed ? "?" : b.data,
            limit_rows[which].what);
    err_hint(&r->err, "raise limits.%s, or --limit %s=...",
             limit_rows[which].name, limit_rows[which].word);
    buf_drop(&b);
}

/* Its last process died of what the kernel sends for a limit. */
static bool ended_by_signal(const struct result *r, int number)
{
    return r->outcome == OUTCOME_SIGNALED && r->signal == number;
}

/* A shell tells the signal of its last command by its own exit code.  Anything
 * else may exit with that as well: it counts beside the kernel's own word. */
static bool may_be_killed(const struct result *r, int number)
{
    return ended_by_signal(r, number) ||
           (r->outcome == OUTCOME_EXITED && r->exit_code == 128 + number);
}

void limits_judge(const struct run_limits *l, const struct cgroup_counts *c,
                  struct result *r)
{
    if (!l->set)
        return;
    limits_reach(l, LIMIT_MEMORY, c->memory_kills, r);
    limits_reach(l, LIMIT_PIDS, c->pids_refused, r);
    limits_reach(l, LIMIT_CPU_SHARE, c->cpu_throttled, r);
    if (r->outcome == OUTCOME_LIMITED)
        return;
    /* Init itself may have been the one. */
    if (l->set & LIMIT_BIT(LIMIT_MEMORY) && c->memory_kills &&
        (may_be_killed(r, SIGKILL) || r->is_gone))
        limits_end(l, LIMIT_MEMORY, r);
    else if (l->set & LIMIT_BIT(LIMIT_FILE_SIZE) && ended_by_signal(r, SIGXFSZ))
        limits_end(l, LIMIT_FILE_SIZE, r);
}

static void put_sentence(const struct result *r, enum limit which,
                         struct buf *out)
{
    buf_printf(out, "limit '%s' of ", limit_rows[which].name);
    limit_print(which, r->reached[which].value, out);
    buf_printf(out, " (%s) was reached ", limit_rows[which].what);
    if (r->reached[which].count == 1)
        buf_puts(out, "once");
    else
        buf_printf(out, "%llu times",
                   (unsigned long long)r->reached[which].count);
}

static bool has_ended(const struct result *r, enum limit which)
{
    return r->outcome == OUTCOME_LIMITED && r->ended_by == which;
}

void limits_text(const struct result *r, struct buf *out)
{
    for (int i = 0; i < LIMIT_COUNT; i++) {
        const enum limit which = (enum limit)i;

        if (!r->reached[i].count || has_ended(r, which) ||
            which == LIMIT_CPU_SHARE)
            continue;
        buf_puts(out, "mxc: ");
        put_sentence(r, which, out);
        buf_putc(out, '\n');
    }
}

void limits_events(const struct result *r, struct events *ev)
{
    for (int i = 0; i < LIMIT_COUNT; i++) {
        const enum limit which = (enum limit)i;
        struct buf text = { .max = 512 }, *out;

        /* What the gateway counts it has told when it was so. */
        if (!r->reached[i].count || which == LIMIT_CONNECTIONS ||
            which == LIMIT_NETWORK)
            continue;
        put_sentence(r, which, &text);
        out = events_begin(ev, EVENT_LIMITED);
        event_put_text(out, EVENT_OF, limit_rows[i].name);
        event_put_number(out, EVENT_COUNT, r->reached[i].count);
        event_put_some(out, EVENT_MESSAGE,
                       has_ended(r, which) ? r->err.msg
                       : text.failed       ? NULL
                                           : text.data);
        events_end(ev);
        buf_drop(&text);
    }
}

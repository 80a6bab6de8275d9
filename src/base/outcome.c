/* outcome.c - see outcome.h. */
#include "base/outcome.h"

#include "base/report.h"

static void put_limits(const struct result *r, struct buf *b)
{
    const char *before = ",\"limits\":[";

    for (int i = 0; i < LIMIT_COUNT; i++) {
        const bool ended =
            r->outcome == OUTCOME_LIMITED && (int)r->ended_by == i;

        if (!r->reached[i].count)
            continue;
        buf_printf(
            b,
            "%s{\"limit\":\"%s\",\"value\":%llu,\"count\":%llu,"
            "\"ended\":%s}",
            before, limit_rows[i].name, (unsigned long long)r->reached[i].value,
            (unsigned long long)r->reached[i].count, ended ? "true" : "false");
        before = ",";
    }
    if (before[1] == '\0')
        buf_putc(b, ']');
}

const char *outcome_name(enum outcome outcome)
{
    static const char *const names[] = { "failed",   "not_started", "exited",
                                         "signaled", "timed_out",   "stopped",
                                         "killed",   "limited" };

    return names[outcome];
}

bool result_is_orderly(const struct result *r)
{
    return r->outcome == OUTCOME_EXITED || r->outcome == OUTCOME_SIGNALED;
}

/* Where it cannot be written the workload would have seen that for itself: its
 * end, which looks like success or SIGPIPE, is then not the truth. */
void result_cut(struct result *r, int sys)
{
    static const char what[] = "not all of the output was passed on";

    if (r->err.msg[0])
        err_ctx(&r->err, what);
    else if (sys)
        err_sys(&r->err, "write(2)", sys, what);
    else
        err_set(&r->err, ERR_BACKEND_ERROR, what);
    if (sys && result_is_orderly(r)) {
        r->outcome = OUTCOME_FAILED;
        r->exit_code = EXIT_MXC;
    }
}

void result_members(const struct result *r, struct buf *b)
{
    buf_printf(b, "{\"outcome\":\"%s\",\"exitCode\":%d",
               outcome_name(r->outcome), r->exit_code);
    if (r->outcome == OUTCOME_SIGNALED)
        buf_printf(b, ",\"signal\":%d", r->signal);
    buf_printf(b, ",\"timedOut\":%s,\"durationMs\":%llu",
               r->outcome == OUTCOME_TIMED_OUT ? "true" : "false",
               (unsigned long long)r->duration_ms);
    put_limits(r, b);
    if (r->err.msg[0]) {
        buf_puts(b, ",\"error\":");
        report_json(b, &r->err);
    }
}

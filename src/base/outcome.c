/* outcome.c - see outcome.h. */
#include "base/outcome.h"

#include "base/report.h"

void result_members(const struct result *r, struct buf *b)
{
    static const char *const names[] = { "failed",   "not_started", "exited",
                                         "signaled", "timed_out",   "stopped",
                                         "killed" };

    buf_printf(b, "{\"outcome\":\"%s\",\"exitCode\":%d", names[r->outcome],
               r->exit_code);
    if (r->outcome == OUTCOME_SIGNALED)
        buf_printf(b, ",\"signal\":%d", r->signal);
    buf_printf(b, ",\"timedOut\":%s,\"durationMs\":%llu",
               r->outcome == OUTCOME_TIMED_OUT ? "true" : "false",
               (unsigned long long)r->duration_ms);
    if (r->err.msg[0]) {
        buf_puts(b, ",\"error\":");
        report_json(b, &r->err);
    }
}

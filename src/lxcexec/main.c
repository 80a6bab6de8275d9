/* main.c - lxc-exec: one MXC request from its text to its exit code.
 *
 * The process that the caller started is the supervisor, as with mxc run.
 * Other than there, a signal to it is the end of the run, and what went wrong
 * is told as MXC's callers expect it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "lxcexec/lxcexec.h"

/* Faults that are found after parsing know their place: add the line. */
static void locate(const struct door *d, struct err *e)
{
    if (e->where[0] && !e->line)
        request_locate(d->text, d->len, e->where, &e->line, &e->column);
}

/* An intent has no section of its own on this system. */
static int check_intent(const struct request *r, struct err *e)
{
    if (r->containment != CONTAIN_PROCESS && r->containment != CONTAIN_VM &&
        r->containment != CONTAIN_MICROVM)
        return 0;
    return request_check_sections(r, CONTAIN_NATIVE, e);
}

static int read_request(struct door *d, struct err *e)
{
    if (acquire(d, e) < 0 ||
        request_parse(&d->arena, d->text, d->len, &d->request, e) < 0)
        return -1;
    if (d->request->phase != PHASE_NONE)
        return err_set(e, ERR_MALFORMED_REQUEST,
                       "expected a one-shot request, got a state-aware "
                       "lifecycle request");
    if (check_intent(d->request, e) < 0) {
        locate(d, e);
        return -1;
    }
    return 0;
}

/* Where the caller's images and containers are. */
const char *door_variable(const struct door *d, const char *name)
{
    for (char *const *entry = d->environment; *entry; entry++)
        if (strncmp(*entry, name, strlen(name)) == 0)
            return *entry + strlen(name);
    return NULL;
}

/* All that happens before something runs, of --dry-run too. */
static int get_ready(struct door *d, struct err *e)
{
    /* `bubblewrap` is what MXC's callers say for `process`: the same policy,
     * with more walls. */
    const struct run_flags flags = {
        .backend =
            d->request->containment == CONTAIN_BUBBLEWRAP ? "native" : NULL,
        .home = door_variable(d, "HOME="),
        .data_home = door_variable(d, "XDG_DATA_HOME="),
    };

    if (prepare_parsed(&d->arena, d->request, &flags, &d->prepared, e) < 0 ||
        plan_pack(&d->prepared.plan, &d->arena, &d->packed, &d->packed_len, e) <
            0 ||
        plan_check(d->packed, d->packed_len, &d->plan, e) < 0 ||
        supervise_find_launcher(d->launcher, e) < 0) {
        locate(d, e);
        return -1;
    }
    return 0;
}

static void log_end(struct door *d, int code, const struct err *e)
{
    struct buf line = { .max = 8192 };

    log_line(&d->log, "Runner completed in %llums",
             (unsigned long long)(now_ms() - d->start_ms));
    log_line(&d->log, "Exit code: %d (0x%08X)", code, (unsigned)code);
    if (e) {
        one_line(&line, e);
        log_file_line(&d->log, "Error: %s", line.data ? line.data : "");
    }
    buf_drop(&line);
}

static int fail(struct door *d, const struct err *e)
{
    log_end(d, -1, e);
    say_failure(e);
    return DOOR_FAILED;
}

static int finish(struct door *d, const struct result *r,
                  const struct net_report *net)
{
    say_warnings(&d->log, &d->prepared.policy, net);
    switch (r->outcome) {
    case OUTCOME_EXITED:
    case OUTCOME_SIGNALED:
        log_end(d, r->exit_code, NULL);
        return r->exit_code;
    case OUTCOME_TIMED_OUT:
    case OUTCOME_LIMITED:
        log_end(d, -1, &r->err);
        say_json(&r->err);
        return DOOR_FAILED;
    case OUTCOME_STOPPED:
        /* By a signal: whoever sent it knows. */
        if (r->signal) {
            log_end(d, r->exit_code, &r->err);
            return r->exit_code;
        }
        break;
    case OUTCOME_FAILED:
    case OUTCOME_NOT_STARTED:
    case OUTCOME_KILLED:
        break;
    }
    return fail(d, &r->err);
}

static int run(struct door *d)
{
    /* Large, and there is one run in a process. */
    static struct net_report net;
    struct result r;
    struct err e = { 0 };
    int plan_fd;

    if (supervise_close_strangers(&(int){ d->log.fd }, 1, &e) < 0 ||
        plan_seal(d->packed, d->packed_len, &plan_fd, &e) < 0)
        return fail(d, &e);
    log_line(&d->log, "Native: starting a sandbox, plan of %zu bytes",
             d->packed_len);
    net.is_quiet = true;
    supervise_run(&(struct supervise_args){ .plan = &d->plan,
                                            .plan_fd = plan_fd,
                                            .launcher = d->launcher,
                                            .result_fd = -1,
                                            .events_fd = -1,
                                            .control_fd = -1,
                                            .parent_fd = -1,
                                            .ends_on_signal = true },
                  &net, &r);
    return finish(d, &r, &net);
}

static int report_dry_run(struct door *d, const struct err *e)
{
    struct buf line = { .max = 8192 };

    log_line(&d->log, "Runner completed in %llums",
             (unsigned long long)(now_ms() - d->start_ms));
    if (e)
        one_line(&line, e);
    log_line(&d->log, "Dry run completed. Result: validation %s%s",
             e ? "failed: " : "passed", line.data ? line.data : "");
    buf_drop(&line);
    return answer(&d->log.kept, e ? DOOR_FAILED : DOOR_OK);
}

static int refuse_backend(struct door *d, const char *why)
{
    say_text(STDERR_FILENO, "error: %s", why);
    log_file_line(&d->log, "error: %s", why);
    say(STDERR_FILENO, &d->log.kept);
    return DOOR_REFUSED;
}

static void log_policy(struct door *d)
{
    struct buf event = { .max = 1024 };

    policy_event(d->request, &event);
    if (!event.failed)
        log_file_line(&d->log, "%s", event.data);
    buf_drop(&event);
}

static int execute(struct door *d)
{
    struct err e = { 0 };
    const char *why;
    char room[160];
    int r;

    if (read_request(d, &e) < 0) {
        say_parse_error(&d->log, &e);
        return DOOR_REFUSED;
    }
    d->start_ms = now_ms();
    log_header(&d->log, d->request);
    why = unavailable(d->request->containment, d->args.experimental, room);
    if (why)
        return refuse_backend(d, why);
    if (d->log.fd >= 0)
        log_policy(d);
    r = get_ready(d, &e);
    if (d->args.dry_run)
        return report_dry_run(d, r < 0 ? &e : NULL);
    return r < 0 ? fail(d, &e) : run(d);
}

int main(int argc, char **argv, char **envp)
{
    struct door d = { .arena.limit = 64 << 20, .environment = envp };
    int r;

    /* A kernel before 5.18 lets a caller leave out even the name. */
    if (argc < 1)
        return DOOR_USAGE;
    supervise_hold_stdio();
    /* A reader that is gone, or a limit on file sizes, is an error: as an end
     * by a signal it would look like the workload's own. */
    supervise_ignore_signals();
    r = args_parse(&d.args, argv);
    if (r >= 0)
        return r;
    if (d.args.lists_backends)
        return list_backends();
    if (d.args.setup)
        return refuse_setup(&d.args);
    if (d.args.delete)
        return delete_container(&d);
    if (!d.args.path && !d.args.config && !d.args.config_base64) {
        say_text(STDERR_FILENO,
                 "Error: No config provided. Use a positional path, --config, "
                 "or --config-base64");
        return DOOR_REFUSED;
    }
    /* The report of a dry run is what it is asked for, and goes to standard
     * output whole. */
    d.log.debug = d.args.debug && !d.args.dry_run;
    log_open(&d.log, d.args.log_file);
    /* The process ends here: its memory goes with it. */
    return execute(&d);
}

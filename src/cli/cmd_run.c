/* cmd_run.c - mxc run: make the plan, then supervise it.
 *
 * The process that the caller started is the supervisor: one pid to signal
 * and to wait for.  The launcher is a fresh program that gets the packed plan
 * and nothing else of this process. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"
#include "supervise/supervise.h"

int cli_run(struct cli *c, int *exit_code, struct err *e)
{
    struct prepared p;
    struct plan_view view;
    char launcher[PATH_MAX];
    void *bytes;
    size_t len;
    int json, events, control, plan_fd;
    pid_t caller;

    c->flags.want_receipt = c->json || c->events;
    if (cli_find_caller(c, &caller, e) < 0 || cli_read_request(c, e) < 0 ||
        prepare(&c->arena, c->text, c->text_len, &c->flags, false, &p, e) < 0 ||
        plan_pack(&p.plan, &c->arena, &bytes, &len, e) < 0 ||
        plan_check(bytes, len, &view, e) < 0 ||
        supervise_find_launcher(launcher, e) < 0 ||
        cli_open_json(c, &json, e) < 0 || cli_open_events(c, &events, e) < 0 ||
        cli_check_apart(c, json, events, e) < 0 ||
        cli_open_control(c, &control, e) < 0 ||
        supervise_close_strangers((int[]){ json, events, control }, 3, e) < 0 ||
        plan_seal(bytes, len, &plan_fd, e) < 0)
        return -1;
    /* Who wants the result has them there, and standard error is shared with
     * the command. */
    for (size_t i = 0; i < p.policy.nwarnings && !c->json; i++)
        (void)fprintf(stderr, "mxc: warning: %s\n", p.policy.warning[i]);
    *exit_code = supervise_plan(&(struct supervise_args){ .plan = &view,
                                                          .plan_fd = plan_fd,
                                                          .launcher = launcher,
                                                          .result_fd = json,
                                                          .events_fd = events,
                                                          .home = c->flags.home,
                                                          .control_fd = control,
                                                          .rows = c->rows,
                                                          .columns = c->columns,
                                                          .parent_fd = -1,
                                                          .parent = caller });
    return 0;
}

int cmd_run(int argc, char **argv)
{
    /* Before anything that takes time: an orphan has another parent. */
    struct cli c = { .caller = getppid() };
    struct err e = { 0 };
    int r;

    /* A reader that is gone, or a limit on file sizes, is an error: as an end
     * by a signal it would look like the workload's own. */
    supervise_ignore_signals();
    r = cli_parse(&c, command_find("run"), argc, argv);
    if (r < 0) {
        c.flags.term = getenv("TERM");
        c.flags.home = getenv("HOME");
        c.flags.data_home = getenv("XDG_DATA_HOME");
        c.flags.search_path = getenv("PATH");
        if (cli_run(&c, &r, &e) < 0)
            r = cli_fail(&c, &e, CLI_FAILED);
    }
    /* The process ends here: its memory goes with it. */
    return r;
}

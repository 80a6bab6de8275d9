/* stop.c - three ways to end what does not end: a signal, kill, and a
 * descriptor that mxc_run watches.
 *
 *     cc stop.c $(pkg-config --cflags --libs mxc) -o stop */
#include <mxc/mxc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char request[] =
    "{\"version\": \"1.1.0+c1\","
    " \"process\": {\"commandLine\": \"sleep 1000\"}}";

static void spawn_and(int kill_it)
{
    struct mxc_status status = { sizeof(status), 0, 0, 0, 0 };
    struct mxc_error error = MXC_ERROR_INIT;
    struct mxc_sandbox *sandbox;

    if (mxc_spawn(request, strlen(request), NULL, &sandbox, &error) < 0) {
        fprintf(stderr, "%s\n%s\n", error.message, error.hint);
        return;
    }
    if ((kill_it ? mxc_sandbox_kill(sandbox, &error)
                 : mxc_sandbox_signal(sandbox, SIGTERM, &error)) < 0)
        fprintf(stderr, "%s\n", error.message);
    if (mxc_sandbox_wait(sandbox, 10000, &status, &error) < 0)
        fprintf(stderr, "%s\n", error.message);
    if (status.how == MXC_SIGNALED)
        printf("signal %d ended it\n", (int)status.signal);
    if (status.how == MXC_KILLED)
        printf("killed, exit code %d\n", (int)status.exit_code);
    mxc_sandbox_destroy(sandbox);
}

static void run_and_cancel(void)
{
    struct mxc_options options = MXC_OPTIONS_INIT;
    struct mxc_result result = MXC_RESULT_INIT;
    struct mxc_error error = MXC_ERROR_INIT;
    int cancel[2];

    if (pipe(cancel) < 0)
        return;
    options.cancel_fd = cancel[0];
    /* Another thread would do this, at its time. */
    close(cancel[1]);
    if (mxc_run(request, strlen(request), &options, &result, &error) < 0)
        fprintf(stderr, "%s\n", error.message);
    printf("cancelled: %d\n", result.status.how == MXC_KILLED);
    mxc_result_clear(&result);
    close(cancel[0]);
}

int main(void)
{
    spawn_and(0);
    spawn_and(1);
    run_and_cancel();
    return 0;
}

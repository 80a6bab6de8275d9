/* pipes.c - talk to a command while it runs.
 *
 *     cc pipes.c $(pkg-config --cflags --libs mxc) -o pipes */
#include <mxc/mxc.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char request[] =
    "{\"version\": \"1.1.0+c1\","
    " \"process\": {\"commandLine\":"
    "   \"while read line; do echo \\\"you said: $line\\\"; done\"}}";

static int ask(struct mxc_sandbox *sandbox, const char *question)
{
    char answer[256];
    ssize_t n;

    if (write(mxc_sandbox_stdin(sandbox), question, strlen(question)) < 0)
        return -1;
    n = read(mxc_sandbox_stdout(sandbox), answer, sizeof(answer));
    if (n > 0)
        printf("%.*s", (int)n, answer);
    return n > 0 ? 0 : -1;
}

int main(void)
{
    struct mxc_options options = MXC_OPTIONS_INIT;
    struct mxc_status status = { sizeof(status), 0, 0, 0, 0 };
    struct mxc_error error = MXC_ERROR_INIT;
    struct mxc_sandbox *sandbox;
    struct pollfd end;

    options.stdio = MXC_STDIO_PIPE;
    if (mxc_spawn(request, strlen(request), &options, &sandbox, &error) < 0) {
        fprintf(stderr, "%s\n%s\n", error.message, error.hint);
        return 1;
    }
    if (ask(sandbox, "hello\n") < 0 || ask(sandbox, "good bye\n") < 0)
        fprintf(stderr, "it does not answer\n");

    /* Its input ends when the descriptor that is ours now is closed. */
    close(mxc_sandbox_take_stdin(sandbox));
    end.fd = mxc_sandbox_wait_fd(sandbox);
    end.events = POLLIN;
    poll(&end, 1, 10000);
    if (mxc_sandbox_wait(sandbox, 0, &status, &error) < 0)
        fprintf(stderr, "%s\n", error.message);
    printf("ended: %d, exit code %d\n", status.how == MXC_EXITED,
           (int)status.exit_code);
    mxc_sandbox_destroy(sandbox);
    return 0;
}

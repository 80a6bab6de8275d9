/* terminal.c - a command with a terminal of its own, without one of ours.
 *
 *     cc terminal.c $(pkg-config --cflags --libs mxc) -o terminal */
#include <mxc/mxc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char request[] =
    "{\"version\": \"1.1.0+c1\","
    " \"process\": {\"commandLine\":"
    "   \"tty; stty size; read line; stty size; echo bye\"}}";

int main(void)
{
    struct mxc_options options = MXC_OPTIONS_INIT;
    struct mxc_error error = MXC_ERROR_INIT;
    struct mxc_sandbox *sandbox;
    char screen[4096];
    size_t at = 0;
    int is_resized = 0;
    ssize_t n;

    options.stdio = MXC_STDIO_PTY;
    options.rows = 40;
    options.columns = 120;
    if (mxc_spawn(request, strlen(request), &options, &sandbox, &error) < 0) {
        fprintf(stderr, "%s\n%s\n", error.message, error.hint);
        return 1;
    }
    while (at < sizeof(screen) - 1 &&
           (n = read(mxc_sandbox_stdout(sandbox), screen + at,
                     sizeof(screen) - 1 - at)) > 0) {
        at += (size_t)n;
        screen[at] = '\0';
        if (is_resized || !strstr(screen, "40 120"))
            continue;
        is_resized = 1;
        if (mxc_sandbox_resize(sandbox, 25, 80, &error) < 0)
            fprintf(stderr, "%s\n", error.message);
        /* What the enter key sends. */
        if (write(mxc_sandbox_stdin(sandbox), "\r", 1) != 1)
            break;
    }
    fwrite(screen, 1, at, stdout);
    mxc_sandbox_destroy(sandbox);
    return 0;
}

/* events.c - what a command tried on the network, while and after it ran.
 *
 *     cc events.c $(pkg-config --cflags --libs mxc) -o events */
#include <mxc/mxc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char request[] =
    "{\"version\": \"1.1.0+c1\","
    " \"process\": {\"commandLine\":"
    "   \"bash -c 'exec 3<>/dev/tcp/198.51.100.7/80' || echo refused\"},"
    " \"network\": {\"egress\": {\"allow\":"
    "   [{\"to\": [{\"host\": \"example.com\"}]}]}}}";

int main(void)
{
    struct mxc_options options = MXC_OPTIONS_INIT;
    struct mxc_error error = MXC_ERROR_INIT;
    struct mxc_sandbox *sandbox;
    char line[4096];
    const char *json;
    ssize_t n;

    options.stdio = MXC_STDIO_FDS;
    options.stdout_fd = STDOUT_FILENO;
    options.stderr_fd = STDERR_FILENO;
    options.events = 1;
    if (mxc_spawn(request, strlen(request), &options, &sandbox, &error) < 0) {
        fprintf(stderr, "%s\n%s\n", error.message, error.hint);
        return 1;
    }
    /* Lines of JSON, until it has ended. */
    while ((n = read(mxc_sandbox_events(sandbox), line, sizeof(line))) > 0)
        printf("event: %.*s", (int)n, line);
    if (mxc_sandbox_wait(sandbox, -1, NULL, &error) < 0)
        fprintf(stderr, "%s\n", error.message);
    json = mxc_sandbox_result_json(sandbox);
    json = json ? strstr(json, "\"denials\"") : NULL;
    printf("in the end: %.60s...\n", json ? json : "no denial");
    mxc_sandbox_destroy(sandbox);
    return 0;
}

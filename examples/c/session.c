/* session.c - one sandbox for many commands.
 *
 *     cc session.c $(pkg-config --cflags --libs mxc) -o session */
#include <mxc/mxc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char policy[] = "{\"version\": \"1.1.0+c1\","
                             " \"phase\": \"provision\","
                             " \"containment\": \"native\"}";

static int failed(const struct mxc_error *error)
{
    fprintf(stderr, "%s\n%s\n", error->message, error->hint);
    return 1;
}

/* Run it to its end, and print what it said. */
static int run(struct mxc_session *session, const char *name,
               const struct mxc_command *command)
{
    struct mxc_result result = MXC_RESULT_INIT;
    struct mxc_error error = MXC_ERROR_INIT;

    if (mxc_session_run(session, command, NULL, &result, &error) < 0)
        return failed(&error);
    printf("%s says: %s", name, result.out);
    if (result.status.exit_code)
        printf("exit code %d\n", (int)result.status.exit_code);
    mxc_result_clear(&result);
    return 0;
}

/* Start it, and let it write to our own standard output. */
static int start(struct mxc_session *session, const struct mxc_command *command)
{
    struct mxc_options options = MXC_OPTIONS_INIT;
    struct mxc_status status = { sizeof(status), 0, 0, 0, 0 };
    struct mxc_error error = MXC_ERROR_INIT;
    struct mxc_sandbox *sandbox;

    options.stdio = MXC_STDIO_FDS;
    options.stdout_fd = STDOUT_FILENO;
    fflush(stdout);
    if (mxc_session_exec(session, command, &options, &sandbox, &error) < 0)
        return failed(&error);
    if (mxc_sandbox_wait(sandbox, -1, &status, &error) < 0)
        failed(&error);
    printf("ended: %d\n", status.how == MXC_EXITED);
    mxc_sandbox_destroy(sandbox);
    return 0;
}

static int use(struct mxc_session *session)
{
    static const char *const first[] = { "sh", "-c", "echo one | tee /tmp/note",
                                         NULL };
    static const char *const second[] = { "sed", "s/one/two/", "/tmp/note",
                                          NULL };
    static const char *const slow[] = { "sleep", "60", NULL };
    static const char *const own[] = { "echo", "by itself", NULL };
    struct mxc_command command = MXC_COMMAND_INIT;

    command.argv = first;
    if (run(session, "first", &command))
        return 1;
    command.argv = second;
    command.no_network = 1;
    if (run(session, "second", &command))
        return 1;
    command.argv = slow;
    command.timeout_ms = 100;
    if (run(session, "third", &command))
        return 1;
    command.argv = own;
    return start(session, &command);
}

int main(void)
{
    static const char *const argv[] = { "true", NULL };
    struct mxc_command command = MXC_COMMAND_INIT;
    struct mxc_error error = MXC_ERROR_INIT;
    struct mxc_session *session;
    struct mxc_sandbox *sandbox;
    int r;

    if (mxc_session_provision(policy, strlen(policy), NULL, &session, &error) <
        0)
        return failed(&error);
    r = mxc_session_start(session, &error) < 0 ? failed(&error) : 0;
    if (r == 0) {
        printf("started %s\n", mxc_session_id(session));
        r = use(session);
    }
    mxc_session_stop(session, 1000, NULL);
    command.argv = argv;
    if (mxc_session_exec(session, &command, NULL, &sandbox, &error) < 0)
        printf("stopped: %s\n", mxc_error_name(error.code));
    if (mxc_session_deprovision(session, 0, &error) < 0)
        r = failed(&error);
    if (mxc_session_start(session, &error) < 0)
        printf("gone: %s\n", mxc_error_name(error.code));
    mxc_session_close(session);
    return r;
}

/* pool.c - a sandbox that nobody has used, for each command.
 *
 *     cc pool.c $(pkg-config --cflags --libs mxc) -o pool */
#include <mxc/mxc.h>
#include <stdio.h>
#include <string.h>

static const char policy[] = "{\"version\": \"1.1.0+c1\"}";

static int failed(const struct mxc_error *error)
{
    fprintf(stderr, "%s\n%s\n", error->message, error->hint);
    return 1;
}

/* It waits a second for a sandbox, at most. */
static int claim(struct mxc_pool *pool, const struct mxc_command *command)
{
    struct mxc_result result = MXC_RESULT_INIT;
    struct mxc_error error = MXC_ERROR_INIT;

    if (mxc_pool_run(pool, command, 1000, NULL, &result, &error) < 0) {
        mxc_result_clear(&result);
        return failed(&error);
    }
    printf("%s", result.out);
    if (result.status.exit_code)
        printf("exit code %d\n", (int)result.status.exit_code);
    mxc_result_clear(&result);
    return 0;
}

static int use(struct mxc_pool *pool)
{
    static const char *const first[] = { "sh", "-c",
                                         "echo mine >/tmp/note; cat /tmp/note",
                                         NULL };
    static const char *const second[] = { "cat", "/tmp/note", NULL };
    static const char *const third[] = { "ls", "/usr/share/doc", NULL };
    static const char *const granted[] = { "/usr/share/doc", NULL };
    struct mxc_command command = MXC_COMMAND_INIT;

    command.argv = first;
    if (claim(pool, &command))
        return 1;
    /* Not of this one: its sandbox is another. */
    command.argv = second;
    if (claim(pool, &command))
        return 1;
    /* What is known only now: a path of the host's, for this command. */
    command.argv = third;
    command.readonly = granted;
    command.timeout_ms = 10000;
    return claim(pool, &command);
}

int main(void)
{
    struct mxc_error error = MXC_ERROR_INIT;
    struct mxc_pool *pool;
    int r;

    if (mxc_pool_start(policy, strlen(policy), NULL, 2, NULL, &pool, &error) <
        0)
        return failed(&error);
    printf("pool %s\n", mxc_pool_name(pool));
    r = use(pool);
    if (mxc_pool_stop(pool, 1000, &error) < 0)
        r = failed(&error);
    mxc_pool_close(pool);
    return r;
}

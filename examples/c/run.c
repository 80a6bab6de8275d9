/* run.c - run a command to its end, with input, and keep its output.
 *
 *     cc run.c $(pkg-config --cflags --libs mxc) -o run */
#include <mxc/mxc.h>
#include <stdio.h>
#include <string.h>

static const char request[] =
    "{\"version\": \"1.1.0+c1\","
    " \"process\": {\"commandLine\": \"sort -n; echo done >&2; exit 3\","
    "               \"timeout\": 10000}}";

int main(void)
{
    struct mxc_options options = MXC_OPTIONS_INIT;
    struct mxc_result result = MXC_RESULT_INIT;
    struct mxc_error error = MXC_ERROR_INIT;

    options.input = "30\n4\n200\n";
    options.input_len = strlen(options.input);
    options.output_max = 1 << 20;
    if (mxc_run(request, strlen(request), &options, &result, &error) < 0) {
        fprintf(stderr, "%s\n%s\n", error.message, error.hint);
        mxc_result_clear(&result);
        return 1;
    }
    if (result.status.how == MXC_EXITED)
        printf("exit code %d\n", (int)result.status.exit_code);
    else if (result.status.how == MXC_TIMED_OUT)
        printf("it took too long\n");
    fwrite(result.out, 1, result.out_len, stdout);
    printf("it also said: %s", result.err);
    if (result.out_lost)
        printf("and %llu bytes more\n", (unsigned long long)result.out_lost);
    mxc_result_clear(&result);
    return 0;
}

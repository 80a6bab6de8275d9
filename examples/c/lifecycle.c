/* lifecycle.c - a session by requests alone: what a program passes on that
 * has its requests from elsewhere.
 *
 *     cc lifecycle.c $(pkg-config --cflags --libs mxc) -o lifecycle */
#include <mxc/mxc.h>
#include <stdio.h>
#include <string.h>

static const char provision[] = "{\"version\": \"1.1.0+c1\","
                                " \"phase\": \"provision\","
                                " \"containment\": \"process\"}";

static int failed(const struct mxc_error *error)
{
    char *json = mxc_error_json(error);

    fprintf(stderr, "{\"error\":%s}\n", json ? json : "null");
    mxc_free(json);
    return 1;
}

/* `more` is what the phase needs besides the id. */
static const char *request(const char *phase, const char *id, const char *more)
{
    static char text[512];

    snprintf(text, sizeof(text),
             "{\"version\": \"1.1.0+c1\", \"phase\": \"%s\","
             " \"sandboxId\": \"%s\"%s}",
             phase, id, more);
    return text;
}

static int step(const char *phase, const char *id)
{
    struct mxc_error error = MXC_ERROR_INIT;
    const char *text = request(phase, id, "");
    char *response;

    if (mxc_lifecycle(text, strlen(text), NULL, &response, &error) < 0)
        return failed(&error);
    printf("%s: %s\n", phase, response);
    mxc_free(response);
    return 0;
}

static int exec(const char *id)
{
    struct mxc_result result = MXC_RESULT_INIT;
    struct mxc_error error = MXC_ERROR_INIT;
    const char *text = request(
        "exec", id, ", \"process\": {\"commandLine\": \"echo hello; exit 3\"}");
    int r = mxc_lifecycle_run(text, strlen(text), NULL, &result, &error);

    if (r == 0)
        printf("exec: %d, %s", (int)result.status.exit_code, result.out);
    mxc_result_clear(&result);
    return r < 0 ? failed(&error) : 0;
}

int main(void)
{
    struct mxc_error error = MXC_ERROR_INIT;
    char id[128], *response, *at;
    int r;

    if (mxc_lifecycle(provision, strlen(provision), NULL, &response, &error) <
        0)
        return failed(&error);
    printf("provision: %s\n", response);
    /* A JSON parser is better at this. */
    at = strstr(response, "\"sandboxId\":\"");
    r = at && sscanf(at, "\"sandboxId\":\"%127[^\"]", id) == 1 ? 0 : 1;
    mxc_free(response);
    if (r)
        return 1;
    r = step("start", id) || exec(id) || step("stop", id);
    /* The second one is told that it is gone. */
    return step("deprovision", id) || !step("deprovision", id) || r;
}

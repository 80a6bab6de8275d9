/* look.c - would it run here, and what would be enforced?
 *
 *     cc look.c $(pkg-config --cflags --libs mxc) -o look */
#include <mxc/mxc.h>
#include <stdio.h>
#include <string.h>

static const char good[] =
    "{\"version\": \"1.1.0+c1\","
    " \"process\": {\"commandLine\": \"ls /usr/share/doc\"},"
    " \"filesystem\": {\"readonlyPaths\": [\"/usr/share\"]}}";

static const char bad[] =
    "{\"version\": \"1.1.0+c1\",\n"
    " \"process\": {\"commandLine\": \"true\"},\n"
    " \"filesystem\": {\"readonlyPaths\": [\"/no/such/directory\"]}}";

int main(void)
{
    struct mxc_error error = MXC_ERROR_INIT;
    char *text;

    printf("libmxc %s\n", mxc_library_version());
    if (mxc_validate(good, strlen(good), NULL, &error) == 0)
        printf("the first would run\n");

    if (mxc_validate(bad, strlen(bad), NULL, &error) < 0) {
        printf("the second would not: %s\n", error.message);
        printf("  at %s, line %u; %s (%s)\n", error.where, error.line,
               error.hint, mxc_error_name(error.code));
        text = mxc_error_json(&error);
        printf("  as JSON: %s\n", text ? text : "out of memory");
        mxc_free(text);
    }

    if (mxc_explain(good, strlen(good), NULL, &text, &error) == 0) {
        printf("\n%s", text);
        mxc_free(text);
    }
    if (mxc_receipt(good, strlen(good), NULL, &text, &error) == 0) {
        printf("\nreceipt: %.40s...\n", text);
        mxc_free(text);
    }
    if (mxc_probe(&text, &error) < 0) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    printf("host: %.14s...\n", text);
    mxc_free(text);
    return 0;
}

/* lifecycle.c - provisions a session again and again, and lets the N-th
 * allocation fail:
 *
 *   lifecycle LIBEXEC RUNTIME
 *
 * Linked with libmxc.a and --wrap of malloc, calloc and realloc.  A call that
 * failed has left nothing in RUNTIME/mxc.  Prints how many failed. */
#include <dirent.h>
#include <mxc/mxc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long count, nth;

static int fails(void)
{
    return nth && ++count == nth;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

static int kept(const char *runtime)
{
    char path[4096];
    DIR *d;
    int n = 0;

    (void)snprintf(path, sizeof(path), "%s/mxc", runtime);
    d = opendir(path);
    if (!d)
        return 0;
    for (struct dirent *i = readdir(d); i; i = readdir(d))
        n += strcmp(i->d_name, ".") != 0 && strcmp(i->d_name, "..") != 0;
    (void)closedir(d);
    return n;
}

int main(int argc, char **argv)
{
    static const char request[] =
        "{\"version\":\"1.1.0+c1\",\"phase\":\"provision\","
        "\"containment\":\"process\"}";
    struct mxc_options o = MXC_OPTIONS_INIT;
    int r = -1;

    if (argc != 3)
        return 2;
    o.libexec = argv[1];
    o.runtime = argv[2];
    for (long i = 1; r < 0; i++) {
        struct mxc_error e = MXC_ERROR_INIT;
        char *answer = NULL;

        count = 0;
        nth = i;
        r = mxc_lifecycle(request, strlen(request), &o, &answer, &e);
        nth = 0;
        if (r < 0 && kept(argv[2])) {
            printf("left after allocation %ld: %s\n", i, e.message);
            return 1;
        }
        if (r == 0)
            printf("%ld %d\n", i - 1, kept(argv[2]));
        mxc_free(answer);
    }
    return 0;
}

/* reload.c - load libmxc_ffi, run, unload, as MXC's SDK does for every run;
 * in threads that end, too.  Arguments: the library, how often, the request.
 * Says "done" when nothing of it is left in the process. */
#include <dirent.h>
#include <dlfcn.h>
#include <mxc/mxc_ffi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *library, *request;

static int entries(const char *directory)
{
    DIR *d = opendir(directory);
    int n = 0;

    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

static int is_mapped(void)
{
    char line[4096];
    FILE *f = fopen("/proc/self/maps", "r");
    int found = 0;

    while (f && fgets(line, sizeof(line), f))
        found |= strstr(line, "libmxc_ffi") != NULL;
    if (f)
        fclose(f);
    return found;
}

static void fail(const char *what)
{
    fprintf(stderr, "reload.c: %s\n", what);
    exit(1);
}

static void *once(void *unused)
{
    void *lib = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    int32_t (*run)(const char *, int32_t, MxcRunResult *);
    void (*clear)(MxcRunResult *);
    MxcRunResult r;

    (void)unused;
    if (!lib)
        fail(dlerror());
    *(void **)&run = dlsym(lib, "mxc_run_json");
    *(void **)&clear = dlsym(lib, "mxc_run_result_free");
    if (!run || !clear)
        fail("no such function");
    if (run(request, 0, &r))
        fail(r.error.message_utf8);
    if (r.exit_code != 5 || strcmp(r.stdout_utf8, "hello\n") != 0)
        fail("not what it should say");
    clear(&r);
    dlclose(lib);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t t;
    int fds, tasks;

    if (argc != 4)
        return 2;
    library = argv[1];
    request = argv[3];
    once(NULL);
    fds = entries("/proc/self/fd");
    tasks = entries("/proc/self/task");
    for (int i = atoi(argv[2]); i > 0; i--) {
        if (i % 2) {
            once(NULL);
        } else {
            if (pthread_create(&t, NULL, once, NULL) || pthread_join(t, NULL))
                fail("no thread");
        }
    }
    if (is_mapped())
        fail("the library is still mapped");
    if (entries("/proc/self/fd") != fds)
        fail("descriptors are left");
    if (entries("/proc/self/task") != tasks)
        fail("threads are left");
    puts("done");
    return 0;
}

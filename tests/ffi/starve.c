/* starve.c - the library without memory and descriptors: each call that it
 * makes for them fails once, in turn.  Whatever a function answers then, it
 * must leave nothing behind.  Prints how many failed; "done" at the end.
 *
 * The functions here stand in front of libc's for the whole process. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <mxc/mxc_ffi.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

static long turn = -1; /* fails when it has become 0; below: none does */
static long live, failed, rounds;

static int fails(void)
{
    if (turn < 0 || turn-- > 0)
        return 0;
    failed++;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    void *p = fails() ? NULL : __libc_malloc(size);

    live += p != NULL;
    return p;
}

void *calloc(size_t n, size_t size)
{
    void *p = fails() ? NULL : __libc_calloc(n, size);

    live += p != NULL;
    return p;
}

void *realloc(void *old, size_t size)
{
    void *p = fails() ? NULL : __libc_realloc(old, size);

    live += p && !old;
    return p;
}

void free(void *p)
{
    live -= p != NULL;
    __libc_free(p);
}

int eventfd(unsigned count, int flags)
{
    static int (*real)(unsigned, int);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "eventfd");
    return fails() ? -1 : real(count, flags);
}

static void must(int truth, const char *what, const char *name)
{
    if (truth)
        return;
    fprintf(stderr, "starve.c: %s: %s, round %ld\n", name, what, rounds);
    exit(1);
}

static const char hello[] = "{\"version\":\"1.0.0\",\"process\":{"
                            "\"commandLine\":\"echo a; echo b >&2; exit 3\"},"
                            "\"telemetry\":{\"enabled\":true}}";
static const char stop[] = "{\"version\":\"1.0.0\",\"phase\":\"stop\","
                           "\"sandboxId\":\"abc:1\"}";

static void run_it(const char *request)
{
    MxcRunResult r;
    int32_t status = mxc_run_json(request, 0, &r);

    must(status == r.status, "two statuses", "run");
    must(status == 0 ||
             (!r.stdout_utf8 && !r.warnings_json_utf8 && !r.exit_code),
         "half a result", "run");
    must(status != 0 ||
             (r.exit_code == 3 && strcmp(r.stdout_utf8, "a\n") == 0 &&
              strcmp(r.stderr_utf8, "b\n") == 0 && r.warnings_json_utf8),
         "a wrong result", "run");
    mxc_run_result_free(&r);
}

static void run(void)
{
    run_it(hello);
}

static void refused(void)
{
    run_it("{\"version\":\"1.0.0\",\"process\":{\"commandLine\":1}}");
}

static void read_out(MxcReadStream *s)
{
    uint8_t bytes[16];
    size_t n = 1;

    while (s && n && mxc_stream_read(s, bytes, sizeof(bytes), &n) == 0)
        ;
    mxc_read_stream_free(s);
}

static void spawn(void)
{
    MxcSandbox *box = (MxcSandbox *)1;
    MxcErrorDetail e;
    MxcStreamCloser *c;
    int32_t status = mxc_spawn_json(hello, 0, &box, &e), code, late;
    char *text = NULL;

    must(!status == (box != NULL), "a handle beside an error", "spawn");
    if (status) {
        mxc_error_detail_free(&e);
        return;
    }
    c = mxc_sandbox_stdout_closer(box);
    mxc_write_stream_free(mxc_sandbox_take_stdin(box));
    read_out(mxc_sandbox_take_stdout(box));
    read_out(mxc_sandbox_take_stderr(box));
    if (c)
        must(mxc_stream_closer_close(c) == 0, "it cannot close", "spawn");
    mxc_stream_closer_free(c);
    status = mxc_sandbox_wait(box, &code, &late);
    /* -1: it could not be told how it ended, and a warning says so. */
    must(status || ((code == 3 || code == -1) && !late), "a wrong end",
         "spawn");
    if (mxc_sandbox_warnings_json(box, &text) == 0 && !status)
        must(text != NULL, "a warning was lost", "spawn");
    mxc_string_free(text);
    mxc_sandbox_free(box);
}

static void lifecycle(void)
{
    MxcStateAwareResult r;

    must(mxc_run_state_aware_json(stop, 0, 0, &r) != 0, "it worked",
         "lifecycle");
    must(!r.response_json_utf8, "a response", "lifecycle");
    mxc_state_aware_result_free(&r);
}

static void looking(void)
{
    char *text = mxc_platform_support_json();

    mxc_string_free(text);
    text = mxc_available_backends_json();
    mxc_string_free(text);
    if (mxc_telemetry_get_consent(&text) == 0)
        mxc_string_free(text);
}

static int descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void starve(const char *name, void (*what)(void))
{
    long before;
    int fds;

    rounds = 0;
    what(); /* once for what libc keeps */
    fds = descriptors();
    before = live;
    do {
        failed = 0;
        turn = rounds++;
        what();
        turn = -1;
        must(live == before, "memory is left", name);
    } while (failed);
    must(descriptors() == fds, "descriptors are left", name);
    printf("%s %ld\n", name, rounds - 1);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    starve("refused", refused);
    starve("lifecycle", lifecycle);
    starve("run", run);
    starve("spawn", spawn);
    starve("looking", looking);
    puts("done");
    return 0;
}

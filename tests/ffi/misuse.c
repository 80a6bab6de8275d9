/* misuse.c - every function of libmxc_ffi from C, right and wrong, for
 * valgrind and the sanitizers to watch.  Ends with 0 and says "done".  With an
 * argument nothing is run: valgrind lacks the system calls for that. */
#include <mxc/mxc_ffi.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUN    "\"version\":\"1.0.0\",\"process\":{\"commandLine\":"
#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static void must(int truth, const char *what, int line)
{
    if (truth)
        return;
    fprintf(stderr, "misuse.c:%d: %s\n", line, what);
    exit(1);
}
#define MUST(x) must((x), #x, __LINE__)

static void null_handles(void)
{
    char *text = (char *)1;
    int32_t a = 7, b = 7, c = 7;
    size_t n = 7;
    uint8_t byte = 0;
    MxcNativeStdio io;

    MUST(mxc_sandbox_id(NULL) == 0);
    MUST(mxc_sandbox_wait(NULL, &a, &b) == 100);
    MUST(mxc_sandbox_try_wait(NULL, &a, &b, &c) == 100);
    MUST(a == 7 && b == 7 && c == 7);
    MUST(mxc_sandbox_kill(NULL) == 100);
    MUST(mxc_sandbox_kill_for_timeout(NULL) == 100);
    MUST(mxc_sandbox_pty_resize(NULL, 1, 1) == 100);
    MUST(mxc_sandbox_take_native_stdio(NULL, &io) == 100);
    MUST(mxc_sandbox_warnings_json(NULL, &text) == 100 && !text);
    MUST(mxc_sandbox_output_metadata_json(NULL, &text) == 100 && !text);
    MUST(!mxc_sandbox_take_stdin(NULL) && !mxc_sandbox_take_stdout(NULL) &&
         !mxc_sandbox_take_stderr(NULL));
    MUST(!mxc_sandbox_stdout_closer(NULL) && !mxc_sandbox_stderr_closer(NULL));
    MUST(mxc_stream_read(NULL, &byte, 1, &n) == 100 && n == 7);
    MUST(mxc_stream_write(NULL, &byte, 1, &n) == 100 && n == 7);
    MUST(mxc_stream_flush(NULL) == 100);
    MUST(mxc_stream_closer_close(NULL) == 100);
    mxc_sandbox_free(NULL);
    mxc_read_stream_free(NULL);
    mxc_write_stream_free(NULL);
    mxc_stream_closer_free(NULL);
    mxc_string_free(NULL);
    mxc_error_detail_free(NULL);
    mxc_run_result_free(NULL);
    mxc_state_aware_result_free(NULL);
    mxc_native_pipe_close(-1);
}

static void null_requests(void)
{
    MxcSandbox *box = (MxcSandbox *)1;
    MxcErrorDetail e;
    MxcExecOutcome outcome;

    MUST(mxc_run_json("{}", 0, NULL) == 100);
    MUST(mxc_run_state_aware_json("{}", 0, 0, NULL) == 100);
    MUST(mxc_run_state_aware_exec_json("{}", 0, NULL) == 100);
    MUST(mxc_exec_state_aware_attached_json("{}", 0, NULL, NULL) == 100);
    MUST(mxc_exec_state_aware_attached_json(NULL, 0, &outcome, NULL) == 100);
    MUST(mxc_spawn_json("{}", 0, NULL, NULL) == 100);
    MUST(mxc_spawn_pty_json("{}", 0, 0, 0, NULL, NULL) == 100);
    MUST(mxc_exec_state_aware_json("{}", 0, NULL, NULL) == 100);
    MUST(mxc_state_aware_exec_pty("{}", 0, 0, 0, NULL, NULL) == 100);
    /* What is there is overwritten, not freed. */
    memset(&e, 0x5a, sizeof(e));
    MUST(mxc_spawn_json(NULL, 0, &box, &e) == 100 && !box && e.message_utf8);
    mxc_error_detail_free(&e);
    mxc_error_detail_free(&e);
    memset(&e, 0x5a, sizeof(e));
    MUST(mxc_spawn_json("{}", 0, &box, &e) == 1 && !box && e.message_utf8);
    mxc_error_detail_free(&e);
    MUST(mxc_spawn_json("{}", 0, &box, NULL) == 1);
    MUST(mxc_spawn_pty_json("{}", 0, 0, 0, &box, NULL) == 1);
}

static void bad_requests(void)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "\xff",
        "nul",
        "{" RUN "1}}",
        "{" RUN "\"\"}}",
        "{" RUN "\"true\"},\"containment\":\"wslc\"}",
        "{" RUN "\"true\"},\"filesystem\":{\"readonlyPaths\":[\"/no/\"]}}",
        "{\"version\":\"1.0.0\",\"phase\":\"stop\",\"sandboxId\":\"iso:1\"}",
        "{\"version\":\"1.0.0\",\"phase\":\"stop\",\"sandboxId\":\"x\"}",
        "{\"version\":\"1.0.0\",\"phase\":\"exec\",\"sandboxId\":\"wslc:1\","
        "\"process\":{\"commandLine\":\"a\"}}",
    };
    MxcRunResult r;
    MxcStateAwareResult s;
    MxcSandbox *box;
    MxcErrorDetail e;

    for (size_t i = 0; i < LEN(texts); i++) {
        memset(&r, 0x5a, sizeof(r));
        MUST(mxc_run_json(texts[i], 0, &r) != 0 && r.status);
        MUST(r.error.message_utf8 && !r.stdout_utf8);
        mxc_run_result_free(&r);
        mxc_run_result_free(&r);
        memset(&s, 0x5a, sizeof(s));
        MUST(mxc_run_state_aware_json(texts[i], 1, 1, &s) != 0 && s.status);
        MUST(s.error.message_utf8 && !s.response_json_utf8);
        mxc_state_aware_result_free(&s);
        mxc_state_aware_result_free(&s);
        MUST(mxc_exec_state_aware_json(texts[i], 0, &box, &e) != 0 && !box);
        mxc_error_detail_free(&e);
        MUST(mxc_state_aware_exec_pty(texts[i], 0, 2, 2, &box, &e) != 0);
        mxc_error_detail_free(&e);
    }
}

static void runs(void)
{
    MxcRunResult r;

    MUST(mxc_run_json("{" RUN "\"printf 'a\\\\0b\\\\377'; exit 3\"},"
                      "\"telemetry\":{\"enabled\":true}}",
                      0, &r) == 0);
    MUST(r.exit_code == 3 && !r.timed_out && r.warnings_json_utf8);
    MUST(strcmp(r.stdout_utf8, "a\xef\xbf\xbd"
                               "b\xef\xbf\xbd") == 0);
    mxc_run_result_free(&r);
    MUST(mxc_run_json("{" RUN "\"true\",\"cwd\":\"/no/such\"}}", 0, &r) == 12);
    mxc_run_result_free(&r);
    MUST(mxc_run_json("{" RUN "\"sleep 50\",\"timeout\":100}}", 0, &r) == 0);
    MUST(r.exit_code == -1 && r.timed_out == 1);
    mxc_run_result_free(&r);
}

static MxcSandbox *start(const char *request)
{
    MxcErrorDetail e = { 0 };
    MxcSandbox *box = NULL;

    if (mxc_spawn_json(request, 0, &box, &e))
        must(0, e.message_utf8, __LINE__);
    MUST(!e.message_utf8);
    return box;
}

static void wrong_order(void)
{
    MxcSandbox *box = start("{" RUN "\"cat\"}}");
    MxcReadStream *out = mxc_sandbox_take_stdout(box);
    MxcStreamCloser *closer = mxc_sandbox_stdout_closer(box);
    MxcWriteStream *in = mxc_sandbox_take_stdin(box);
    MxcNativeStdio io;
    uint8_t bytes[8];
    int32_t code, late;
    size_t n = 9;
    char *text = (char *)1;

    MUST(mxc_stream_read(out, NULL, 1, &n) == 100);
    MUST(mxc_stream_read(out, bytes, 1, NULL) == 100);
    MUST(mxc_stream_read(out, bytes, 0, &n) == 0 && n == 0);
    MUST(mxc_stream_write(in, NULL, 1, &n) == 100);
    MUST(mxc_stream_write(in, bytes, 1, NULL) == 100);
    MUST(mxc_stream_write(in, bytes, 0, &n) == 0 && n == 0);
    MUST(mxc_sandbox_wait(box, NULL, &late) == 100);
    MUST(mxc_sandbox_try_wait(box, &code, NULL, &late) == 100);
    MUST(mxc_sandbox_take_native_stdio(box, NULL) == 100);
    MUST(mxc_sandbox_take_native_stdio(box, &io) == 12 &&
         io.stdin_handle == -1);
    MUST(mxc_sandbox_warnings_json(box, NULL) == 100);
    MUST(mxc_sandbox_warnings_json(box, &text) == 0 && !text);
    MUST(mxc_sandbox_pty_resize(box, 5, 5) == 12);
    MUST(mxc_sandbox_kill(box) == 0);
    MUST(mxc_sandbox_wait(box, &code, &late) == 0 && code == -1 && !late);
    mxc_sandbox_free(box);
    /* The handle is gone, what it gave is not. */
    MUST(mxc_stream_read(out, bytes, sizeof(bytes), &n) == 0 && n == 0);
    MUST(mxc_stream_write(in, bytes, 1, &n) == 12);
    MUST(mxc_stream_closer_close(closer) == 0);
    mxc_read_stream_free(out);
    MUST(mxc_stream_closer_close(closer) == 0);
    mxc_stream_closer_free(closer);
    mxc_write_stream_free(in);
}

static void *read_on(void *stream)
{
    uint8_t bytes[64];
    size_t n = 9;

    while (mxc_stream_read(stream, bytes, sizeof(bytes), &n) == 0 && n)
        ;
    mxc_read_stream_free(stream);
    return NULL;
}

static void *close_it(void *closer)
{
    MUST(mxc_stream_closer_close(closer) == 0);
    mxc_stream_closer_free(closer);
    return NULL;
}

/* Reading, closing and the free of the handle, all at once. */
static void threads(void)
{
    for (int i = 0; i < 3; i++) {
        MxcSandbox *box = start("{" RUN "\"yes\"}}");
        pthread_t t[6];
        size_t n = 0;

        MUST(!pthread_create(&t[n++], NULL, read_on,
                             mxc_sandbox_take_stdout(box)));
        MUST(!pthread_create(&t[n++], NULL, read_on,
                             mxc_sandbox_take_stderr(box)));
        while (n < LEN(t)) {
            MxcStreamCloser *c = n % 2 ? mxc_sandbox_stdout_closer(box)
                                       : mxc_sandbox_stderr_closer(box);

            MUST(c && !pthread_create(&t[n++], NULL, close_it, c));
        }
        mxc_sandbox_free(box);
        while (n)
            MUST(!pthread_join(t[--n], NULL));
    }
}

static void terminal(void)
{
    MxcSandbox *box = NULL;
    MxcNativeStdio io;
    int32_t code, late;

    MUST(mxc_spawn_pty_json("{" RUN "\"exit 4\"}}", 0, 20, 30, &box, NULL) ==
         0);
    MUST(mxc_sandbox_pty_resize(box, 21, 31) == 0);
    MUST(!mxc_sandbox_stdout_closer(box) && !mxc_sandbox_take_stderr(box));
    MUST(mxc_sandbox_take_native_stdio(box, &io) == 0);
    mxc_native_pipe_close(io.stdin_handle);
    mxc_native_pipe_close(io.stdout_handle);
    MUST(mxc_sandbox_wait(box, &code, &late) == 0 && code == 4);
    MUST(mxc_sandbox_kill_for_timeout(box) == 0);
    MUST(mxc_sandbox_wait(box, &code, &late) == 0 && code == 4 && !late);
    mxc_sandbox_free(box);
}

static void looking(void)
{
    char *text = mxc_available_backends_json();

    MUST(text && text[0] == '[');
    mxc_string_free(text);
    text = mxc_platform_support_json();
    MUST(text && text[0] == '{');
    mxc_string_free(text);
    MUST(mxc_telemetry_get_consent(&text) == 0);
    mxc_string_free(text);
    MUST(strcmp(mxc_version(), "1.0.1") == 0);
}

int main(int argc, char **argv)
{
    (void)argv;
    null_handles();
    null_requests();
    bad_requests();
    if (argc == 1) {
        runs();
        wrong_order();
        threads();
        terminal();
        looking();
    }
    puts("done");
    return 0;
}

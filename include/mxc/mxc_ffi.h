/* mxc_ffi.h - the C interface of MXC 1.0.1, on our engine: libmxc_ffi.so.
 *
 * Symbols, layouts, numbers and ownership are MXC's, so that what was written
 * for its library runs on ours.  New programs find more in mxc/mxc.h; the two
 * share five names with other meanings, so one file cannot include both.
 *
 * Requests: JSON of any contract from 0.6.0-alpha to 1.1.0-alpha or of
 * 1.1.0+c1, UTF-8, ended by NUL.  `experimental` opens MXC's gate to backends
 * that are not finished; no backend of this library has one.
 *
 * Ownership: a `char *` that a call gives away goes to mxc_string_free, a
 * result or error detail to its own free function, which clears it and may be
 * called again.  A result is to be freed after every call that was given it,
 * failed ones too.  An error detail is overwritten unfreed: it must hold none.
 * Handles, streams and closers have one free function each; NULL is fine
 * there, a second time is not.  Streams and closers outlive their handle.
 *
 * Threads: calls on different objects are independent, and no call depends on
 * the thread of another: whoever spawned may end.  On one handle, waiting,
 * killing and taking may come from several threads at once; freeing must be
 * the last.  A stream is for one thread at a time, each its own; a closer may
 * be closed by any, also while its stream is read or freed.
 *
 * The process: no thread, no signal handler, no SIGPIPE, and no child that
 * wait(2) sees (but where pid 1 buries nobody: mxc/mxc.h); its standard
 * streams are left alone.  A sandbox ends with it, not with a thread.
 * dlclose(3) is safe when no call is going on, also with handles that live:
 * they work again when the library is loaded again. */
#ifndef MXC_MXC_FFI_H
#define MXC_MXC_FFI_H

#include <stddef.h>
#include <stdint.h>

#ifdef MXC_MXC_H
#error "mxc/mxc.h and mxc/mxc_ffi.h have functions of the same names"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MXC_FFI_API __attribute__((visibility("default")))
#else
#define MXC_FFI_API
#endif

/* What an int32_t is, where nothing else is said.  Codes of the contract: */
enum {
    MXC_FFI_OK = 0,
    MXC_FFI_MALFORMED_REQUEST = 1,
    MXC_FFI_UNSUPPORTED_CONTAINMENT = 2,
    MXC_FFI_UNSUPPORTED_PHASE = 3,
    MXC_FFI_BACKEND_UNAVAILABLE = 4,
    MXC_FFI_MALFORMED_ID = 5,
    MXC_FFI_STALE_ID = 6,
    MXC_FFI_NOT_PROVISIONED = 7,
    MXC_FFI_NOT_STARTED = 8,
    MXC_FFI_ALREADY_STARTED = 9,
    MXC_FFI_ALREADY_STOPPED = 10,
    MXC_FFI_POLICY_VALIDATION = 11,
    MXC_FFI_BACKEND_ERROR = 12,
    /* ... and of the interface: */
    MXC_FFI_NULL_POINTER = 100,
    MXC_FFI_NOT_UTF8 = 101,
    MXC_FFI_INTERNAL = 103 /* no memory for the answer */
};

/* Strings or NULL; message_utf8 is there after every failure that has one. */
typedef struct MxcErrorDetail {
    char *message_utf8;
    char *operation_utf8;   /* the call that failed: "mount(2)" */
    char *native_code_utf8; /* its errno: "EPERM"; only with an operation */
    char *remediation_utf8; /* what would mend it */
} MxcErrorDetail;

/* Output is text: what is no UTF-8, and NUL, becomes U+FFFD.  Bytes as they
 * are come from mxc_spawn_json.  Of each stream 256 MiB are kept; a warning
 * says when there was more. */
typedef struct MxcRunResult {
    int32_t status;
    int32_t exit_code; /* 128 + N after signal N, -1 after a timeout */
    int32_t timed_out; /* 0 or 1 */
    char *stdout_utf8; /* this and the next: NULL after a failure */
    char *stderr_utf8;
    MxcErrorDetail error;
    char *output_metadata_json_utf8; /* of captureDenials, or NULL */
    char *warnings_json_utf8;        /* an array of strings, or NULL */
} MxcRunResult;

typedef struct MxcStateAwareResult {
    int32_t status;
    char *response_json_utf8; /* the envelope, or NULL after a failure */
    MxcErrorDetail error;
} MxcStateAwareResult;

/* Descriptors, or -1. */
typedef struct MxcNativeStdio {
    intptr_t stdin_handle;
    intptr_t stdout_handle;
    intptr_t stderr_handle;
} MxcNativeStdio;

typedef struct MxcExecOutcome {
    int32_t timed_out;
    int32_t exit_code;
} MxcExecOutcome;

typedef struct MxcSandbox MxcSandbox;
typedef struct MxcReadStream MxcReadStream;
typedef struct MxcWriteStream MxcWriteStream;
typedef struct MxcStreamCloser MxcStreamCloser;

/* --- one request, one run --------------------------------------------- */

/* Run to the end with empty input.  That the workload failed is no failure of
 * the call.  Without *out nothing runs. */
MXC_FFI_API int32_t mxc_run_json(const char *request, int32_t experimental,
                                 MxcRunResult *out);
MXC_FFI_API void mxc_run_result_free(MxcRunResult *result);

/* Start with three pipes, or with a terminal of 1 to 32767 rows and columns.
 * *out is NULL after a failure.  What fails later than this call shows as a
 * workload that ended with -1, 126 or 127, and as a warning that says why. */
MXC_FFI_API int32_t mxc_spawn_json(const char *request, int32_t experimental,
                                   MxcSandbox **out, MxcErrorDetail *error);
MXC_FFI_API int32_t mxc_spawn_pty_json(const char *request,
                                       int32_t experimental, uint16_t rows,
                                       uint16_t columns, MxcSandbox **out,
                                       MxcErrorDetail *error);

/* --- handles ---------------------------------------------------------- */

/* BACKEND_ERROR without a terminal; fine after the end. */
MXC_FFI_API int32_t mxc_sandbox_pty_resize(MxcSandbox *sandbox, uint16_t rows,
                                           uint16_t columns);

/* Each stream once; NULL when there is none, or it is taken, or was drained by
 * mxc_sandbox_wait.  A terminal has no standard error. */
MXC_FFI_API MxcWriteStream *mxc_sandbox_take_stdin(MxcSandbox *sandbox);
MXC_FFI_API MxcReadStream *mxc_sandbox_take_stdout(MxcSandbox *sandbox);
MXC_FFI_API MxcReadStream *mxc_sandbox_take_stderr(MxcSandbox *sandbox);

/* All three as descriptors of the caller's, close-on-exec: pipes; with three
 * of them the two that are read do not block.  BACKEND_UNAVAILABLE when they
 * were transferred before or have been drained, BACKEND_ERROR when a single
 * stream was taken. */
MXC_FFI_API int32_t mxc_sandbox_take_native_stdio(MxcSandbox *sandbox,
                                                  MxcNativeStdio *out);
MXC_FFI_API void mxc_native_pipe_close(intptr_t handle); /* -1 is fine */

/* Whatever becomes of the stream, a closer ends its reads.  NULL for a
 * terminal and after a transfer. */
MXC_FFI_API MxcStreamCloser *mxc_sandbox_stdout_closer(MxcSandbox *sandbox);
MXC_FFI_API MxcStreamCloser *mxc_sandbox_stderr_closer(MxcSandbox *sandbox);

/* Process id of the sandbox's supervisor; 0 for NULL. */
MXC_FFI_API uint32_t mxc_sandbox_id(const MxcSandbox *sandbox);

/* *out is NULL when there is none, or it still runs. */
MXC_FFI_API int32_t mxc_sandbox_output_metadata_json(MxcSandbox *sandbox,
                                                     char **out);
MXC_FFI_API int32_t mxc_sandbox_warnings_json(MxcSandbox *sandbox, char **out);

/* How it ended: exit code and 0, or -1 and 1 for a timeout, or -1 and 0 when
 * it was killed.  The first looks, the second waits: it closes an input that
 * nobody took, and discards output that nobody took. */
MXC_FFI_API int32_t mxc_sandbox_try_wait(MxcSandbox *sandbox,
                                         int32_t *exit_code, int32_t *running,
                                         int32_t *timed_out);
MXC_FFI_API int32_t mxc_sandbox_wait(MxcSandbox *sandbox, int32_t *exit_code,
                                     int32_t *timed_out);

/* Kill everything in it, and wait for that a second at most.  The second has
 * it count as a timeout.  Neither changes how an ended one ended. */
MXC_FFI_API int32_t mxc_sandbox_kill(MxcSandbox *sandbox);
MXC_FFI_API int32_t mxc_sandbox_kill_for_timeout(MxcSandbox *sandbox);

/* Kills it if it runs. */
MXC_FFI_API void mxc_sandbox_free(MxcSandbox *sandbox);

/* --- streams ---------------------------------------------------------- */

/* Waits for a byte at least; *read is 0 at the end, or once closed. */
MXC_FFI_API int32_t mxc_stream_read(MxcReadStream *stream, uint8_t *buffer,
                                    size_t capacity, size_t *read);
/* Waits until some of it is written.  BACKEND_ERROR when nobody reads. */
MXC_FFI_API int32_t mxc_stream_write(MxcWriteStream *stream,
                                     const uint8_t *data, size_t length,
                                     size_t *written);
MXC_FFI_API int32_t mxc_stream_flush(MxcWriteStream *stream);
MXC_FFI_API void mxc_read_stream_free(MxcReadStream *stream);
/* Ends the workload's input. */
MXC_FFI_API void mxc_write_stream_free(MxcWriteStream *stream);
MXC_FFI_API int32_t mxc_stream_closer_close(MxcStreamCloser *closer);
MXC_FFI_API void mxc_stream_closer_free(MxcStreamCloser *closer);

/* --- sandboxes that are kept ------------------------------------------ */

/* Requests with a phase.  None of MXC's own backends keeps sandboxes on Linux:
 * a request for one of those is read and checked in full, and then refused as
 * MXC refuses it there.  The sessions of mxc/mxc.h are done: by their id; by a
 * provision of 1.1.0+c1 for process, native, bubblewrap or lxc; by one for wslc
 * whose image is "mxc://native" (docs/compatibility.md).  A session outlives
 * its caller; what one of the exec calls has started ends with its handle.
 *
 * mxc_run_state_aware_json is for all phases but exec, and for that too with
 * dry_run, which looks and does nothing; the result is to be freed after every
 * call.  The others are for exec: with three pipes, to the end, on a terminal
 * of 1 to 32767 rows and columns, and last on the caller's own terminal, which
 * must be standard input and output and blocks until the end. */
MXC_FFI_API int32_t mxc_run_state_aware_json(const char *request,
                                             int32_t dry_run,
                                             int32_t experimental,
                                             MxcStateAwareResult *out);
MXC_FFI_API void mxc_state_aware_result_free(MxcStateAwareResult *result);
MXC_FFI_API int32_t mxc_exec_state_aware_json(const char *request,
                                              int32_t experimental,
                                              MxcSandbox **out,
                                              MxcErrorDetail *error);
MXC_FFI_API int32_t mxc_run_state_aware_exec_json(const char *request,
                                                  int32_t experimental,
                                                  MxcRunResult *out);
MXC_FFI_API int32_t mxc_state_aware_exec_pty(const char *request,
                                             int32_t experimental,
                                             uint16_t rows, uint16_t columns,
                                             MxcSandbox **out,
                                             MxcErrorDetail *error);
MXC_FFI_API int32_t mxc_exec_state_aware_attached_json(const char *request,
                                                       int32_t experimental,
                                                       MxcExecOutcome *out,
                                                       MxcErrorDetail *error);

/* --- looking ---------------------------------------------------------- */

/* JSON, the caller's; NULL without memory. */
MXC_FFI_API char *mxc_available_backends_json(void);
MXC_FFI_API char *mxc_platform_support_json(void);
MXC_FFI_API const char *mxc_version(void); /* "1.0.1"; static */

/* There is no telemetry: "not-applicable" to every question, 0 for the prompt,
 * and the presenter is never called (but it must be there). */
MXC_FFI_API int32_t mxc_telemetry_get_consent(char **out);
MXC_FFI_API int32_t mxc_telemetry_get_policy(char **out);
MXC_FFI_API int32_t mxc_telemetry_get_consent_status(char **out);
MXC_FFI_API int32_t mxc_telemetry_needs_consent_prompt(int32_t *out);
MXC_FFI_API int32_t mxc_telemetry_request_consent(
    const char *locale, int32_t (*presenter)(char *prompt_json, void *context),
    void *context, char **out);
MXC_FFI_API int32_t mxc_telemetry_withdraw_consent(char **out);

MXC_FFI_API void mxc_string_free(char *text);
MXC_FFI_API void mxc_error_detail_free(MxcErrorDetail *detail);

#ifdef __cplusplus
}
#endif

#endif

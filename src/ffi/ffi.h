/* ffi.h - what the parts of libmxc_ffi share.
 *
 * engine.h is the way to libmxc; this is the way to the caller: status
 * numbers, text that is given away, the checks every request goes through. */
#ifndef MXC_FFI_FFI_H
#define MXC_FFI_FFI_H

#include <mxc/mxc_ffi.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "ffi/engine.h"

/* --- text ------------------------------------------------------------- */

/* A copy in which invalid UTF-8 and NUL are U+FFFD; NULL without memory. */
char *text_lossy(const char *bytes, size_t len);

/* The same text as mxc_string_free takes it; NULL for NULL, or without
 * memory.  Takes it over. */
char *text_give(char *text);

/* The text of a buffer, the caller's from here on; NULL when it failed. */
char *text_take(struct buf *b);

/* --- failures --------------------------------------------------------- */

/* Both overwrite *detail (NULL is fine) and return the status. */
int32_t fail_with(MxcErrorDetail *detail, const struct err *e);
int32_t fail_saying(MxcErrorDetail *detail, int32_t status, const char *text);

/* --- requests --------------------------------------------------------- */

enum root_kind { ROOT_ONE_SHOT, ROOT_LIFECYCLE };

enum { REQUEST_NAME = 64 };

/* What decides where a request goes.  Names are cut: one that is too long is
 * none that anybody knows. */
struct target {
    size_t len;
    char containment[REQUEST_NAME];
    char phase[REQUEST_NAME];
    const char *backend; /* the engine's name for it, or NULL */
};

/* Is it there, UTF-8, of a version that this interface knows, and of this
 * root?  The rest is for the engine to check.  0, or the status. */
int32_t request_look(const char *request, enum root_kind root,
                     struct target *out, MxcErrorDetail *detail);

/* The engine refused a one-shot request: the status that MXC has for it. */
int32_t request_refused(const struct target *t, struct err *e,
                        MxcErrorDetail *detail);

/* 1 to 32767 each: 0, or the status. */
int32_t size_check(uint16_t rows, uint16_t columns, MxcErrorDetail *detail);

/* --- results ---------------------------------------------------------- */

/* The warnings of a result of the engine, and one more (NULL: none), as an
 * array of JSON; *out is NULL when there are none.  False: no memory. */
bool warnings_text(const char *result_json, const char *more, char **out);

/* Its "outputMetadata" in the same way: NULL where there is none. */
bool metadata_text(const char *result_json, char **out);

/* What a run to the end gave: 0, or the status and out->error. */
int32_t run_result_fill(const struct engine_output *o, MxcRunResult *out);

#endif

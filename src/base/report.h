/* report.h - one rendering of an error for people, one for programs. */
#ifndef MXC_BASE_REPORT_H
#define MXC_BASE_REPORT_H

#include "base/buf.h"
#include "base/err.h"

/* "mxc: message" and, on further lines, place and remedy. */
void report_text(struct buf *out, const struct err *e);

/* The same without "mxc: ", for what begins in its own way. */
void report_lines(struct buf *out, const struct err *e);

/* {"code":...,"message":...,"operation"?,"nativeCode"?,"remediation"?,
 * "details"?}: the error object of MXC's wire format. */
void report_json(struct buf *out, const struct err *e);

/* Write all of it to a caller's descriptor.  A reader that went away did not
 * want it: only other failures count. */
int report_write(int fd, const struct buf *b, struct err *e);

#endif

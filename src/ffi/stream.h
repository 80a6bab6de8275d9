/* stream.h - one end of a pipe, and what ends the reads of it from outside. */
#ifndef MXC_FFI_STREAM_H
#define MXC_FFI_STREAM_H

#include <mxc/mxc_ffi.h>

/* Readable once closed; shared by a handle, a stream and its closers. */
struct stopper;

struct stopper *stopper_create(void); /* one reference; NULL: none to be had */
struct stopper *stopper_share(struct stopper *s);
void stopper_drop(struct stopper *s); /* NULL is fine */

/* Each takes over the descriptor (and shares the stopper), or returns NULL and
 * leaves it. */
MxcReadStream *read_stream_create(int fd, struct stopper *s);
MxcWriteStream *write_stream_create(int fd);
MxcStreamCloser *closer_create(struct stopper *s);

#endif

/* handle.h - MxcSandbox: a sandbox of the engine, its streams, its end. */
#ifndef MXC_FFI_HANDLE_H
#define MXC_FFI_HANDLE_H

#include "ffi/ffi.h"

/* Takes over the engine in every case: NULL (and it is gone) without memory
 * or descriptors. */
MxcSandbox *handle_create(struct engine *g, bool has_terminal);

#endif

/* names.h - libmxc without the names that MXC's library exports.
 *
 * Both have functions called so, with other parameters.  The copy of libmxc
 * in libmxc_ffi.so, and engine.c, are compiled with these names (meson.build
 * includes this file in front of them). */
#ifndef MXC_FFI_NAMES_H
#define MXC_FFI_NAMES_H

#define mxc_sandbox_wait        libmxc_sandbox_wait
#define mxc_sandbox_kill        libmxc_sandbox_kill
#define mxc_sandbox_take_stdin  libmxc_sandbox_take_stdin
#define mxc_sandbox_take_stdout libmxc_sandbox_take_stdout
#define mxc_sandbox_take_stderr libmxc_sandbox_take_stderr

#endif

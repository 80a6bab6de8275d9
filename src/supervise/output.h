/* output.h - the workload's output on its way through the supervisor.
 *
 * Only where a limit needs it: otherwise the workload has the caller's own
 * descriptors.  Both streams keep their order where they are one file. */
#ifndef MXC_SUPERVISE_OUTPUT_H
#define MXC_SUPERVISE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct output;

/* `most`: bytes of both together; 0: any number. */
int output_create(uint64_t most, struct output **out, struct err *e);

/* What stands for its standard output and error, until they are given; and for
 * its standard input, where that could be written to.  -1: its own. */
int output_end(const struct output *o, int fd);
void output_given(struct output *o);

/* As with tty_poll: at most 4. */
size_t output_poll(const struct output *o, void *pollfds);
void output_serve(struct output *o, const void *pollfds, size_t n);

/* Bytes that came so far; and whether they are more than allowed, of which
 * none goes out. */
uint64_t output_taken(const struct output *o);
bool output_is_full(const struct output *o);

/* errno with which it could not be written, however many read; or 0. */
int output_sys(const struct output *o);

/* Is there something that its reader has no room for? */
bool output_is_waiting(const struct output *o);

/* The workload is gone: take what it wrote before, as far as there is room.
 * False: all of it has gone out, or nobody reads it any more. */
bool output_rest(struct output *o);
void output_destroy(struct output *o);

#endif

/* lane.h - bytes on their way from one descriptor to another.
 *
 * Where they go to stays blocking (its flags are shared with the caller): a
 * write happens only after poll(2) said so, in small pieces. */
#ifndef MXC_SUPERVISE_LANE_H
#define MXC_SUPERVISE_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LANE_ROOM = 64 * 1024 };

struct lane {
    int from, to; /* -1: ended */
    int sys;      /* errno of a write that failed, but not for want of a
                   * reader */
    size_t start, end;
    uint64_t taken; /* bytes that were read, ever */
    uint64_t most;  /* of these, where they are limited */
    bool is_limited;
    bool is_full; /* there were more, which are not passed on */
    char room[LANE_ROOM];
};

/* Two of them: for reading, and for writing. */
size_t lane_poll(const struct lane *l, void *pollfds);

/* Read what there is, once; the end of `from` is noted. */
void lane_fill(struct lane *l);

/* Write a piece.  -1: nobody will read it any more, or there is no place. */
int lane_empty(struct lane *l);

/* After poll(2): -1 as from lane_empty. */
int lane_serve(struct lane *l, const void *pollfds);

/* Nothing will come out any more. */
bool lane_is_over(const struct lane *l);

/* The other end is gone: take what it wrote before, as far as there is room and
 * not more than *most of it, which gets less.  False: nothing is left. */
bool lane_rest(struct lane *l, size_t *most);

/* A terminal that nobody reads would hold a blocking write: a descriptor of
 * our own where `fd` is one, else `fd`. */
int lane_open_output(int fd);

#endif

/* lib.h - what the files of libmxc share (include/mxc/mxc.h is its face).
 *
 * Below that face a failure is a struct err; each public function turns it
 * into the caller's mxc_error, once. */
#ifndef MXC_API_LIB_H
#define MXC_API_LIB_H

#include <limits.h>
#include <mxc/mxc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/types.h>

#include "api/prepare.h"
#include "base/outcome.h"
#include "sys/start.h"

/* --- errors, sizes (lib_error.c) ----------------------------------------- */

int lib_out_of_memory(struct err *e);

/* Give an error to the caller, if it wants one: -1. */
int lib_fail(struct mxc_error *to, const struct err *e);

/* A caller's extensible structure: what it does not have is zero, what we do
 * not know must be zero. */
int lib_take_struct(void *to, size_t known, const void *from, size_t size,
                    const char *name, struct err *e);

/* One that we fill: `least` is its size in the first version. */
int lib_check_size(size_t size, size_t least, const char *name, struct err *e);
void lib_give_status(struct mxc_status *to, const struct mxc_status *from);

/* --- options and requests (lib_options.c) -------------------------------- */

/* The options, checked; NULL for the defaults. */
int lib_options(const struct mxc_options *from, struct mxc_options *to,
                struct err *e);

/* The same for what acts on a session or pool: nothing that is for a single run
 * alone. */
int lib_options_kept(const struct mxc_options *from, struct mxc_options *to,
                     struct err *e);
int lib_check_kept(const struct mxc_options *o, struct err *e);

/* A terminal of the sandbox's own. */
bool lib_has_terminal(const struct mxc_options *o);

/* Nothing that is for sessions alone. */
int lib_check_one_shot(const struct mxc_options *o, struct err *e);

/* Where our programs are: `name` below the options' libexec, or beside us. */
int lib_find(const char *libexec, const char *name, char *out, size_t size,
             struct err *e);

/* XDG_RUNTIME_DIR, or what the options say instead; NULL: the usual one. */
const char *lib_runtime(const struct mxc_options *o);

/* What the options say, as flags.  `driver` has room for a path. */
void lib_flags(const struct mxc_options *o, char driver[PATH_MAX],
               struct run_flags *out);

/* prepare() for a caller of the library.  The arena needs no init. */
int lib_prepare(struct arena *a, const char *request, size_t len,
                const struct mxc_options *o, bool plan_only,
                struct prepared *out, struct err *e);

/* --- signals (lib_guard.c) ------------------------------------------------ */

/* A write to a pipe without a reader, or beyond RLIMIT_FSIZE, sends a signal
 * to the thread.  Between the two calls it is held, and dropped when it was
 * our doing; a signal that the thread had blocked and pending stays. */
struct guard {
    sigset_t before;
    sigset_t pending;
};

void guard_begin(struct guard *g);
void guard_end(const struct guard *g);

/* --- sandboxes -------------------------------------------------------------
 */

/* Who is at the other end: a supervisor (lib_supervised.c), or the holder of a
 * session (lib_command.c). */
struct sandbox_kind {
    /* With the lock, when wait_fd was readable: how it ended.  *ended stays
     * false when it was no end.  Can be called again when it fails. */
    int (*collect)(struct mxc_sandbox *s, bool *ended, struct err *e);
    /* Orders; 0 where it has ended, with *gone. */
    int (*signal)(struct mxc_sandbox *s, int signal, bool *gone, struct err *e);
    int (*resize)(struct mxc_sandbox *s, uint16_t rows, uint16_t columns,
                  bool *gone, struct err *e);
    int (*kill)(struct mxc_sandbox *s, struct err *e);
    void (*force)(struct mxc_sandbox *s); /* when orders are of no use */
};

extern const struct sandbox_kind lib_supervised;

struct mxc_sandbox {
    const struct sandbox_kind *kind;
    pthread_mutex_t lock; /* of what changes: stream, events, the end */
    int wait_fd;          /* readable when it ends */
    pid_t pid;
    int control;  /* of a supervisor */
    int result;   /* memfd that the supervisor writes to; of a command in a
                   * pool, what the network refused */
    int terminal; /* of a command */
    int orders;   /* to the relay of its terminal, or -1 */
    int relay;    /* pidfd of that, or -1 */
    int events;
    int stream[3]; /* our ends */
    bool has_terminal;
    const char *holder; /* of a command: who is at the other end */
    bool is_shown;      /* of a command: MXC_STDIO_TERMINAL */
    bool was_told;      /* of a command: `said` is how it ended */
    bool has_ended;
    struct result said;
    struct mxc_status status;
    struct err err;
    char *json;
};

/* One with nothing in it; NULL without memory. */
struct mxc_sandbox *lib_sandbox_make(const struct sandbox_kind *kind,
                                     const struct mxc_options *o);

/* Stream i of it, as the options say: our end in it, the other in *theirs,
 * which is the caller's own when *is_borrowed. */
int lib_open_stream(struct mxc_sandbox *s, int i, const struct mxc_options *o,
                    int *theirs, bool *is_borrowed, struct err *e);

/* The options of mxc_spawn and its like. */
int lib_check_spawn(const struct mxc_options *o, struct err *e);

/* Make a sandbox of a request; `o` are checked options. */
int lib_spawn(const char *request, size_t len, const struct mxc_options *o,
              struct mxc_sandbox **out, struct err *e);

/* Wait for the end, at most `timeout_ms` (-1: for ever).  *ended. */
int lib_wait(struct mxc_sandbox *s, int timeout_ms, bool *ended, struct err *e);

/* The options of mxc_run and its like, checked, with *result. */
int lib_check_run(const struct mxc_options *o, const struct mxc_result *result,
                  struct err *e);

/* Of what runs to its end: checked, and with pipes to capture what it says. */
int lib_options_of_run(const struct mxc_options *options,
                       const struct mxc_result *result, struct mxc_options *o,
                       struct err *e);

/* Feed it and keep what it says until it ends; destroys it. */
int lib_capture(struct mxc_sandbox *s, const struct mxc_options *o,
                struct mxc_result *result, struct err *e);

void lib_sandbox_free(struct mxc_sandbox *s);

/* The relay of its terminal has nothing to wait for: it has ended when this
 * returns, but for one that nobody reads. */
void lib_relay_end(struct mxc_sandbox *s);

/* How it ended, from what the supervisor wrote (lib_result.c).  Fails for
 * lack of memory alone, and can be called again then. */
int lib_read_result(struct mxc_sandbox *s, struct err *e);

#endif

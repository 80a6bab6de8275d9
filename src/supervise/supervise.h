/* supervise.h - one small process per sandbox: it starts the launcher, gives
 * the word, forwards signals, keeps the time, and tells how it ended.  It
 * never touches the workload's bytes, except in PTY mode and where its output
 * is limited. */
#ifndef MXC_SUPERVISE_SUPERVISE_H
#define MXC_SUPERVISE_SUPERVISE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <termios.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/outcome.h"
#include "plan/plan.h"
#include "supervise/output.h"
#include "supervise/run_limits.h"

struct sandbox {
    int pidfd;  /* of the first process of its pid namespace */
    int status; /* socket to the launcher */
    int words;  /* what a runtime has written to its standard error, or -1 */
    struct cgroup group;         /* that it is in, where its limits need one */
    struct cgroup_counts counts; /* of that, at the end */
    struct output *output;       /* where its limits need that, or NULL */
};

struct supervise_args {
    const struct plan_view *plan;
    int plan_fd;          /* the same plan, in a sealed memfd */
    const char *launcher; /* path of mxc-launch */
    int result_fd;        /* for the JSON result, or -1 */
    int events_fd;        /* for a line on each event, or -1 */
    const char *home;     /* the caller's, for a report of refusals; or NULL */
    int control_fd;       /* for orders of the caller, or -1 */
    bool is_lifeline;     /* the end of control_fd is the sandbox's */
    bool is_quiet;        /* nothing for people on standard error */
    uint16_t rows;        /* of the terminal; 0: it has the caller's, who */
    uint16_t columns;     /* has one */
    pid_t parent;         /* must not be outlived, or 0 */
    bool ends_on_signal;  /* a signal ends the run, and is not passed on */
    int parent_fd;        /* the same, as a pidfd, or -1 */
};

/* A caller may have closed standard streams; then what is opened next would
 * take their numbers, and a message would land in somebody's file. */
void supervise_hold_stdio(void);

/* Ignore SIGPIPE and SIGXFSZ: a write that fails says so by errno. */
void supervise_ignore_signals(void);

/* The launcher's path: beside this program in a build tree, in
 * ../libexec/mxc when installed, both relative to where this program is, so
 * that a tree can be moved. */
int supervise_find_launcher(char out[PATH_MAX], struct err *e);

/* Whatever else the caller left open stops here, but for these descriptors
 * (-1: none), which get sorted: neither the sandbox nor a supervisor that lives
 * for hours shall hold it. */
int supervise_close_strangers(int *kept, size_t n, struct err *e);

/* Run a plan to its end, tell the result, return the exit code. */
int supervise_plan(const struct supervise_args *a);

/* Run it and tell nothing: fills *out and, all-zero but for its flags, what
 * the network refused. */
struct net_report;
void supervise_run(const struct supervise_args *a, struct net_report *report,
                   struct result *out);

/* The caller's terminal, where it is one of the workload's streams. */
struct terminal {
    int fd; /* -1: none */
    int is_exclusive;
    struct termios modes;
};

void terminal_save(struct terminal *t);
void terminal_give_back(const struct terminal *t);

/* Start the launcher as pid 1 of new namespaces.  `launcher` is the path of
 * its executable, `plan_fd` a sealed memfd, `inside` its socket to the
 * gateway, `kept` the directory of a container that is kept; both may be -1. */
int sandbox_spawn(const struct plan_view *plan, const char *launcher,
                  int plan_fd, int inside, int kept, struct sandbox *out,
                  struct err *e);

/* The same by a runtime, for a plan that has one; group and output of *out are
 * made. */
int runtime_spawn(const struct plan_view *plan, const char *launcher,
                  int plan_fd, int inside, int kept, struct sandbox *out,
                  struct err *e);

/* The sandbox's set-up died: what the runtime said of it, if there is one. */
void runtime_explain(const struct sandbox *s, struct err *e);

/* Replace a descriptor by one of 10 or above: 0 or -errno. */
int sandbox_move_up(int *fd);

/* The gateway of a plan that has rules. */
struct gateway {
    int pidfd;  /* -1: none */
    int status; /* its records */
};

/* Start it.  *inside is the launcher's end of their socket, for the caller to
 * close once the launcher runs.  With tells_all it tells what it allows, too.
 * A plan without rules needs none: then both are -1. */
int gateway_spawn(const struct plan_view *plan, const char *launcher,
                  bool tells_all, struct gateway *out, int *inside,
                  struct err *e);

/* The next record, of kind GATEWAY_NONE when there is none yet; false when
 * the gateway is gone or talks nonsense. */
struct gateway_record;
bool gateway_hear(struct gateway *g, struct gateway_record *out);

/* The sandbox is gone.  After an orderly end what it sent still arrives, as
 * with any process, if that takes seconds only; the gateway tells how its
 * connections ended where anybody wants to know. */
void gateway_finish(struct gateway *g, bool is_orderly,
                    struct net_report *report);

/* Kill it, and reap it. */
void gateway_stop(struct gateway *g);

/* Kill everything in it and wait until it is gone.  False: it is dying, but
 * still there after a few seconds.  Its control group goes with it. */
bool sandbox_kill(struct sandbox *s);

/* The same, and what it has said can still be heard. */
bool sandbox_end(struct sandbox *s);

/* Run it to its end: always fills *out.  `parent` is a pidfd whose end is the
 * sandbox's too, or -1. */
struct kept_run;
void supervise(const struct supervise_args *a, struct sandbox *s,
               struct gateway *g, struct kept_run *kept, int parent,
               struct net_report *report, struct result *out);

/* Orders of the caller.  Init with the descriptor, and the rest zero. */
enum { CONTROL_LINE = 63, CONTROL_SIGNAL_MAX = 64 };

struct control {
    int fd; /* -1: none, or it has ended */
    size_t len;
    char text[4 * (CONTROL_LINE + 1)];
};

enum control_word {
    CONTROL_NONE = 0,
    CONTROL_SIGNAL,
    CONTROL_KILL,
    CONTROL_RESIZE
};

struct control_order {
    enum control_word word;
    int signal;
    uint16_t rows, columns;
};

/* Once poll(2) has something to read. */
void control_read(struct control *c);

/* The next order of what was read: CONTROL_NONE when there is none. */
int control_next(struct control *c, struct control_order *out, struct err *e);

/* "31x97": 1 to 32767 each. */
bool tty_size_parse(const char *text, uint16_t *rows, uint16_t *columns);

/* Denied and read-only names inside grants, watched on the host. */
struct watch;
int watch_create(const struct plan_view *plan, struct watch **out,
                 struct err *e);
int watch_fd(const struct watch *w); /* -1 when there is nothing to watch */

/* After an event: do all names still mean what they meant?  Otherwise -1 and
 * *e says which changed. */
int watch_check(struct watch *w, struct err *e);
void watch_destroy(struct watch *w);

/* The relay between the caller's streams and the sandbox's terminal.  With
 * `rows` the terminal has that size; else the caller's terminal is followed,
 * and put into raw mode. */
struct tty;
int tty_create(int master, uint16_t rows, uint16_t columns, struct tty **out,
               struct err *e);
/* Of what the workload writes pass on so many bytes; 0: all. */
void tty_limit(struct tty *t, uint64_t most);
uint64_t tty_taken(const struct tty *t); /* so far */
bool tty_is_full(const struct tty *t);
int tty_sys(const struct tty *t);         /* as output_sys */
bool tty_is_waiting(const struct tty *t); /* there were more */
void tty_follow(struct tty *t); /* the caller's terminal has another size */
void tty_resize(struct tty *t, uint16_t rows, uint16_t columns);
size_t tty_poll(const struct tty *t, void *pollfds); /* at most 4 */
void tty_serve(struct tty *t, const void *pollfds, size_t n);
bool tty_is_over(const struct tty *t); /* nothing will come out any more */
/* Who wrote there is gone: as output_rest.  ^C is the caller's again. */
bool tty_rest(struct tty *t);
/* The same to its end, for a reader that takes something every so often; -1:
 * whenever it does. */
void tty_drain(struct tty *t, int patience_ms);
/* How long the reader of what was ended is waited for. */
enum { DRAIN_MS = 2000 };
void tty_destroy(struct tty *t);

#endif

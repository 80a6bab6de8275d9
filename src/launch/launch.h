/* launch.h - the stages of the launcher, in their order.
 *
 * The program is exec'd as pid 1 of its namespaces, with CAP_SYS_ADMIN and a
 * few more over them, and with an empty environment.  It is single-threaded,
 * parses nothing but the packed plan, allocates nothing after checking it,
 * and ends as the sandbox's init. */
#ifndef MXC_LAUNCH_LAUNCH_H
#define MXC_LAUNCH_LAUNCH_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "broker/broker.h"
#include "plan/plan.h"

struct exec_args;

/* The sandbox's view while it is built. */
enum { LAUNCH_COPIES = 256 };

struct view {
    int root;         /* the private root */
    bool is_attached; /* to our mount namespace, or free still */
    bool is_taken;    /* a runtime has made it */
    bool has_image;   /* its root holds somebody's files, and symlinks */
    bool has_hollow;  /* private places may lie beyond granted ones, or
                       * beyond what an earlier workload made */
    bool has_layer;   /* the latter */
    int void_dir;     /* O_PATH, the empty mode 0 directory ... */
    int void_file;    /* ... and file that masks are made of */
    int void_place;   /* where these have a name while the view is built */
    int strangers;    /* a user namespace without us, or < 0 */
    int copy[LAUNCH_COPIES]; /* grants that keep nothing, in plan order */
    size_t ncopies, used;
    int host; /* the host's root, where "/" is not it any more; or 0 */
};

/* Stage 1: the view.  May mount; must not run or open anything of the
 * workload's.  On return the process stands in the new root. */
int launch_build_view(const struct plan_view *plan, struct err *e);

/* What keeps a view open for more: the host's tree, which is nowhere mounted
 * where the kernel lets us copy from such a one (Linux 6.15), and what masks
 * need. */
struct spare {
    int host;
    int strangers;   /* as in struct view */
    bool is_stacked; /* it lies on the root, where the workload would find it */
};

/* The same, but that more can be mounted until it is closed. */
int launch_build_open_view(const struct plan_view *plan, struct spare *out,
                           struct err *e);
int launch_add_to_view(const struct plan_view *claim, const struct spare *s,
                       struct err *e);
int launch_close_view(struct spare *s, struct err *e);

/* Before all steps: the copies, whose memory is as large as the private root,
 * for all of them together. */
int view_copy_grants(struct view *v, const struct plan_view *plan,
                     struct err *e);
void view_drop_copies(struct view *v);

/* One step of the view; called in plan order. */
int view_apply(struct view *v, const struct step *s, struct err *e);

/* Attach the view's root to the mount namespace; once. */
int view_attach_root(struct view *v);

/* Open a path of the view without following any symlink. */
int view_open(const struct view *v, const char *path, int flags);

/* Pieces of the view's steps that more than one file needs; -errno. */
int view_open_target(const struct view *v, const struct step *s, bool is_dir);
int view_make_file(const struct view *v, const char *path, mode_t mode,
                   const char *text, size_t len);
int view_attach(struct view *v, int mnt, int target);
int view_attach_at(struct view *v, int mnt, const char *path);
int view_fail(struct err *e, const char *op, int r, const struct step *s);
int view_mask(struct view *v, const struct step *s, struct err *e);
int view_open_strangers(void);
int view_cover_file(struct view *v, const struct step *s, struct err *e);

/* Where a runtime started us: take the workload's streams.  `argv0` is what
 * main was given. */
int launch_arrive(char *argv0, struct err *e);

/* The root that a runtime made, and a step of its view: looked at where that
 * was its work, else done. */
int launch_take_root(struct view *v, const struct step *root, struct err *e);
int launch_take_step(struct view *v, const struct plan_view *plan,
                     const struct step *s, struct err *e);

/* Stage 2: name, loopback, keyring, limits.  Of descriptors init keeps what it
 * needs itself: the broker's, one for each directory above a missing denied
 * path, for each command of a session its listener, and some more.  The
 * workload's limit is set in exec.c. */
enum { LAUNCH_ABSENT = 1024, LAUNCH_FDS = BROKER_FDS + LAUNCH_ABSENT + 1024 };

int launch_set_up_process(const struct plan_view *plan, struct err *e);

/* Stage 2b: where the plan has rules, routes and sockets of the network, which
 * go to the gateway. */
int launch_set_up_network(const struct plan_view *plan, struct err *e);

/* Answer one request of the gateway's for a socket; never blocks.  False, and
 * *inside is closed, when the gateway is gone. */
bool launch_lend_socket(int *inside);

/* Refuse a directory as stdio, and replace the host's /dev/null by the view's.
 * After the view is built. */
int launch_check_stdio(struct err *e);

/* Stage 3: no_new_privs, Landlock, capabilities, in two steps.  The first takes
 * nothing away that the second does not; after that one nothing can be mounted.
 * *ruleset is between the two, and -1 afterwards. */
int launch_prepare_walls(const struct plan_view *plan, int *ruleset,
                         struct err *e);
int launch_raise_walls(const struct plan_view *plan, int *ruleset,
                       struct err *e);

/* Stage 4: wait for the word, run the workload, reap, report.  `tty` and
 * `master` are the terminal's two sides or -1; the master goes to the
 * supervisor; `userns` is runsc's, or -1; `outside` is of
 * verify_open_outside.  Returns the program's exit code. */
int launch_init(const struct plan_view *plan, int tty, int master, int userns,
                int outside);

/* Stage 4 of a session: run what arrives, for as long as there is a holder.
 * Returns the program's exit code. */
int launch_session(const struct plan_view *plan);

/* Stages 1 to 4 of a warm sandbox: build the view, wait for a claim, go on with
 * what it brings.  Returns the program's exit code. */
int launch_warm(const struct plan_view *plan);

/* What is left of stage 4 then: run the workload, reap, report.  The terminal's
 * sides are the workload's and, to be sent on, the supervisor's.  What it left
 * behind has ended when its end is told. */
int launch_follow(struct broker *b, int signals, const struct exec_args *a,
                  int master);

/* Pieces of these. */
#define LAUNCH_PATH "/usr/bin:/bin" /* where there is no other */
int launch_open_broker(const struct plan_view *plan,
                       const struct plan_view *claim, struct broker **out,
                       struct err *e);
int launch_fill_args(const struct plan_view *plan, struct exec_args *a,
                     struct err *e);
int launch_watch_children(int *fd, struct err *e);
bool launch_hear_go(void);

/* So many children at once: who makes them faster than that shall not keep init
 * from its other work.  After so many, the others are for the next turn. */
enum { LAUNCH_REAPS = 64 };
void launch_reap_again(void);
int launch_open_terminal(int *slave, int *master, struct err *e);

/* Map a plan that nobody can change any more: NULL, and *e. */
const void *launch_map_plan(int fd, size_t *len, struct err *e);

/* What stands where the plan has put something, one for each of its steps. */
struct launch_place {
    uint64_t dev, ino; /* ino is 0: not looked at */
};

/* Look at what the plan itself says nothing of, before there is any command.
 * The memory is the process's until its end. */
int launch_note_places(const struct plan_view *plan,
                       const struct launch_place **out, struct err *e);

/* Does each place still stand where the plan says?  They, or directories above
 * them in the private root, can be moved (rename(2)). */
int launch_check_places(const struct plan_view *plan,
                        const struct launch_place *noted, struct err *e);

/* A Landlock ruleset of the steps and of the streams. */
int launch_make_ruleset(const struct plan_view *plan, unsigned abi,
                        bool may_miss, int *out, struct err *e);

/* Tell the supervisor; `fd` is sent along when it is not -1. */
int launch_tell(uint32_t msg, int32_t status, const struct err *e, int fd);

/* The same about one command of a session. */
int launch_tell_of(uint32_t msg, uint32_t exec, int32_t status,
                   const struct err *e, int fd);

#endif

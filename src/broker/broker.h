/* broker.h - decides the few system calls that need more than their numbers.
 *
 * Runs inside the sandbox's init: same namespaces, same Landlock domain, no
 * capability, but not under the workload's filter.  It never answers "go on"
 * (SECCOMP_USER_NOTIF_FLAG_CONTINUE): the workload could change the memory
 * that was looked at.  It copies the arguments once, performs the call itself
 * on descriptors that it resolved, and returns the result
 * (seccomp_unotify(2), "Design notes").
 *
 * With a report (report.c) it is asked about more calls.  Of these
 * it lets go on, unchanged, those that the filter would have let through
 * without it, which decides by numbers alone: what they do is for mounts and
 * Landlock to refuse, and what the memory says is of use to the report only.
 *
 * What the process around it must provide:
 * - single-threaded, not dumpable, /proc of the sandbox mounted at /proc;
 * - the filter loaded with SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, or a
 *   signal between the broker's mkdir(2) and its answer makes the caller's
 *   restarted call fail with EEXIST;
 * - a working directory of "/" (bind(2) changes it for its duration) and no
 *   descriptor of a directory outside the sandbox's view;
 * - RLIMIT_NOFILE of BROKER_FDS or more for itself, where the caller's own
 *   ceiling is not below that. */
#ifndef MXC_BROKER_BROKER_H
#define MXC_BROKER_BROKER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Descriptors that a broker may hold at once, without the directories of the
 * absent paths (one for each different one). */
#define BROKER_FDS 640

/* A denied path that did not exist when the sandbox started: an existing
 * directory of the sandbox's view and the components below it that are
 * missing, e.g. "/work" and ".git/hooks/pre-commit". */
struct broker_absent {
    const char *dir;
    const char *rest;
};

/* What was refused, or would be, or is used: what a report is made of. */
struct broker_seen {
    uint64_t key;   /* the same for the same thing again; 0: of many, whose
                     * names are lost */
    uint64_t count; /* so often since it was told last */
    int sys;        /* errno that the caller gets */
    int op;         /* enum watch_op; 0: the key alone says what it is */
    bool is_allowed;
    pid_t tid; /* of the caller */
    const char *call;
    const char *why;     /* of a call that is refused as such; else "" */
    const char *process; /* its name */
    const char *named;   /* the path as it was named, or "" */
    const char *path;    /* from the root of the sandbox, or "" */
};

/* Hand it on.  False: there was no room, in so many milliseconds neither. */
typedef bool broker_tell(const struct broker_seen *r, int wait_ms);

struct broker_config {
    bool creates; /* as in struct seccomp_options */
    bool unix_sockets;
    bool ping;
    /* The filter's `watched` is on: whom to tell of refusals, and of what is
     * used, too.  NULL: nobody.  To tell each use the broker may wait for room,
     * a moment each time. */
    broker_tell *tell;
    bool tells_uses;
    const struct broker_absent *absent;
    size_t nabsent;
    /* Directories on the sandbox's own filesystems ("/" is always one):
     * every socket on such a filesystem may be connected to. */
    const char *const *private_dirs;
    size_t nprivate;
};

struct broker;

/* Prepare: opens the directories (after pivot_root, before the workload
 * exists).  The config's strings must outlive the broker. */
int broker_create(const struct broker_config *c, struct broker **out,
                  struct err *e);

/* Answer every notification that is ready on the listener, without blocking
 * on anything that the workload controls.  Returns 0, or -1 when the listener
 * is gone (no task uses the filter any more).  One call answers a bounded
 * number, so that the caller's other events get their turn; the listener then
 * stays readable.
 *
 * Calls that must wait (opening a FIFO, connecting to a full backlog) are
 * finished by short-lived children.  They exit by themselves; whoever reaps
 * with waitpid(-1) must pass over pids that it does not know, and should call
 * broker_serve after a SIGCHLD, so that a child that the workload killed does
 * not leave its caller waiting. */
int broker_serve(struct broker *b, int listener);

/* Answer the one that poll(2) has just found on the listener (POLLIN), which
 * is not asked again: with a report each call that names a path comes here,
 * and two polls are a fifth of what that takes. */
void broker_serve_one(struct broker *b, int listener);

/* Of the listeners that are served from now on: their callers stand in a
 * Landlock domain below the broker's, so that what the broker did for them
 * could be more than they may.  Sockets with names are refused to them.  Not
 * for a broker of `creates`. */
void broker_narrow(struct broker *b, bool is_narrowed);

/* A broker may serve several listeners, of filters that were loaded one after
 * another.  Before one that is gone is closed: its number will be another's. */
void broker_forget(struct broker *b, int listener);

/* The program that the workload begins with, which nobody was asked about; a
 * relative path begins at `cwd`. */
void broker_began(struct broker *b, pid_t pid, const char *cwd,
                  const char *path);

/* The same of one that could not be executed: why, as far as it was refused. */
void broker_not_begun(struct broker *b, const char *cwd, const char *path);

/* What the kernel would open to execute that file: its interpreter or loader.
 * False: there is none, or it is not known. */
bool broker_interpreter(int base, const char *path, char out[PATH_MAX]);

/* Tell how often what was told before has happened since, and wait so long
 * for that.  Each is told when it happens for the 1st, 2nd, 4th, ... time, and
 * here. */
void broker_settle(struct broker *b, int most_ms);

/* The same without waiting, for a moment when nothing else is to be done: who
 * is ended from outside tells no more.  Is there anything to tell? */
void broker_refresh(struct broker *b);
bool broker_is_stale(const struct broker *b);

void broker_destroy(struct broker *b);

#endif

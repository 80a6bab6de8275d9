/* broker.h - decides the few system calls that need more than their numbers.
 *
 * Runs inside the sandbox's init: same namespaces, same Landlock domain, no
 * capability, but not under the workload's filter.  It never answers "go on"
 * (SECCOMP_USER_NOTIF_FLAG_CONTINUE): the workload could change the memory
 * that was looked at.  It copies the arguments once, performs the call itself
 * on descriptors that it resolved, and returns the result
 * (seccomp_unotify(2), "Design notes").
 *
 * What the process around it must provide:
 * - single-threaded, not dumpable, /proc of the sandbox mounted at /proc;
 * - the filter loaded with SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, or a
 *   signal between the broker's mkdir(2) and its answer makes the caller's
 *   restarted call fail with EEXIST;
 * - a working directory of "/" (bind(2) changes it for its duration) and no
 *   descriptor of a directory outside the sandbox's view;
 * - RLIMIT_NOFILE of BROKER_FDS or more for itself. */
#ifndef MXC_BROKER_BROKER_H
#define MXC_BROKER_BROKER_H

#include <stdbool.h>
#include <stddef.h>

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

struct broker_config {
    bool creates; /* as in struct seccomp_options */
    bool unix_sockets;
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

/* Of the listeners that are served from now on: their callers stand in a
 * Landlock domain below the broker's, so that what the broker did for them
 * could be more than they may.  Sockets with names are refused to them.  Not
 * for a broker of `creates`. */
void broker_narrow(struct broker *b, bool is_narrowed);

/* A broker may serve several listeners, of filters that were loaded one after
 * another.  Before one that is gone is closed: its number will be another's. */
void broker_forget(struct broker *b, int listener);

void broker_destroy(struct broker *b);

#endif

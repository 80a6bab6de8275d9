/* broker.h - decides the few system calls that need more than their numbers.
 *
 * Runs inside the sandbox's init: same namespaces, same Landlock domain, no
 * capability, but not under the workload's filter.  It never answers "go on"
 * (SECCOMP_USER_NOTIF_FLAG_CONTINUE): the workload could change the memory
 * that was looked at.  It copies the arguments once, performs the call itself
 * on descriptors that it resolved, and returns the result
 * (seccomp_unotify(2), "Design notes"). */
#ifndef MXC_BROKER_BROKER_H
#define MXC_BROKER_BROKER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* A denied path that did not exist when the sandbox started: an existing
 * directory of the sandbox's view and the components below it that are
 * missing, e.g. "/work" and ".git/hooks/pre-commit". */
struct broker_absent {
    const char *dir;
    const char *rest;
};

struct broker_config {
    bool creates;                       /* as in struct seccomp_options */
    bool unix_sockets;
    const struct broker_absent *absent;
    size_t nabsent;
};

struct broker;

/* Prepare: opens the directories (after pivot_root, before the workload
 * exists).  The config's strings must outlive the broker. */
int broker_create(const struct broker_config *c, struct broker **out,
                  struct err *e);

/* Answer every notification that is ready on the listener, without blocking
 * on anything that the workload controls.  Returns 0, or -1 when the listener
 * is gone (no task uses the filter any more). */
int broker_serve(struct broker *b, int listener);

void broker_destroy(struct broker *b);

#endif

/* clause.h - what a sandbox tries of its own walls before its workload runs:
 * clauses as the receipt has them, what holds each, and what was found. */
#ifndef MXC_PLAN_CLAUSE_H
#define MXC_PLAN_CLAUSE_H

#include <stdint.h>

/* X(id, clause, mechanism) */
#define CLAUSES(X)                                                             \
    X(VIEW, "filesystem: nothing but what is granted",                         \
      "mount namespace with a private root; no grant is setuid or a device")   \
    X(READ_ONLY, "filesystem: read-only paths", "read-only mounts")            \
    X(WRITABLE, "filesystem: writable paths", "writable mounts")               \
    X(COPIES, "filesystem: nothing that is written to grants is kept",         \
      "overlays in one memory of their own, as large as the private root, "    \
      "bytes and inodes")                                                      \
    X(DENIED, "filesystem: denied paths", "unreadable mounts over every name") \
    X(KERNEL_FILES, "filesystem: what /proc tells of host and kernel",         \
      "own /proc, read-only, with unreadable mounts over the rest")            \
    X(ABSENT, "filesystem: denied paths that do not exist yet", "broker")      \
    X(DAEMONS, "filesystem: no daemon behind a socket of a granted path",      \
      "broker")                                                                \
    X(OUTSIDE, "filesystem: objects outside the view", "Landlock")             \
    X(SCOPES, "signals and abstract sockets to processes outside",             \
      "Landlock scopes")                                                       \
    X(NO_NETWORK, "network: none",                                             \
      "network namespace with nothing but its own loopback")                   \
    X(GATEWAY, "network: no way but the gateway",                              \
      "network namespace whose only peer is mxc-gateway")                      \
    X(RULES, "network: rules", "gateway")                                      \
    X(PRIVILEGES, "privileges",                                                \
      "user namespace, no capability, no_new_privs, no nested user "           \
      "namespaces")                                                            \
    X(KERNEL, "kernel surface", "seccomp allow-list")                          \
    X(PROCESSES, "other processes",                                            \
      "pid, ipc, uts and cgroup namespaces, own /proc, closed init")           \
    X(INHERITED, "environment, descriptors, keys, terminal",                   \
      "built from nothing; only stdio inherited; own session and session "     \
      "keyring")                                                               \
    X(GROUPS, "supplementary groups", "dropped")                               \
    X(SCRATCH, "size of the private root", "tmpfs limits (bytes and inodes)")  \
    X(CEILINGS, "limits of each process and of the namespaces",                \
      "rlimits, sysctls")                                                      \
    X(PIDS, "number of processes",                                             \
      "pid_max of the pid namespace, RLIMIT_NPROC")                            \
    X(GROUP, "limits of all processes: in their control groups",               \
      "control group")

enum clause {
#define X(id, clause, by) CLAUSE_##id,
    CLAUSES(X)
#undef X
        CLAUSE_COUNT
};

/* Why one was not tried, or not all of it.  X(id, text) */
#define CLAUSE_REASONS(X)                                                      \
    X(NONE, "")                                                                \
    X(ACCEPTED, "missing on this host, and accepted as missing by the caller") \
    X(NO_PROC, "policy denies /proc, which would tell")                        \
    X(NOT_OURS, "the caller may write to none of them")                        \
    X(READ_ONLY, "the root is read-only, which answers first")                 \
    X(BROKER, "the broker answers the workload's own calls alone")             \
    X(NOT_SEEN, "a part of it could not be looked at")                         \
    X(OLD_KERNEL, "this kernel does not tell which names are mounts")          \
    X(READ_ONLY_THERE, "a filesystem below one of them is read-only itself")   \
    X(NOBODY, "signals are not: in the sandbox's pid namespace is nobody "     \
              "outside to send one to")                                        \
    X(QUOTA, "the user's quota of keys is used up, and the keyring the "       \
             "caller's; the filter refuses the calls that use it")             \
    X(OWN_GROUP, "its namespace of control groups begins at its own, and so "  \
                 "has no name for it")                                         \
    X(GROUPS_STAY, "they cannot be dropped here, as the receipt says")         \
    X(GATEWAY, "the gateway judges each connection; `mxc why` asks it")

enum clause_reason {
#define X(id, text) REASON_##id,
    CLAUSE_REASONS(X)
#undef X
        REASON_COUNT
};

/* All-zero: nothing of it was planned. */
struct clause_found {
    uint32_t held;   /* so many tries found it so */
    uint32_t reason; /* enum clause_reason: something was not tried */
};

struct verified {
    struct clause_found row[CLAUSE_COUNT];
};

const char *clause_name(enum clause c);
const char *clause_by(enum clause c);
const char *clause_reason(enum clause_reason r);

#endif

/* probe.h - what this host can enforce, found by trying it.
 *
 * Every attempt runs in a child of its own, in namespaces of its own where it
 * needs any, and leaves nothing behind.  For `mxc doctor`; a run does not
 * probe, it does the thing and says what failed. */
#ifndef MXC_SYS_PROBE_H
#define MXC_SYS_PROBE_H

#include <stdbool.h>
#include <stddef.h>

enum probe_kind {
    PROBE_NEEDED = 0, /* without it nothing runs */
    PROBE_WALL,       /* --accept-missing can do without */
    PROBE_POLICY,     /* needed by some policies */
    PROBE_EXTRA       /* nicer where it is there */
};

struct probe {
    const char *name; /* stable, for programs */
    const char *what; /* in words */
    enum probe_kind kind;
    const char *without; /* what its lack means */
    const char *remedy;  /* when the errno tells nothing better */
    int (*try)(void);    /* in a child; 0 or -errno */
    bool in_userns;      /* of no use to try without one */
    void (*describe)(char *out, size_t size); /* may be NULL */
    /* A better word on the cause of that errno, and on what helps, or NULL. */
    const char *(*explain)(int sys);
    const char *(*advise)(int sys);
};

struct probe_result {
    const struct probe *probe;
    bool is_there;
    bool is_untried;  /* for lack of a user namespace */
    char detail[160]; /* "ABI 7", "EPERM" */
    char cause[256];  /* of a lack */
    char remedy[256];
};

enum { PROBE_MAX = 32 };

extern const struct probe probes[]; /* ends with a NULL name */

/* Try all; returns how many results there are. */
size_t probe_host(struct probe_result out[PROBE_MAX]);

/* Is a default run refused for this?  A wall that only guards root callers is
 * no lack for others. */
bool probe_is_lack(const struct probe_result *r);

/* What surrounds this process and may forbid things: "" or e.g. "a container
 * (/.dockerenv), a seccomp filter". */
void probe_surroundings(char *out, size_t size);

/* Control groups of this process, for information: version, and whether it
 * may make groups of its own. */
void probe_cgroup(char *out, size_t size);

/* One line of a small file; "" when there is none. */
const char *probe_line(const char *path, char *out, size_t size);

#endif

/* receipt.c - native's receipt, where another mechanism holds the clause. */
#include <string.h>

#include "backends/gvisor/build.h"

/* A state of NULL stays as it was. */
static const struct receipt_row other[] = {
    { "filesystem: nothing but what is granted",
      "mount namespace with a private root, which gVisor's gofer serves and "
      "nothing else",
      NULL },
    { "filesystem: read-only paths", "read-only mounts of the host", NULL },
    { "filesystem: no daemon behind a socket of a granted path",
      "gVisor opens no socket of the host", NULL },
    { "filesystem: objects outside the view",
      "the namespaces of runsc hold the view alone; no Landlock, under which "
      "it could not mount",
      "enforced" },
    { "privileges",
      "gVisor without capabilities; on the host a user namespace, "
      "no_new_privs",
      NULL },
    { "kernel surface",
      "gVisor answers every system call; its own calls pass its filter and "
      "ours",
      NULL },
    { "other processes",
      "gVisor's own process table, in pid, ipc and cgroup namespaces", NULL },
    { "supplementary groups", "gVisor gives the workload none", "enforced" },
    { "size of the private root",
      "tmpfs limits (bytes and inodes); /dev/shm is memory of gVisor's", NULL },
};

static void adapt(struct receipt_row *r)
{
    for (size_t i = 0; i < ARRAY_LEN(other); i++) {
        if (strcmp(r->clause, other[i].clause) != 0)
            continue;
        r->by = other[i].by;
        if (other[i].state)
            r->state = other[i].state;
    }
}

const struct receipt_row *gvisor_receipt(const struct policy *p,
                                         const struct host *h,
                                         const struct places *fs,
                                         struct arena *a)
{
    const struct receipt_row *from = backend_native.receipt(p, h, fs, a);
    struct receipt_row *rows;
    size_t n = 0;

    if (!from)
        return NULL;
    while (from[n].clause)
        n++;
    rows = arena_array(a, n + 2, sizeof(*rows));
    if (!rows)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        rows[i] = from[i];
        adapt(&rows[i]);
    }
    if (net_has_icmp(&p->net))
        rows[n++] = (struct receipt_row){ "network: ICMP echo", "gVisor",
                                          "not reachable from inside" };
    rows[n] = (struct receipt_row){ 0 };
    return rows;
}

/* backends.c - what there is to run on, and what there is not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "contract/table.h"
#include "lxcexec/lxcexec.h"
#include "sys/probe.h"

static const char *const runtimes[] = { "agent", "python", "python-shell",
                                        "node",  "bash",   "dotnet-jit" };

static void put_entry(struct buf *b, const char *name, bool has_proxy,
                      const char *warning)
{
    buf_puts(b, b->len ? ",\n" : "");
    buf_printf(b, "  {\n    \"backend\": \"%s\"", name);
    if (has_proxy)
        buf_puts(b, ",\n    \"capabilities\": [\n      \"proxyEnforcement\"\n"
                    "    ]");
    if (warning) {
        buf_puts(b, ",\n    \"warnings\": [\n      ");
        buf_json(b, warning);
        buf_puts(b, "\n    ]");
    }
    buf_puts(b, "\n  }");
}

/* What a row is to MXC's programs: -1 where they have no name for it, or where
 * the native engine answers to that name. */
static int known_as(const struct backend *b)
{
    int c = choice_find(containment_names, CONTRACT_1_1_0_ALPHA, b->name,
                        strlen(b->name));

    return c == CONTAIN_BUBBLEWRAP ? -1 : c;
}

static void put_others(struct buf *b, const char *why_no_network)
{
    scoped(arena_drop) struct arena a = { .limit = 1 << 16 };
    struct err e = { 0 };
    struct policy p;
    struct host h;
    char room[160];

    policy_default(&p);
    if (host_look(&a, &h, &e) < 0)
        return;
    for (const struct backend *const *row = backends; *row; row++) {
        bool can_proxy = (*row)->features & FEAT_NET_PROXY;
        int c = known_as(*row);

        if (c >= 0 && !unavailable((enum containment)c, true, room) &&
            (*row)->probe(&h, &p, &e) == 0)
            put_entry(b, (*row)->name, can_proxy && !why_no_network,
                      can_proxy ? why_no_network : NULL);
    }
}

int list_backends(void)
{
    scoped(drop_mem) struct probe_result *result =
        calloc(PROBE_MAX, sizeof(*result));
    const size_t n = result ? probe_host(result) : 0;
    const char *why_no_network = NULL;
    struct buf b = { .max = 8192 }, entries = { .max = 4096 };
    bool usable = result != NULL;
    int status;

    for (size_t i = 0; i < n; i++) {
        const struct probe_result *r = &result[i];

        if (probe_is_lack(r))
            usable = false;
        if (!r->is_there && strcmp(r->probe->name, "network") == 0)
            why_no_network = r->cause;
    }
    /* The name that MXC's programs look for. */
    if (usable)
        put_entry(&entries, "bubblewrap", !why_no_network, why_no_network);
    put_others(&entries, why_no_network);
    if (entries.len)
        buf_printf(&b, "[\n%s\n]\n", entries.data);
    else
        buf_puts(&b, "[]\n");
    status = entries.failed ? DOOR_FAILED : answer(&b, DOOR_OK);
    buf_drop(&entries);
    buf_drop(&b);
    return status;
}

static bool is_runtime(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(runtimes); i++)
        if (strlen(runtimes[i]) == len && memcmp(runtimes[i], name, len) == 0)
            return true;
    return false;
}

static int unknown_runtime(const char *name, size_t len)
{
    struct buf b = { .max = 1024 };

    for (size_t i = 0; i < ARRAY_LEN(runtimes); i++)
        buf_printf(&b, "%s%s", i ? ", " : "", runtimes[i]);
    say_text(STDERR_FILENO,
             "Error: unknown hyperlight runtime \"%.*s\"; expected one of %s",
             (int)(len < 200 ? len : 200), name, b.data ? b.data : "");
    buf_drop(&b);
    return DOOR_REFUSED;
}

int refuse_setup(const struct args *a)
{
    const char *at = a->runtimes;

    if (a->path) {
        say_text(STDERR_FILENO,
                 "Error: --setup-hyperlight takes no config path; name "
                 "runtimes with --setup-hyperlight=%s",
                 a->path);
        return DOOR_REFUSED;
    }
    while (at) {
        size_t len = strcspn(at, ",");

        if (!is_runtime(at, len))
            return unknown_runtime(at, len);
        at = at[len] ? at + len + 1 : NULL;
    }
    say_text(STDERR_FILENO, "hyperlight setup failed: the 'hyperlight' backend "
                            "is not in this build, and needs no images");
    return DOOR_REFUSED;
}

static const char *absent(enum containment c)
{
    return backend_row(backends, c) ? NULL : "is not available in this build";
}

const char *unavailable(enum containment c, bool experimental, char out[160])
{
    const char *why = "is not available on Linux";

    switch (c) {
    case CONTAIN_PROCESS:
    case CONTAIN_NATIVE:
    case CONTAIN_GVISOR:
    case CONTAIN_BUBBLEWRAP:
        return NULL;
    case CONTAIN_MICROVM:
    case CONTAIN_HYPERLIGHT:
    case CONTAIN_WINDOWS_SANDBOX:
        if (!experimental)
            why = "is experimental; enable experimental features to use it";
        else if (c != CONTAIN_WINDOWS_SANDBOX)
            why = absent(c);
        break;
    case CONTAIN_LXC:
        why = absent(c);
        break;
    case CONTAIN_VM:
    case CONTAIN_SEATBELT:
    case CONTAIN_PROCESSCONTAINER:
    case CONTAIN_WSLC:
    case CONTAIN_ISOLATION_SESSION:
        break;
    }
    if (!why)
        return NULL;
    (void)snprintf(out, 160, "the '%s' backend %s", containment_name(c), why);
    return out;
}

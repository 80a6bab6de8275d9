/* request.h - one parsed request: what the JSON said, nothing decided yet.
 *
 * The struct mirrors the wire contract 1.1.0-alpha; our 1.1.0+c1 is a
 * superset, and so is what came before 0.9.0-alpha in `network` alone
 * (struct legacy_network).  All-zero is the most restrictive meaning of every
 * field.  Strings are UTF-8, NUL-terminated and owned by the
 * arena that the request was parsed into; a list is NULL when empty. */
#ifndef MXC_CONTRACT_REQUEST_H
#define MXC_CONTRACT_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

enum contract {
    CONTRACT_NONE = 0,
    CONTRACT_0_6_0_ALPHA,
    CONTRACT_0_7_0_ALPHA,
    CONTRACT_0_8_0_ALPHA,
    CONTRACT_0_9_0_ALPHA,
    CONTRACT_0_10_0_ALPHA,
    CONTRACT_1_0_0,
    CONTRACT_1_1_0_ALPHA,
    CONTRACT_1_1_0_C1 /* "1.1.0+c1": ours */
};

/* As written; `process`, `vm` and `microvm` are intents: any backend
 * of that kind will do. */
enum containment {
    CONTAIN_PROCESS = 0,
    CONTAIN_VM,
    CONTAIN_MICROVM,
    CONTAIN_NATIVE, /* 1.1.0+c1 only: our own engine by name */
    CONTAIN_BUBBLEWRAP,
    CONTAIN_LXC,
    CONTAIN_GVISOR, /* 1.1.0+c1 only */
    CONTAIN_HYPERLIGHT,
    CONTAIN_SEATBELT,
    CONTAIN_PROCESSCONTAINER,
    CONTAIN_WINDOWS_SANDBOX,
    CONTAIN_WSLC,
    CONTAIN_ISOLATION_SESSION
};

enum phase {
    PHASE_NONE = 0, /* one-shot */
    PHASE_PROVISION,
    PHASE_START,
    PHASE_EXEC,
    PHASE_STOP,
    PHASE_DEPROVISION
};

enum net_action { NET_DENY = 0, NET_ALLOW };
enum net_protocol { PROTO_ANY = 0, PROTO_TCP, PROTO_UDP, PROTO_ICMP };
enum clipboard { CLIP_NONE = 0, CLIP_READ, CLIP_WRITE, CLIP_ALL };
enum capture_mode { CAPTURE_BLOCK = 0, CAPTURE_ALLOW };
enum hard_links { LINKS_UNCHECKED = 0, LINKS_REFUSE };

/* What stands between the workload and the host's kernel; a later one is the
 * stronger. */
enum tier {
    TIER_ANY = 0, /* nothing is asked for */
    TIER_PROCESS, /* the host's kernel itself serves the workload's calls */
    TIER_KERNEL,  /* a kernel of its own, in user space */
    TIER_VM       /* hardware virtualization */
};

/* What of a session's writable places outlives its stop. */
enum layer {
    LAYER_NONE = 0, /* nothing: they are in memory */
    LAYER_PRIVATE,  /* home, /tmp, /var/tmp, /opt, /usr/local */
    LAYER_SYSTEM    /* these, and what is written over the base system */
};

struct strings {
    const char **item;
    size_t n;
    bool present; /* distinguishes [] from absent */
};

/* Exactly one of cidr and host. */
struct net_peer {
    const char *cidr;
    struct strings except;
    const char *host; /* 1.1.0+c1: a name, or "*." and a name */
    bool intranet;    /* host: may lead to private addresses */
};

struct net_port {
    enum net_protocol protocol;
    uint16_t port;     /* 0: any */
    uint16_t end_port; /* 0: the same as port */
};

struct net_rule {
    struct net_peer *to; /* none: every IPv4 and IPv6 destination */
    size_t nto;
    struct net_port *ports; /* none: every protocol and port */
    size_t nports;
};

/* 1.1.0+c1: a port of the sandbox's loopback joined to one of the host's. */
struct net_pair {
    uint16_t guest;
    uint32_t host; /* publish: 0 picks a free one */
};

struct net_rules {
    struct net_rule *item;
    size_t n;
    bool present;
};

/* `network` of the contracts before 0.9.0-alpha; in 0.8.0-alpha a request has
 * either this or the directional kind. */
struct legacy_network {
    bool present;                   /* any field of it */
    enum net_action default_policy; /* `block` is NET_DENY */
    bool allow_local;
    struct strings allowed;
    struct strings blocked;
    bool proxy_present; /* exactly one of these three: */
    uint16_t proxy_port;
    const char *proxy_url;
    bool proxy_builtin;
};

struct wslc_port {
    uint16_t windows_port;
    uint16_t container_port;
};

/* 1.1.0+c1 `limits`; 0 is absent everywhere but in swap_bytes. */
struct limits {
    uint64_t memory_bytes;
    uint64_t swap_bytes;
    bool swap_present;
    uint32_t pids;
    uint32_t cpu_percent; /* 100: one processor */
    uint64_t cpu_time_ms;
    uint32_t idle_output_ms;
    uint32_t open_files;
    uint64_t file_size_bytes;
    uint64_t scratch_bytes; /* root, /tmp and /dev/shm together */
    uint64_t scratch_inodes;
    uint64_t written_bytes; /* to each writable grant */
    uint64_t written_inodes;
    uint64_t output_bytes;
    uint32_t connections;
    uint64_t network_bytes;
    struct strings advisory; /* names that need not be held */
};

struct request {
    enum contract contract;
    const char *version;
    enum phase phase;
    const char *sandbox_id;
    const char *container_id;
    enum containment containment;

    struct {
        const char *command_line;
        const char *cwd; /* NULL when absent or "" */
        struct strings env;
        bool inherit_default_env;
        uint32_t timeout_ms; /* 0: none */
    } process;

    struct {
        bool keep_on_exit; /* destroyOnExit: false */
        bool preserve_policy;
    } lifecycle;

    struct {
        struct strings readwrite;
        struct strings readonly;
        struct strings denied;
        enum hard_links hard_links; /* 1.1.0+c1 */
    } filesystem;

    struct {
        bool present;
        bool egress_present;
        bool ingress_present;
        enum net_action egress_default;
        struct net_rules egress_allow;
        struct net_rules egress_deny;
        enum net_action ingress_default;
        enum net_action host_loopback;
        struct net_pair *publish; /* 1.1.0+c1 ingress.ports */
        size_t npublish;
        struct net_pair *service; /* 1.1.0+c1 ingress.hostServices */
        size_t nservices;
        struct legacy_network legacy;
    } network;

    const char *network_proxy; /* runtimeConfig.networkProxy */
    bool filtering_proxy;      /* 1.1.0+c1 runtimeConfig.filteringProxy */

    struct {
        bool enable; /* disable: false */
        enum clipboard clipboard;
        bool injection;
    } ui;

    bool refuse_dacl_mutation; /* fallback.allowDaclMutation: false */
    bool telemetry;
    bool limits_present; /* 1.1.0+c1 `limits`, any content */
    struct limits limits;
    enum tier tier;   /* 1.1.0+c1 guarantees.tier: at least this one */
    enum layer layer; /* 1.1.0+c1 session.layer */
    struct {
        uint64_t idle_timeout_ms; /* 0: none */
        uint64_t max_age_ms;
    } session; /* 1.1.0+c1 */

    struct {
        bool present;
        const char *distribution;
        const char *release;
    } lxc;
    struct {
        bool present;
        const char *profile_override;
        bool gui_access;
        bool no_nested_pty; /* nestedPty: false */
        bool keychain_access;
        struct strings extra_mach_lookups;
    } seatbelt;
    bool process_container_present;
    struct {
        bool least_privilege, learning_mode;
        struct strings capabilities, enumerate_paths;
        const char *allowed_proxy_peer;
        bool capture_present, capture_retain_etl;
        enum capture_mode capture_mode;
        /* Whether its directory exists the caller sees: this parser is pure. */
        const char *capture_output_path;
        int ui_isolation, ui_settings;  /* 0: the strictest */
        const char *ui_system_settings; /* where it is text */
        bool ui_desktop_system_control, ui_ime;
    } process_container;
    bool wslc_present;
    const char *wslc_image; /* these two at provision; NULL: not said */
    const char *wslc_image_tar;
    struct wslc_port *wslc_ports;
    size_t nwslc_ports;
    bool hyperlight_present;
    bool windows_sandbox_present;
};

/* Largest request text that is looked at; more is refused unread. */
#define REQUEST_MAX_BYTES (8u << 20)

/* Parse and check one request (one-shot or lifecycle, by the presence of
 * `phase`).  Pure.  On failure *e names code, place (JSON path), line and
 * column, and what was expected, and *out is untouched.  The text is not
 * kept. */
int request_parse(struct arena *a, const char *text, size_t len,
                  struct request **out, struct err *e);

/* Refuse sections that belong to another backend than the one that runs the
 * request.  request_parse does this for a concrete `containment`; whoever
 * resolves an intent (`process`, `vm`, `microvm`) asks again with the result.
 * The error has no line: request_locate finds it by e->where. */
int request_check_sections(const struct request *r, enum containment backend,
                           struct err *e);

/* Does `processContainer` ask for a record of what is refused, which other
 * backends can make too?  Is nothing else in it, which they cannot? */
bool request_wants_record(const struct request *r);
int request_check_record(const struct request *r, struct err *e);

/* The line and column (1-based) of the value at a JSON path such as
 * "network.egress.allow[0].to[1].cidr" in a text that request_parse took;
 * 0/0 when there is no such place.  For faults that are found later. */
void request_locate(const char *text, size_t len, const char *path,
                    unsigned *line, unsigned *column);

/* The contract of that name, or CONTRACT_NONE. */
enum contract contract_find(const char *name);

/* Names as they stand on the wire; NULL for a number that has none. */
const char *contract_name(enum contract c);
const char *containment_name(enum containment c);
const char *tier_name(enum tier t);

/* The tier of that name, or TIER_ANY. */
enum tier tier_find(const char *name);

/* The same for layers: NULL for LAYER_NONE, and back. */
const char *layer_name(enum layer l);
enum layer layer_find(const char *name);

#endif

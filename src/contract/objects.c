/* objects.c - the objects of a request that mean the same to every backend.
 *
 * Only shape stands here.  Rules between fields are in check.c. */
#include "contract/objects.h"

#include "contract/format.h"

#define AT(member)   offsetof(struct request, member)
#define PEER(member) offsetof(struct net_peer, member)
#define PORT(member) offsetof(struct net_port, member)
#define RULE(member) offsetof(struct net_rule, member)
#define PAIR(member) offsetof(struct net_pair, member)

/* clang-format off */
#define ROWS_PROCESS(needs_command)                                        \
    { "commandLine", K_STR, IN_ALL, needs_command,                         \
      AT(process.command_line),                                            \
      &format_command, "Command, as one line for the shell." },            \
    { "cwd", K_STR, IN_ALL, F_EMPTY_IS_ABSENT, AT(process.cwd),            \
      NULL, "Working directory inside the sandbox." },                     \
    { "env", K_STRS, IN_ALL, 0, AT(process.env),                           \
      NULL, "Environment as NAME=VALUE; replaces the default one." },      \
    { "inheritDefaultEnv", K_BOOL, SINCE_09, 0,                            \
      AT(process.inherit_default_env),                                     \
      NULL, "Keep the default environment and lay 'env' over it." },       \
    { "timeout", K_U32, IN_ALL, 0, AT(process.timeout_ms),                 \
      NULL, "Milliseconds until the workload is killed; 0 means never." }

static const struct field process_fields[] = { ROWS_PROCESS(F_REQUIRED),
                                               { 0 } };
const struct object object_process = { .name = "process",
                                       .fields = process_fields };

/* Of a policy, which is used with a command. */
static const struct field policy_process_fields[] = { ROWS_PROCESS(0),
                                                      { 0 } };
const struct object object_policy_process = { .name = "policyProcess",
                                              .fields =
                                                  policy_process_fields };

static const struct field lifecycle_fields[] = {
    { "destroyOnExit", K_NOT, IN_ALL, 0, AT(lifecycle.keep_on_exit),
      NULL, "Destroy the container when the workload ends (default true)." },
    { "preservePolicy", K_BOOL, IN_ALL, 0, AT(lifecycle.preserve_policy),
      NULL, "Leave what the policy set up on the host in place." },
    { 0 }
};
const struct object object_lifecycle = { .name = "lifecycle",
                                         .fields = lifecycle_fields };

static const struct choice hard_link_names[] = {
    { "refuse", LINKS_REFUSE, 0 },
    { 0 }
};
static const struct field filesystem_fields[] = {
    { "readwritePaths", K_STRS, IN_ALL, 0, AT(filesystem.readwrite),
      &format_path, "Paths that the workload may read and change." },
    { "readonlyPaths", K_STRS, IN_ALL, 0, AT(filesystem.readonly),
      &format_path, "Paths that the workload may read." },
    { "deniedPaths", K_STRS, IN_ALL, 0, AT(filesystem.denied),
      &format_path, "Paths that are refused inside a granted one." },
    { "hardLinks", K_ENUM, IN_C1, 0, AT(filesystem.hard_links),
      hard_link_names,
      "Refuse the run when a writable path holds a file that has another "
      "name elsewhere." },
    { 0 }
};
const struct object object_filesystem = { .name = "filesystem",
                                          .fields = filesystem_fields };

static const struct field fallback_fields[] = {
    { "allowDaclMutation", K_NOT, IN_ALL, 0, AT(refuse_dacl_mutation),
      NULL, "Windows: allow a tier that changes access lists (default true)." },
    { 0 }
};
const struct object object_fallback = { .name = "fallback",
                                        .fields = fallback_fields };

static const struct choice action_names[] = {
    { "allow", NET_ALLOW, 0 },
    { "deny", NET_DENY, 0 },
    { 0 }
};
static const struct choice protocol_names[] = {
    { "tcp", PROTO_TCP, 0 },
    { "udp", PROTO_UDP, 0 },
    { "icmp", PROTO_ICMP, 0 },
    { "any", PROTO_ANY, 0 },
    { 0 }
};

static const struct field peer_fields[] = {
    { "cidr", K_STR, IN_ALL & ~IN_C1, F_REQUIRED, PEER(cidr),
      &format_cidr, "Address or block of addresses, IPv4 or IPv6." },
    { "cidr", K_STR, IN_C1, 0, PEER(cidr),
      &format_cidr, "Address or block of addresses, IPv4 or IPv6." },
    { "except", K_STRS, IN_ALL, 0, PEER(except),
      &format_cidr, "Blocks inside 'cidr' that do not match." },
    { "host", K_STR, IN_C1, 0, PEER(host),
      &format_host,
      "Host name, or '*.' and a name for all names below it; instead of "
      "'cidr'." },
    { "intranet", K_BOOL, IN_C1, 0, PEER(intranet),
      NULL, "The name of 'host' may lead to private addresses." },
    { 0 }
};
static const struct object object_peer = { .name = "networkPeer",
                                           .fields = peer_fields,
                                           .size = sizeof(struct net_peer) };

static const struct field port_fields[] = {
    { "protocol", K_ENUM, IN_ALL, 0, PORT(protocol),
      protocol_names, "Protocol (default any)." },
    { "port", K_PORT, IN_ALL, 0, PORT(port),
      NULL, "Destination port; every port when absent." },
    { "endPort", K_PORT, IN_ALL, 0, PORT(end_port),
      NULL, "Last port of a range that begins at 'port'." },
    { 0 }
};
static const struct object object_port = { .name = "networkPort",
                                           .fields = port_fields,
                                           .size = sizeof(struct net_port) };

static const struct field rule_fields[] = {
    { "to", K_OBJS, IN_ALL, F_FILLED, RULE(to),
      &object_peer, "Destinations; every address when absent.",
      .count = RULE(nto) },
    { "ports", K_OBJS, IN_ALL, F_FILLED, RULE(ports),
      &object_port, "Protocols and ports; all of them when absent.",
      .count = RULE(nports) },
    { 0 }
};
static const struct object object_rule = { .name = "networkRule",
                                           .fields = rule_fields,
                                           .size = sizeof(struct net_rule) };

static const struct field egress_fields[] = {
    { "default", K_ENUM, IN_ALL, 0, AT(network.egress_default),
      action_names, "What happens when no rule matches (default deny)." },
    { "allow", K_OBJS, IN_ALL, 0, AT(network.egress_allow.item),
      &object_rule, "Rules that let traffic out.",
      .count = AT(network.egress_allow.n),
      .seen = AT(network.egress_allow.present) },
    { "deny", K_OBJS, IN_ALL, 0, AT(network.egress_deny.item),
      &object_rule, "Rules that refuse traffic; they beat 'allow'.",
      .count = AT(network.egress_deny.n),
      .seen = AT(network.egress_deny.present) },
    { 0 }
};
static const struct object object_egress = { .name = "egress",
                                             .fields = egress_fields };

static const struct choice forwarded_names[] = { { "tcp", PROTO_TCP, 0 },
                                                 { 0 } };
static const struct field published_fields[] = {
    { "guest", K_PORT, IN_C1, F_REQUIRED, PAIR(guest),
      NULL, "Port that the workload listens on." },
    { "host", K_U32, IN_C1, F_PORT, PAIR(host),
      NULL, "Port of the host's loopback; 0, the default, picks a free one." },
    { "protocol", K_ENUM, IN_C1, 0, NOWHERE,
      forwarded_names, "Protocol." },
    { 0 }
};
static const struct object object_published = {
    .name = "publishedPort",
    .fields = published_fields,
    .size = sizeof(struct net_pair)
};
static const struct field service_fields[] = {
    { "host", K_U32, IN_C1, F_REQUIRED | F_POSITIVE | F_PORT, PAIR(host),
      NULL, "Port that listens on the host's loopback." },
    { "guest", K_PORT, IN_C1, 0, PAIR(guest),
      NULL, "Port of the sandbox's loopback that leads there (default the "
      "same)." },
    { "protocol", K_ENUM, IN_C1, 0, NOWHERE,
      forwarded_names, "Protocol." },
    { 0 }
};
static const struct object object_service = {
    .name = "hostService",
    .fields = service_fields,
    .size = sizeof(struct net_pair)
};

static const struct field ingress_fields[] = {
    { "default", K_ENUM, IN_ALL, 0, AT(network.ingress_default),
      action_names, "New connections from outside (default deny)." },
    { "hostLoopback", K_ENUM, IN_ALL, 0, AT(network.host_loopback),
      action_names,
      "Connections between the sandbox and the host's loopback, both ways "
      "(default deny)." },
    { "ports", K_OBJS, IN_C1, 0, AT(network.publish),
      &object_published, "Ports of the sandbox that the host's loopback has; "
      "needs hostLoopback 'allow'.",
      .count = AT(network.npublish) },
    { "hostServices", K_OBJS, IN_C1, 0, AT(network.service),
      &object_service, "Ports of the host's loopback that the sandbox has; "
      "needs hostLoopback 'allow'.",
      .count = AT(network.nservices) },
    { 0 }
};
static const struct object object_ingress = { .name = "ingress",
                                              .fields = ingress_fields };

static const struct field network_fields[] = {
    { "defaultPolicy", K_ENUM, IN_LEGACY, 0, AT(network.legacy.default_policy),
      legacy_policy_names,
      "What happens to connections that no list names (default block).",
      .seen = AT(network.legacy.present) },
    { "enforcementMode", K_ENUM, IN_LEGACY, 0, NOWHERE,
      legacy_enforcement_names,
      "Without effect: the backend chooses how it enforces.",
      .seen = AT(network.legacy.present) },
    { "allowedHosts", K_STRS, IN_LEGACY, 0, AT(network.legacy.allowed),
      NULL, "Host names, addresses and blocks that are let out to.",
      .seen = AT(network.legacy.present) },
    { "blockedHosts", K_STRS, IN_LEGACY, 0, AT(network.legacy.blocked),
      NULL, "The same, refused; they beat 'allowedHosts'.",
      .seen = AT(network.legacy.present) },
    { "allowLocalNetwork", K_BOOL, IN_LEGACY, 0,
      AT(network.legacy.allow_local),
      NULL, "New connections from outside.",
      .seen = AT(network.legacy.present) },
    { "proxy", K_OBJ, IN_LEGACY, 0, AT(network.legacy.proxy_present),
      &object_legacy_proxy, "The only way out, an HTTP proxy.",
      .seen = AT(network.legacy.present) },
    { "egress", K_OBJ, SINCE_08, 0, AT(network.egress_present),
      &object_egress, "What the workload may connect to." },
    { "ingress", K_OBJ, SINCE_08, 0, AT(network.ingress_present),
      &object_ingress, "What may connect to the workload." },
    { 0 }
};
static const struct moved network_moved[] = {
    { "defaultPolicy", "use network.egress.default ('allow' or 'deny')" },
    { "enforcementMode",
      "leave it out: the backend chooses how network policy is enforced" },
    { "allowLocalNetwork",
      "use network.ingress.default and network.ingress.hostLoopback" },
    { "allowedHosts", "use network.egress.allow, with 'cidr', or with 'host' "
                      "in contract '1.1.0+c1'" },
    { "blockedHosts", "use network.egress.deny, with 'cidr', or with 'host' "
                      "in contract '1.1.0+c1'" },
    { "proxy", "use runtimeConfig.networkProxy with the URL of the proxy" },
    { 0 }
};
const struct object object_network = { .name = "network",
                                       .fields = network_fields,
                                       .moved = network_moved };

static const struct field runtime_config_fields[] = {
    { "networkProxy", K_STR, IN_ALL, 0, AT(network_proxy),
      NULL, "URL of the only way out, an HTTP proxy on the host." },
    { "filteringProxy", K_BOOL, IN_C1, 0, AT(filtering_proxy),
      NULL, "Run the built-in proxy inside, for programs that need one; the "
      "same rules decide." },
    { 0 }
};
const struct object object_runtime_config = {
    .name = "runtimeConfig",
    .fields = runtime_config_fields
};

static const struct choice clipboard_names[] = {
    { "none", CLIP_NONE, 0 },
    { "read", CLIP_READ, 0 },
    { "write", CLIP_WRITE, 0 },
    { "all", CLIP_ALL, 0 },
    { 0 }
};
static const struct field ui_fields[] = {
    { "disable", K_NOT, IN_ALL, 0, AT(ui.enable),
      NULL, "No window, no display (default true)." },
    { "clipboard", K_ENUM, IN_ALL, 0, AT(ui.clipboard),
      clipboard_names, "Access to the clipboard (default none)." },
    { "injection", K_BOOL, IN_ALL, 0, AT(ui.injection),
      NULL, "Allow the workload to send input events." },
    { 0 }
};
const struct object object_ui = { .name = "ui", .fields = ui_fields };

static const struct field telemetry_fields[] = {
    { "enabled", K_BOOL, IN_ALL, 0, AT(telemetry),
      NULL, "Ask for telemetry." },
    { 0 }
};
const struct object object_telemetry = { .name = "telemetry",
                                         .fields = telemetry_fields };

static const struct field guarantees_fields[] = {
    { "tier", K_ENUM, IN_C1, 0, AT(tier),
      tier_names,
      "Weakest isolation that will do: the host's kernel behind walls, a "
      "kernel of its own in user space, or a virtual machine." },
    { 0 }
};
const struct object object_guarantees = { .name = "guarantees",
                                          .fields = guarantees_fields };

static const struct field session_fields[] = {
    { "layer", K_ENUM, IN_C1, 0, AT(layer),
      layer_names,
      "What is kept when it stops: 'private' keeps home, /tmp, /var/tmp, /opt "
      "and /usr/local, 'system' also what is written over the base system "
      "(default: nothing)." },
    { "idleTimeout", K_U64, IN_C1, F_POSITIVE, AT(session.idle_timeout_ms),
      NULL, "Stop it after so many milliseconds without a process in it." },
    { "maxAge", K_U64, IN_C1, F_POSITIVE, AT(session.max_age_ms),
      NULL, "Stop it so many milliseconds after its start." },
    { 0 }
};
const struct object object_session = { .name = "session",
                                       .fields = session_fields };

static const struct field limits_fields[] = {
    { "memoryBytes", K_U64, IN_C1, F_POSITIVE, AT(limits.memory_bytes),
      NULL, "Memory of all processes together." },
    { "swapBytes", K_U64, IN_C1, 0, AT(limits.swap_bytes),
      NULL, "Swap besides memory (default 0 where memory is limited).",
      .seen = AT(limits.swap_present) },
    { "pids", K_U32, IN_C1, F_POSITIVE, AT(limits.pids),
      NULL, "Processes and threads at one time." },
    { "cpuPercent", K_U32, IN_C1, F_POSITIVE, AT(limits.cpu_percent),
      NULL, "Share of processor time; 100 is one processor." },
    { "cpuTimeMs", K_U64, IN_C1, F_POSITIVE, AT(limits.cpu_time_ms),
      NULL, "Processor time of all processes together." },
    { "idleOutputMs", K_U32, IN_C1, F_POSITIVE, AT(limits.idle_output_ms),
      NULL, "Longest silence on both output streams." },
    { "openFiles", K_U32, IN_C1, F_POSITIVE, AT(limits.open_files),
      NULL, "Open descriptors of one process." },
    { "fileSizeBytes", K_U64, IN_C1, F_POSITIVE, AT(limits.file_size_bytes),
      NULL, "Size of one written file." },
    { "scratchBytes", K_U64, IN_C1, F_POSITIVE, AT(limits.scratch_bytes),
      NULL, "Bytes in the private root, /tmp and /dev/shm together." },
    { "scratchInodes", K_U64, IN_C1, F_POSITIVE, AT(limits.scratch_inodes),
      NULL, "Files in the private root, /tmp and /dev/shm together." },
    { "writtenBytes", K_U64, IN_C1, F_POSITIVE, AT(limits.written_bytes),
      NULL, "Bytes added to each writable path." },
    { "writtenInodes", K_U64, IN_C1, F_POSITIVE, AT(limits.written_inodes),
      NULL, "Files added to each writable path." },
    { "outputBytes", K_U64, IN_C1, F_POSITIVE, AT(limits.output_bytes),
      NULL, "Bytes on standard output and error together." },
    { "connections", K_U32, IN_C1, F_POSITIVE, AT(limits.connections),
      NULL, "Network connections at one time." },
    { "networkBytes", K_U64, IN_C1, F_POSITIVE, AT(limits.network_bytes),
      NULL, "Bytes over the network, both ways." },
    { "advisory", K_STRS, IN_C1, 0, AT(limits.advisory),
      &format_limit,
      "Names of limits that may go unheld where the host cannot hold them." },
    { 0 }
};
/* clang-format on */
const struct object object_limits = { .name = "limits",
                                      .fields = limits_fields };

/* sections.c - the sections that only one backend reads.
 *
 * Most of them are for systems that this program does not run on; they are
 * checked as MXC checks them and mostly not kept. */
#include "contract/objects.h"

#include "contract/format.h"

#define AT(member)  offsetof(struct request, member)
#define MAP(member) offsetof(struct wslc_port, member)

/* clang-format off */
static const struct field lxc_fields[] = {
    { "distribution", K_STR, IN_ALL, F_REQUIRED, AT(lxc.distribution),
      NULL, "Distribution of the image." },
    { "release", K_STR, IN_ALL, F_REQUIRED, AT(lxc.release),
      NULL, "Release of the distribution." },
    { 0 }
};
const struct object object_lxc = { .name = "lxc", .fields = lxc_fields };

static const struct choice launch_names[] = {
    { "exec", 0, 0 }, { "open", 1, 0 },
    { 0 }
};
static const struct moved seatbelt_moved[] = {
    { "launchMethod", "leave it out: the workload is executed" },
    { 0 }
};
static const struct field seatbelt_fields[] = {
    { "profileOverride", K_STR, IN_ALL, 0, AT(seatbelt.profile_override),
      NULL, "Sandbox profile to use instead of the generated one." },
    { "guiAccess", K_BOOL, IN_ALL, 0, AT(seatbelt.gui_access),
      NULL, "Allow windows." },
    { "launchMethod", K_ENUM, IN_07 | IN_08, 0, NOWHERE,
      launch_names, "How the workload is started." },
    { "nestedPty", K_NOT, IN_ALL, 0, AT(seatbelt.no_nested_pty),
      NULL, "Allow the workload to make terminals (default true)." },
    { "keychainAccess", K_BOOL, IN_ALL, 0, AT(seatbelt.keychain_access),
      NULL, "Allow the key chain." },
    { "extraMachLookups", K_STRS, IN_ALL, 0, AT(seatbelt.extra_mach_lookups),
      NULL, "Mach services that the workload may look up." },
    { 0 }
};
const struct object object_seatbelt = { .name = "seatbelt",
                                        .fields = seatbelt_fields,
                                        .moved = seatbelt_moved };

static const struct choice capture_names[] = {
    { "block", CAPTURE_BLOCK, 0 }, { "allow", CAPTURE_ALLOW, 0 },
    { 0 }
};
static const struct field capture_fields[] = {
    { "mode", K_ENUM, IN_ALL, 0, AT(process_container.capture_mode),
      capture_names, "Whether what is recorded is also refused." },
    { "outputPath", K_STR, IN_ALL, 0, AT(process_container.capture_output_path),
      &format_file, "File for the record." },
    { "retainEtl", K_BOOL, IN_ALL, 0,
      AT(process_container.capture_retain_etl),
      NULL, "Keep the trace that the record was made from." },
    { 0 }
};
static const struct object object_capture = { .name = "captureDenials",
                                              .fields = capture_fields };

static const struct field container_filesystem_fields[] = {
    { "enumeratePaths", K_STRS, IN_ALL, 0,
      AT(process_container.enumerate_paths),
      &format_path, "Directories that may be listed." },
    { 0 }
};
static const struct object object_container_filesystem = {
    .name = "processContainerFilesystem",
    .fields = container_filesystem_fields
};

static const struct field container_network_fields[] = {
    { "allowedProxyPeer", K_STR, IN_ALL, 0,
      AT(process_container.allowed_proxy_peer),
      &format_peer, "Identity that the proxy must have." },
    { 0 }
};
static const struct object object_container_network = {
    .name = "processContainerNetwork",
    .fields = container_network_fields
};

static const struct choice isolation_names[] = {
    { "container", 0, 0 }, { "desktop", 1, 0 }, { "handles", 2, 0 },
    { "atoms", 3, 0 },
    { 0 }
};
static const struct choice settings_names[] = {
    { "none", 0, 0 }, { "parameters", 1, 0 }, { "display", 2, 0 },
    { "all", 3, 0 },
    { 0 }
};
static const struct field container_ui_fields[] = {
    { "isolation", K_ENUM, IN_ALL, 0, AT(process_container.ui_isolation),
      isolation_names, "What of the desktop is shared." },
    { "desktopSystemControl", K_BOOL, IN_ALL, 0,
      AT(process_container.ui_desktop_system_control),
      NULL, "Allow system control of the desktop." },
    { "systemSettings", K_STR, IN_ALL & ~SINCE_11, 0,
      AT(process_container.ui_system_settings),
      NULL, "System settings that may change." },
    { "systemSettings", K_ENUM, SINCE_11, 0, AT(process_container.ui_settings),
      settings_names, "System settings that may change." },
    { "ime", K_BOOL, IN_ALL, 0, AT(process_container.ui_ime),
      NULL, "Allow input methods." },
    { 0 }
};
static const struct object object_container_ui = {
    .name = "processContainerUi",
    .fields = container_ui_fields
};

static const struct field container_fields[] = {
    { "leastPrivilege", K_BOOL, IN_ALL, 0,
      AT(process_container.least_privilege),
      NULL, "Run as a less privileged container." },
    { "learningMode", K_BOOL, SINCE_08, 0, AT(process_container.learning_mode),
      NULL, "Record what would have been refused." },
    { "capabilities", K_STRS, IN_ALL, 0, AT(process_container.capabilities),
      &format_capability, "Capabilities of the container." },
    { "captureDenials", K_OBJ, SINCE_08, 0,
      AT(process_container.capture_present),
      &object_capture, "Record refusals." },
    { "filesystem", K_OBJ, SINCE_09, 0, NOWHERE,
      &object_container_filesystem, "Further file rules." },
    { "network", K_OBJ, SINCE_08, 0, NOWHERE,
      &object_container_network, "Further network rules." },
    { "ui", K_OBJ, IN_ALL, 0, NOWHERE,
      &object_container_ui, "Further rules for the user interface." },
    { 0 }
};
const struct object object_process_container = { .name = "processContainer",
                                                 .fields = container_fields };

static const struct choice tcp_names[] = {
    { "tcp", PROTO_TCP, 0 },
    { 0 }
};
static const struct field mapping_fields[] = {
    { "windowsPort", K_PORT, IN_ALL, F_REQUIRED, MAP(windows_port),
      NULL, "Port on the host." },
    { "containerPort", K_PORT, IN_ALL, F_REQUIRED, MAP(container_port),
      NULL, "Port in the container." },
    { "protocol", K_ENUM, IN_ALL, 0, NOWHERE,
      tcp_names, "Protocol (default tcp)." },
    { 0 }
};
static const struct object object_mapping = {
    .name = "portMapping",
    .fields = mapping_fields,
    .size = sizeof(struct wslc_port)
};

static const struct field wslc_fields[] = {
    { "image", K_STR, IN_ALL, 0, NOWHERE, NULL, "Image to run." },
    { "imageTarPath", K_STR, IN_ALL, 0, NOWHERE,
      NULL, "Archive to load the image from." },
    { "storagePath", K_STR, IN_ALL, 0, NOWHERE,
      NULL, "Directory for images and containers." },
    { "targetOs", K_STR, IN_ALL, 0, NOWHERE,
      NULL, "Operating system of the image." },
    { "cpuCount", K_U32, IN_ALL, 0, NOWHERE, NULL, "Processors." },
    { "memoryMb", K_U64, IN_ALL, 0, NOWHERE, NULL, "Memory in MiB." },
    { "gpu", K_BOOL, IN_ALL, 0, NOWHERE, NULL, "Pass the GPU through." },
    { "portMappings", K_OBJS, IN_ALL, 0, AT(wslc_ports),
      &object_mapping, "Ports of the container to publish.",
      .count = AT(nwslc_ports) },
    { 0 }
};
const struct object object_wslc = { .name = "wslc", .fields = wslc_fields };

static const struct field wslc_provision_fields[] = {
    { "image", K_STR, IN_ALL, 0, AT(wslc_image), NULL, "Image to run." },
    { "imageTarPath", K_STR, IN_ALL, 0, AT(wslc_image_tar),
      NULL, "Archive to load the image from." },
    { "portMappings", K_OBJS, SINCE_11, 0, AT(wslc_ports),
      &object_mapping, "Ports of the container to publish.",
      .count = AT(nwslc_ports) },
    { 0 }
};
static const struct object object_wslc_provision = {
    .name = "wslcProvision",
    .fields = wslc_provision_fields
};
static const struct field wslc_section_fields[] = {
    { "provision", K_OBJ, IN_ALL, 0, NOWHERE,
      &object_wslc_provision, "What this phase needs." },
    { 0 }
};
const struct object object_wslc_section = { .name = "wslcPhases",
                                            .fields = wslc_section_fields };

static const struct field session_provision_fields[] = {
    { "appId", K_STR, IN_ALL, 0, NOWHERE,
      NULL, "Application that the session belongs to." },
    { 0 }
};
static const struct object object_session_provision = {
    .name = "isolationSessionProvision",
    .fields = session_provision_fields
};
static const struct field session_section_fields[] = {
    { "provision", K_OBJ, IN_ALL, 0, NOWHERE,
      &object_session_provision, "What this phase needs." },
    { 0 }
};
const struct object object_session_section = {
    .name = "isolationSessionPhases",
    .fields = session_section_fields
};

/* An isolation session can hold back nothing, and must be told so. */
static const struct choice allow_names[] = {
    { "allow", NET_ALLOW, 0 },
    { 0 }
};
static const struct field session_egress_fields[] = {
    { "default", K_ENUM, IN_ALL, F_REQUIRED, AT(network.egress_default),
      allow_names, "Everything is let out." },
    { 0 }
};
static const struct object object_session_egress = {
    .name = "isolationSessionEgress",
    .fields = session_egress_fields
};
static const struct field session_ingress_fields[] = {
    { "default", K_ENUM, IN_ALL, F_REQUIRED, AT(network.ingress_default),
      allow_names, "Everything is let in." },
    { "hostLoopback", K_ENUM, IN_ALL, F_REQUIRED, AT(network.host_loopback),
      allow_names, "The host's loopback is shared." },
    { 0 }
};
static const struct object object_session_ingress = {
    .name = "isolationSessionIngress",
    .fields = session_ingress_fields
};
static const struct field session_network_fields[] = {
    { "defaultPolicy", K_ENUM, IN_08, F_REQUIRED,
      AT(network.legacy.default_policy),
      allow_names, "Everything is let out.",
      .seen = AT(network.legacy.present) },
    { "allowLocalNetwork", K_BOOL, IN_08, F_REQUIRED | F_TRUE,
      AT(network.legacy.allow_local),
      NULL, "Everything is let in." },
    { "egress", K_OBJ, SINCE_09, F_REQUIRED, AT(network.egress_present),
      &object_session_egress, "What the workload may connect to." },
    { "ingress", K_OBJ, SINCE_09, F_REQUIRED, AT(network.ingress_present),
      &object_session_ingress, "What may connect to the workload." },
    { 0 }
};
const struct object object_session_network = {
    .name = "isolationSessionNetwork",
    .fields = session_network_fields
};

static const struct choice runtime_names[] = {
    { "agent", 0, 0 }, { "python", 1, 0 }, { "python-shell", 2, 0 },
    { "node", 3, 0 }, { "bash", 4, 0 }, { "dotnet-jit", 5, 0 },
    { 0 }
};
static const struct field hyperlight_fields[] = {
    { "runtime", K_ENUM, IN_ALL, 0, NOWHERE,
      runtime_names, "Guest that runs the command (default agent)." },
    { 0 }
};
const struct object object_hyperlight = { .name = "hyperlight",
                                          .fields = hyperlight_fields };

static const struct field windows_sandbox_fields[] = {
    { "idleTimeoutMs", K_U32, IN_ALL, 0, NOWHERE,
      NULL, "Kept for compatibility; without effect." },
    { "idleTimeout", K_U32, IN_ALL, 0, NOWHERE,
      NULL, "Kept for compatibility; without effect." },
    { "daemonPipeName", K_STR, IN_ALL, 0, NOWHERE,
      NULL, "Kept for compatibility; without effect." },
    { 0 }
};
const struct object object_windows_sandbox = {
    .name = "windowsSandbox",
    .fields = windows_sandbox_fields
};

static const struct field test_fields[] = {
    { "message", K_STR, IN_ALL, 0, NOWHERE, NULL, "Without effect." },
    { 0 }
};
/* clang-format on */
const struct object object_test = { .name = "test", .fields = test_fields };

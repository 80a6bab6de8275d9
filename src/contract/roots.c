/* roots.c - the kinds of request, and the names of versions, phases and
 * backends. */
#include "contract/table.h"

#include <string.h>

#include "contract/objects.h"

#define AT(member) offsetof(struct request, member)

/* clang-format off */
const struct choice contract_names[] = {
    { "0.6.0-alpha", CONTRACT_0_6_0_ALPHA, 0 },
    { "0.7.0-alpha", CONTRACT_0_7_0_ALPHA, 0 },
    { "0.8.0-alpha", CONTRACT_0_8_0_ALPHA, 0 },
    { "0.9.0-alpha", CONTRACT_0_9_0_ALPHA, 0 },
    { "0.10.0-alpha", CONTRACT_0_10_0_ALPHA, 0 },
    { "1.0.0", CONTRACT_1_0_0, 0 },
    { "1.1.0-alpha", CONTRACT_1_1_0_ALPHA, 0 },
    { "1.1.0+c1", CONTRACT_1_1_0_C1, 0 },
    { 0 }
};

const struct choice phase_names[] = {
    { "provision", PHASE_PROVISION, 0 },
    { "start", PHASE_START, 0 },
    { "exec", PHASE_EXEC, 0 },
    { "stop", PHASE_STOP, 0 },
    { "deprovision", PHASE_DEPROVISION, 0 },
    { 0 }
};

const struct choice containment_names[] = {
    { "process", CONTAIN_PROCESS, IN_ALL },
    { "vm", CONTAIN_VM, IN_08 | IN_DEV },
    { "microvm", CONTAIN_MICROVM, IN_08 | IN_DEV },
    { "native", CONTAIN_NATIVE, IN_C1 },
    { "bubblewrap", CONTAIN_BUBBLEWRAP, IN_ALL },
    { "lxc", CONTAIN_LXC, IN_ALL },
    { "gvisor", CONTAIN_GVISOR, IN_C1 },
    { "hyperlight", CONTAIN_HYPERLIGHT, IN_08 | IN_DEV },
    { "seatbelt", CONTAIN_SEATBELT, SINCE_07 },
    { "macos_sandbox", CONTAIN_SEATBELT, IN_ALIAS & SINCE_07 },
    { "processcontainer", CONTAIN_PROCESSCONTAINER, IN_ALL },
    { "appcontainer", CONTAIN_PROCESSCONTAINER, IN_ALIAS },
    { "windows_sandbox", CONTAIN_WINDOWS_SANDBOX, IN_08 | IN_DEV },
    { "wslc", CONTAIN_WSLC, SINCE_08 },
    { "isolation_session", CONTAIN_ISOLATION_SESSION, SINCE_08 },
    { 0 }
};

const struct choice tier_names[] = {
    { "process", TIER_PROCESS, 0 },
    { "kernel", TIER_KERNEL, 0 },
    { "vm", TIER_VM, 0 },
    { 0 }
};

const struct choice layer_names[] = {
    { "private", LAYER_PRIVATE, 0 },
    { "system", LAYER_SYSTEM, 0 },
    { 0 }
};

#define ROWS_COMMON                                                        \
    { "version", K_VERSION, IN_ALL, F_REQUIRED, NOWHERE,                   \
      NULL, "Version of the contract that the request is written in." },   \
    { "$schema", K_STR, SINCE_07, 0, NOWHERE,                                \
      NULL, "For editors; not looked at." },                               \
    { "_comment", K_ANY, SINCE_07, 0, NOWHERE,                               \
      NULL, "For people; not looked at." },                                \
    { "telemetry", K_OBJ, SINCE_09, 0, NOWHERE,                              \
      &object_telemetry, "Telemetry of the caller's product." }

#define ROW_PHASE                                                          \
    { "phase", K_PHASE, IN_ALL, F_REQUIRED, NOWHERE,                       \
      NULL, "Step in the life of a sandbox." }

#define ROW_SANDBOX                                                        \
    { "sandboxId", K_STR, IN_ALL, F_REQUIRED, AT(sandbox_id),              \
      NULL, "Sandbox that a provision request returned." }

#define ROW_BACKEND                                                        \
    { "containment", K_BACKEND, IN_ALL, F_REQUIRED, NOWHERE,               \
      NULL, "Backend that keeps the sandbox." }

#define ROW_CORRELATION                                                    \
    { "correlationVector", K_STR, IN_08, 0, NOWHERE,                       \
      NULL, "Mark of the caller; not looked at." }

#define ROW_PHASE_EXPERIMENTAL                                             \
    { "experimental", K_OBJ, IN_08, 0, NOWHERE,                            \
      &object_experimental_phase, "Settings of this phase." }

static const struct field one_shot_fields[] = {
    ROWS_COMMON,
    { "containerId", K_STR, IN_ALL, 0, AT(container_id),
      NULL, "Name of the container, where the backend has one." },
    { "containment", K_ENUM, IN_ALL, 0, AT(containment),
      containment_names, "Backend, or kind of backend (default process)." },
    { "lifecycle", K_OBJ, IN_ALL, 0, NOWHERE,
      &object_lifecycle, "What is left when the workload ends." },
    { "process", K_OBJ, IN_ALL & ~IN_C1, F_REQUIRED, NOWHERE,
      &object_process, "What to run." },
    { "process", K_OBJ, IN_C1, 0, NOWHERE,
      &object_policy_process,
      "What to run; of a policy for a command, how." },
    { "filesystem", K_OBJ, IN_ALL, 0, NOWHERE,
      &object_filesystem, "Files that the workload may reach." },
    { "fallback", K_OBJ, IN_ALL, 0, NOWHERE,
      &object_fallback, "Weaker means that the caller agrees to." },
    { "network", K_OBJ, IN_ALL, 0, AT(network.present),
      &object_network, "Network access; none when absent." },
    { "runtimeConfig", K_OBJ, SINCE_08, 0, NOWHERE,
      &object_runtime_config, "Settings of one run." },
    { "ui", K_OBJ, IN_ALL, 0, NOWHERE,
      &object_ui, "Display, clipboard and input." },
    { "limits", K_OBJ, IN_C1, 0, AT(limits_present),
      &object_limits, "Most that the workload may use." },
    { "guarantees", K_OBJ, IN_C1, 0, NOWHERE,
      &object_guarantees, "Least that its isolation must be." },
    { "session", K_OBJ, IN_C1, 0, NOWHERE,
      &object_session, "What a session has besides a run." },
    { "processContainer", K_OBJ, IN_ALL, 0, AT(process_container_present),
      &object_process_container, "Settings of a Windows process container." },
    { "appContainer", K_OBJ, IN_ALIAS, 0, AT(process_container_present),
      &object_process_container, "Former name of 'processContainer'." },
    { "lxc", K_OBJ, IN_ALL, 0, AT(lxc.present),
      &object_lxc, "Settings of an LXC container." },
    { "seatbelt", K_OBJ, SINCE_07, 0, AT(seatbelt.present),
      &object_seatbelt, "Settings of a macOS sandbox." },
    { "macos_sandbox", K_OBJ, IN_ALIAS & SINCE_07, 0, AT(seatbelt.present),
      &object_seatbelt, "Former name of 'seatbelt'." },
    { "wslc", K_OBJ, SINCE_09, 0, AT(wslc_present),
      &object_wslc, "Settings of a WSL container." },
    { "hyperlight", K_OBJ, IN_DEV, 0, AT(hyperlight_present),
      &object_hyperlight, "Settings of a Hyperlight guest." },
    { "windowsSandbox", K_OBJ, IN_DEV, 0, AT(windows_sandbox_present),
      &object_windows_sandbox, "Settings of Windows Sandbox." },
    { "test", K_OBJ, IN_DEV, 0, NOWHERE,
      &object_test, "Without effect." },
    { "experimental", K_OBJ, IN_08, 0, NOWHERE,
      &object_experimental, "What later contracts have in other places." },
    { 0 }
};
static const struct moved one_shot_moved[] = {
    { "experimental", "its sections stand beside it now: 'telemetry', 'wslc', "
                      "and in '1.1.0-alpha' 'windowsSandbox' and 'test'" },
    { 0 }
};
static const struct object object_one_shot = { .name = "oneShot",
                                               .fields = one_shot_fields,
                                               .moved = one_shot_moved };

#define ROWS_PROVISION                                                     \
    ROWS_COMMON, ROW_PHASE, ROW_BACKEND,                                   \
    { "filesystem", K_OBJ, IN_C1, 0, NOWHERE,                              \
      &object_filesystem, "Files that the workload may reach." },          \
    { "network", K_OBJ, IN_C1, 0, AT(network.present),                     \
      &object_network, "Network access; none when absent." },              \
    { "runtimeConfig", K_OBJ, IN_C1, 0, NOWHERE,                           \
      &object_runtime_config, "Settings of the sandbox." },                \
    { "ui", K_OBJ, IN_C1, 0, NOWHERE,                                      \
      &object_ui, "Display, clipboard and input." },                       \
    { "limits", K_OBJ, IN_C1, 0, AT(limits_present),                       \
      &object_limits, "Most that the workload may use." },                 \
    { "guarantees", K_OBJ, IN_C1, 0, NOWHERE,                              \
      &object_guarantees, "Least that its isolation must be." },           \
    { "session", K_OBJ, IN_C1, 0, NOWHERE,                                 \
      &object_session, "What a session has besides a run." }

static const struct field provision_fields[] = { ROWS_PROVISION, { 0 } };

static const struct field provision_lxc_fields[] = {
    ROWS_PROVISION,
    { "lxc", K_OBJ, IN_C1, 0, AT(lxc.present),
      &object_lxc, "Settings of an LXC container." },
    { 0 }
};

static const struct object object_provision_process = {
    .name = "provisionProcess",
    .fields = provision_fields
};
static const struct object object_provision_native = {
    .name = "provisionNative",
    .fields = provision_fields
};
static const struct object object_provision_bubblewrap = {
    .name = "provisionBubblewrap",
    .fields = provision_fields
};
static const struct object object_provision_lxc = {
    .name = "provisionLxc",
    .fields = provision_lxc_fields
};

static const struct field session_fields[] = {
    ROWS_COMMON, ROW_PHASE, ROW_BACKEND,
    { "network", K_OBJ, IN_ALL, F_REQUIRED, AT(network.present),
      &object_session_network, "Must say that everything is allowed." },
    { "isolationSession", K_OBJ, SINCE_09, 0, NOWHERE,
      &object_session_section, "Settings of an isolation session." },
    { "experimental", K_OBJ, IN_08, 0, NOWHERE,
      &object_experimental_session, "Settings of this phase." },
    { 0 }
};
static const struct object object_provision_session = {
    .name = "provisionIsolationSession",
    .fields = session_fields
};

static const struct field provision_wslc_fields[] = {
    ROWS_COMMON, ROW_PHASE, ROW_BACKEND,
    { "filesystem", K_OBJ, IN_ALL, 0, NOWHERE,
      &object_filesystem, "Files that the workload may reach." },
    { "network", K_OBJ, IN_ALL, 0, AT(network.present),
      &object_network, "Network access; none when absent." },
    { "wslc", K_OBJ, SINCE_09, 0, NOWHERE,
      &object_wslc_section, "Settings of a WSL container." },
    { "experimental", K_OBJ, IN_08, 0, NOWHERE,
      &object_experimental_wslc, "Settings of this phase." },
    { 0 }
};
static const struct object object_provision_wslc = {
    .name = "provisionWslc",
    .fields = provision_wslc_fields
};

static const struct field provision_windows_fields[] = {
    ROWS_COMMON, ROW_PHASE, ROW_BACKEND,
    { "filesystem", K_OBJ, IN_ALL, 0, NOWHERE,
      &object_filesystem, "Files that the workload may reach." },
    ROW_PHASE_EXPERIMENTAL,
    { 0 }
};
static const struct object object_provision_windows = {
    .name = "provisionWindowsSandbox",
    .fields = provision_windows_fields
};

static const struct field exec_fields[] = {
    ROWS_COMMON, ROW_PHASE, ROW_SANDBOX,
    { "process", K_OBJ, IN_ALL, F_REQUIRED, NOWHERE,
      &object_process, "What to run." },
    { "network", K_OBJ, IN_ALL, 0, AT(network.present),
      &object_network, "Network access of this command." },
    { "runtimeConfig", K_OBJ, IN_ALL, 0, NOWHERE,
      &object_runtime_config, "Settings of one run." },
    { "filesystem", K_OBJ, IN_C1, 0, NOWHERE,
      &object_filesystem, "What this command has less than the sandbox." },
    ROW_CORRELATION, ROW_PHASE_EXPERIMENTAL,
    { 0 }
};
static const struct object object_exec = { .name = "exec",
                                           .fields = exec_fields };

static const struct field phase_fields[] = {
    ROWS_COMMON, ROW_PHASE, ROW_SANDBOX, ROW_CORRELATION,
    ROW_PHASE_EXPERIMENTAL,
    { 0 }
};
static const struct object object_start = { .name = "start",
                                            .fields = phase_fields };
static const struct object object_stop = { .name = "stop",
                                           .fields = phase_fields };
static const struct object object_deprovision = { .name = "deprovision",
                                                  .fields = phase_fields };

const struct root roots[] = {
    { IN_ALL, PHASE_NONE, 0, &object_one_shot },
    { IN_C1, PHASE_PROVISION, CONTAIN_PROCESS,
      &object_provision_process },
    { IN_C1, PHASE_PROVISION, CONTAIN_NATIVE,
      &object_provision_native },
    { IN_C1, PHASE_PROVISION, CONTAIN_BUBBLEWRAP,
      &object_provision_bubblewrap },
    { IN_C1, PHASE_PROVISION, CONTAIN_LXC,
      &object_provision_lxc },
    { SINCE_08, PHASE_PROVISION, CONTAIN_ISOLATION_SESSION,
      &object_provision_session },
    { SINCE_08, PHASE_PROVISION, CONTAIN_WSLC, &object_provision_wslc },
    { IN_08 | IN_DEV, PHASE_PROVISION, CONTAIN_WINDOWS_SANDBOX,
      &object_provision_windows },
    { SINCE_08, PHASE_START, 0, &object_start },
    { SINCE_08, PHASE_EXEC, 0, &object_exec },
    { SINCE_08, PHASE_STOP, 0, &object_stop },
    { SINCE_08, PHASE_DEPROVISION, 0, &object_deprovision },
    { 0 }
};
/* clang-format on */

const struct root *root_find(enum contract c, enum phase p, enum containment k)
{
    for (const struct root *r = roots; r->object; r++)
        if (r->in & IN(c) && r->phase == p &&
            (p != PHASE_PROVISION || r->containment == k))
            return r;
    return NULL;
}

int choice_find(const struct choice *list, enum contract c, const char *name,
                size_t len)
{
    for (; list->name; list++)
        if ((!list->in || list->in & IN(c)) && strlen(list->name) == len &&
            memcmp(list->name, name, len) == 0)
            return list->value;
    return -1;
}

static const char *name_of(const struct choice *list, int value)
{
    for (; list->name; list++)
        if (list->value == value)
            return list->name;
    return NULL;
}

enum contract contract_find(const char *name)
{
    int c = choice_find(contract_names, CONTRACT_NONE, name, strlen(name));

    return c < 0 ? CONTRACT_NONE : (enum contract)c;
}

const char *contract_name(enum contract c)
{
    return name_of(contract_names, (int)c);
}

const char *containment_name(enum containment c)
{
    return name_of(containment_names, (int)c);
}

const char *tier_name(enum tier t)
{
    return name_of(tier_names, (int)t);
}

enum tier tier_find(const char *name)
{
    int t = choice_find(tier_names, CONTRACT_NONE, name, strlen(name));

    return t < 0 ? TIER_ANY : (enum tier)t;
}

const char *layer_name(enum layer l)
{
    return name_of(layer_names, (int)l);
}

enum layer layer_find(const char *name)
{
    int l = choice_find(layer_names, CONTRACT_NONE, name, strlen(name));

    return l < 0 ? LAYER_NONE : (enum layer)l;
}

/* roots.c - the kinds of request, and the names of versions, phases and
 * backends. */
#include "contract/table.h"

#include <string.h>

#include "contract/objects.h"

#define AT(member) offsetof(struct request, member)

/* clang-format off */
const struct choice contract_names[] = {
    { "0.9.0-alpha", CONTRACT_0_9_0_ALPHA, 0 },
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
    { "vm", CONTAIN_VM, SINCE_11 },
    { "microvm", CONTAIN_MICROVM, SINCE_11 },
    { "native", CONTAIN_NATIVE, IN_C1 },
    { "bubblewrap", CONTAIN_BUBBLEWRAP, IN_ALL },
    { "lxc", CONTAIN_LXC, IN_ALL },
    { "hyperlight", CONTAIN_HYPERLIGHT, SINCE_11 },
    { "seatbelt", CONTAIN_SEATBELT, IN_ALL },
    { "macos_sandbox", CONTAIN_SEATBELT, IN_09 },
    { "processcontainer", CONTAIN_PROCESSCONTAINER, IN_ALL },
    { "appcontainer", CONTAIN_PROCESSCONTAINER, IN_09 },
    { "windows_sandbox", CONTAIN_WINDOWS_SANDBOX, SINCE_11 },
    { "wslc", CONTAIN_WSLC, IN_ALL },
    { "isolation_session", CONTAIN_ISOLATION_SESSION, IN_ALL },
    { 0 }
};

#define ROWS_COMMON                                                        \
    { "version", K_VERSION, IN_ALL, F_REQUIRED, NOWHERE,                   \
      NULL, "Version of the contract that the request is written in." },   \
    { "$schema", K_STR, IN_ALL, 0, NOWHERE,                                \
      NULL, "For editors; not looked at." },                               \
    { "_comment", K_ANY, IN_ALL, 0, NOWHERE,                               \
      NULL, "For people; not looked at." },                                \
    { "telemetry", K_OBJ, IN_ALL, 0, NOWHERE,                              \
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
      &object_process, "What to run; a policy for a command has none." },
    { "filesystem", K_OBJ, IN_ALL, 0, NOWHERE,
      &object_filesystem, "Files that the workload may reach." },
    { "fallback", K_OBJ, IN_ALL, 0, NOWHERE,
      &object_fallback, "Weaker means that the caller agrees to." },
    { "network", K_OBJ, IN_ALL, 0, AT(network.present),
      &object_network, "Network access; none when absent." },
    { "runtimeConfig", K_OBJ, IN_ALL, 0, NOWHERE,
      &object_runtime_config, "Settings of one run." },
    { "ui", K_OBJ, IN_ALL, 0, NOWHERE,
      &object_ui, "Display, clipboard and input." },
    { "limits", K_OBJ, IN_C1, 0, AT(limits_present),
      &object_limits, "Most that the workload may use." },
    { "processContainer", K_OBJ, IN_ALL, 0, AT(process_container_present),
      &object_process_container, "Settings of a Windows process container." },
    { "appContainer", K_OBJ, IN_09, 0, AT(process_container_present),
      &object_process_container, "Former name of 'processContainer'." },
    { "lxc", K_OBJ, IN_ALL, 0, AT(lxc.present),
      &object_lxc, "Settings of an LXC container." },
    { "seatbelt", K_OBJ, IN_ALL, 0, AT(seatbelt.present),
      &object_seatbelt, "Settings of a macOS sandbox." },
    { "macos_sandbox", K_OBJ, IN_09, 0, AT(seatbelt.present),
      &object_seatbelt, "Former name of 'seatbelt'." },
    { "wslc", K_OBJ, IN_ALL, 0, AT(wslc_present),
      &object_wslc, "Settings of a WSL container." },
    { "hyperlight", K_OBJ, SINCE_11, 0, AT(hyperlight_present),
      &object_hyperlight, "Settings of a Hyperlight guest." },
    { "windowsSandbox", K_OBJ, SINCE_11, 0, AT(windows_sandbox_present),
      &object_windows_sandbox, "Settings of Windows Sandbox." },
    { "test", K_OBJ, SINCE_11, 0, NOWHERE,
      &object_test, "Without effect." },
    { 0 }
};
static const struct object object_one_shot = { .name = "oneShot",
                                               .fields = one_shot_fields };

static const struct field session_fields[] = {
    ROWS_COMMON, ROW_PHASE, ROW_BACKEND,
    { "network", K_OBJ, IN_ALL, F_REQUIRED, AT(network.present),
      &object_session_network, "Must say that everything is allowed." },
    { "isolationSession", K_OBJ, IN_ALL, 0, NOWHERE,
      &object_session_section, "Settings of an isolation session." },
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
    { "wslc", K_OBJ, IN_ALL, 0, NOWHERE,
      &object_wslc_section, "Settings of a WSL container." },
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
    { 0 }
};
static const struct object object_exec = { .name = "exec",
                                           .fields = exec_fields };

static const struct field phase_fields[] = {
    ROWS_COMMON, ROW_PHASE, ROW_SANDBOX,
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
    { IN_ALL, PHASE_PROVISION, CONTAIN_ISOLATION_SESSION,
      &object_provision_session },
    { IN_ALL, PHASE_PROVISION, CONTAIN_WSLC, &object_provision_wslc },
    { SINCE_11, PHASE_PROVISION, CONTAIN_WINDOWS_SANDBOX,
      &object_provision_windows },
    { IN_ALL, PHASE_START, 0, &object_start },
    { IN_ALL, PHASE_EXEC, 0, &object_exec },
    { IN_ALL, PHASE_STOP, 0, &object_stop },
    { IN_ALL, PHASE_DEPROVISION, 0, &object_deprovision },
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

/* legacy.c - objects that only the contracts before 0.9.0-alpha have.
 *
 * What they mean is said in later words by policy/net_legacy.c. */
#include "contract/objects.h"

#define AT(member) offsetof(struct request, member)

/* clang-format off */
const struct choice legacy_policy_names[] = {
    { "allow", NET_ALLOW, 0 },
    { "block", NET_DENY, 0 },
    { 0 }
};
const struct choice legacy_enforcement_names[] = {
    { "capabilities", 0, 0 }, { "firewall", 1, 0 }, { "both", 2, 0 },
    { 0 }
};

/* Exactly one of them: check.c. */
static const struct field proxy_fields[] = {
    { "localhost", K_PORT, IN_LEGACY, 0, AT(network.legacy.proxy_port),
      NULL, "Port of the host's loopback." },
    { "url", K_STR, IN_LEGACY, 0, AT(network.legacy.proxy_url),
      NULL, "URL of the proxy." },
    { "builtinTestServer", K_BOOL, IN_LEGACY, F_TRUE,
      AT(network.legacy.proxy_builtin),
      NULL, "Run a proxy beside the workload that obeys the host lists." },
    { 0 }
};
const struct object object_legacy_proxy = { .name = "legacyProxy",
                                            .fields = proxy_fields };

#define ROW_TELEMETRY                                                      \
    { "telemetry", K_OBJ, IN_08, 0, NOWHERE,                               \
      &object_telemetry, "Telemetry of the caller's product." }

static const struct field experimental_fields[] = {
    ROW_TELEMETRY,
    { "test", K_OBJ, IN_08, 0, NOWHERE, &object_test, "Without effect." },
    { "windows_sandbox", K_OBJ, IN_08, 0, AT(windows_sandbox_present),
      &object_windows_sandbox, "Settings of Windows Sandbox." },
    { "wslc", K_OBJ, IN_08, 0, AT(wslc_present),
      &object_wslc, "Settings of a WSL container." },
    { "seatbelt", K_OBJ, IN_08, 0, AT(seatbelt.present),
      &object_seatbelt, "Former place of 'seatbelt'." },
    { 0 }
};
const struct object object_experimental = { .name = "experimental",
                                            .fields = experimental_fields };

static const struct field phase_fields[] = {
    ROW_TELEMETRY,
    { 0 }
};
const struct object object_experimental_phase = {
    .name = "experimentalPhase",
    .fields = phase_fields
};

static const struct field session_fields[] = {
    ROW_TELEMETRY,
    { "isolation_session", K_OBJ, IN_08, 0, NOWHERE,
      &object_session_section, "Settings of an isolation session." },
    { 0 }
};
const struct object object_experimental_session = {
    .name = "experimentalSession",
    .fields = session_fields
};

static const struct field wslc_fields[] = {
    ROW_TELEMETRY,
    { "wslc", K_OBJ, IN_08, 0, NOWHERE,
      &object_wslc_section, "Settings of a WSL container." },
    { 0 }
};
/* clang-format on */
const struct object object_experimental_wslc = { .name = "experimentalWslc",
                                                 .fields = wslc_fields };

/* objects.h - the tables of the objects, for each other and for the roots. */
#ifndef MXC_CONTRACT_OBJECTS_H
#define MXC_CONTRACT_OBJECTS_H

#include "contract/table.h"

/* objects.c: what every backend shares. */
extern const struct object object_process;
extern const struct object object_policy_process;
extern const struct object object_lifecycle;
extern const struct object object_filesystem;
extern const struct object object_fallback;
extern const struct object object_network;
extern const struct object object_runtime_config;
extern const struct object object_ui;
extern const struct object object_telemetry;
extern const struct object object_limits;
extern const struct object object_guarantees;
extern const struct object object_session;

/* legacy.c: what former contracts alone have. */
extern const struct object object_legacy_proxy;
extern const struct object object_experimental;
extern const struct object object_experimental_phase;
extern const struct object object_experimental_session;
extern const struct object object_experimental_wslc;
extern const struct choice legacy_policy_names[];
extern const struct choice legacy_enforcement_names[];

/* sections.c: what one backend alone reads. */
extern const struct object object_lxc;
extern const struct object object_seatbelt;
extern const struct object object_process_container;
extern const struct object object_wslc;
extern const struct object object_hyperlight;
extern const struct object object_windows_sandbox;
extern const struct object object_test;
extern const struct object object_wslc_section;
extern const struct object object_session_section;
extern const struct object object_session_network;

#endif

/* inside.h - what the launcher, later the sandbox's init, and the gateway say
 * to each other: one SOCK_SEQPACKET pair.
 *
 * The launcher hands over the sockets of the namespace once; then init makes
 * sockets on request, for connections into the sandbox (published ports). */
#ifndef MXC_LAUNCH_INSIDE_H
#define MXC_LAUNCH_INSIDE_H

#include <stdint.h>

#include "sys/netgate.h"

/* The launcher's descriptor of the pair. */
enum { LAUNCH_INSIDE_FD = 5 };

enum {
    INSIDE_LISTENERS = 128,
    INSIDE_FDS = NETGATE_SOCKETS + INSIDE_LISTENERS
};

/* With the sockets that `has` names, then the listeners. */
struct inside_hello {
    uint32_t has; /* bit per enum netgate_socket */
    uint32_t listeners;
};

/* Gateway to init, and back with the socket: a TCP socket of this family. */
struct inside_request {
    uint32_t is_v6;
};

#endif

/* proto.h - what mxc-try answers: for each question a line with two numbers,
 * an errno(3) or one of these, and which call gave it. */
#ifndef MXC_TRY_PROTO_H
#define MXC_TRY_PROTO_H

enum {
    /* The name has no address, or nobody answers for it. */
    TRY_NO_NAME = 1000
};

#define TRY_CALLS(X)                                                           \
    X(NONE, "none")                                                            \
    X(OPEN, "open")                                                            \
    X(ACCESS, "access")                                                        \
    X(EXECVE, "execve")                                                        \
    X(SOCKET, "socket")                                                        \
    X(CONNECT, "connect")                                                      \
    X(GETADDRINFO, "getaddrinfo")

enum try_call {
#define X(id, name) TRY_##id,
    TRY_CALLS(X)
#undef X
        TRY_CALLS_END
};

#endif

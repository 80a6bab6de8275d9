/* id.h - what a session is called: the backend that keeps it, a colon, and 128
 * random bits.  Pure. */
#ifndef MXC_SESSION_ID_H
#define MXC_SESSION_ID_H

#include <stddef.h>

#include "base/err.h"

#define SESSION_PREFIX "native"

/* The prefix of ids that were given to a request for `wslc`, whose callers
 * expect it: the same sessions, by another name. */
#define SESSION_ALIAS "wslc"

enum {
    SESSION_HEX = 32,
    SESSION_ID_MAX = sizeof(SESSION_PREFIX) + SESSION_HEX + 1
};

/* Lower-case hexadecimal of 16 bytes, with a NUL. */
void session_hex(const unsigned char bytes[16], char out[SESSION_HEX + 1]);

/* The hexadecimal digits of an id, by either name; they are a name for a
 * directory. */
int session_id_parse(const char *id, char hex[SESSION_HEX + 1], struct err *e);

/* "ID:PATH": the path, and what stands for the id; NULL: it begins with no
 * backend's prefix. */
const char *session_id_split(const char *text, char id[SESSION_ID_MAX]);

/* And back. */
void session_id_print(const char *hex, char out[SESSION_ID_MAX]);

#endif

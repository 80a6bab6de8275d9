/* id.h - what a session is called: the backend that keeps it, a colon, and 128
 * random bits in hexadecimal.  Its directory is called by the digits alone, or
 * with "BACKEND-" before them where that is not the native one.  Pure. */
#ifndef MXC_SESSION_ID_H
#define MXC_SESSION_ID_H

#include <stddef.h>

#include "base/err.h"

/* The prefix of ids that were given to a request for `wslc`, whose callers
 * expect it: the same sessions, by another name. */
#define SESSION_ALIAS "wslc"

enum {
    SESSION_HEX = 32,
    SESSION_PREFIX_MAX = sizeof("bubblewrap"), /* the longest */
    SESSION_NAME_MAX = SESSION_PREFIX_MAX + SESSION_HEX + 1,
    SESSION_ID_MAX = SESSION_NAME_MAX
};

/* Lower-case hexadecimal of 16 bytes, with a NUL. */
void session_hex(const unsigned char bytes[16], char out[SESSION_HEX + 1]);

/* The name of the directory of what a backend keeps: -1, and it keeps none. */
int session_name(const char *backend, const char *hex,
                 char out[SESSION_NAME_MAX]);

/* The name of the directory of an id, by either name. */
int session_id_parse(const char *id, char name[SESSION_NAME_MAX],
                     struct err *e);

/* "ID:PATH": the path, and what stands for the id; NULL: it begins with no
 * backend's prefix. */
const char *session_id_split(const char *text, char id[SESSION_ID_MAX]);

/* And back. */
void session_id_print(const char *name, char out[SESSION_ID_MAX]);

/* The backend of a directory's name: as long as the id lives that is not. */
const char *session_backend(const char *name);

#endif

/* watched.c - see watched.h. */
#include "sys/watched.h"

#include <stddef.h>
#include <string.h>

#include "base/scoped.h"

/* clang-format off */
static const struct watched rows[] = {
    { "open",       HOW_OPEN,   WATCH_CWD, 0, 1 },
    { "openat",     HOW_OPEN,   0, 1, 2 },
    { "creat",      HOW_CREAT,  WATCH_CWD, 0, WATCH_NO },
    { "stat",       HOW_LOOK,   WATCH_CWD, 0, WATCH_NO },
    { "lstat",      HOW_LINK,   WATCH_CWD, 0, WATCH_NO },
    { "newfstatat", HOW_STAT,   0, 1, 3 },
    { "statx",      HOW_STAT,   0, 1, 2 },
    { "access",     HOW_ACCESS, WATCH_CWD, 0, 1 },
    { "faccessat",  HOW_ACCESS, 0, 1, 2 },
    { "faccessat2", HOW_ACCESS, 0, 1, 2 },
    { "readlink",   HOW_LINK,   WATCH_CWD, 0, WATCH_NO },
    { "readlinkat", HOW_LINK,   0, 1, WATCH_NO },
    { "chdir",      HOW_ENTER,   WATCH_CWD, 0, WATCH_NO },
    { "truncate",   HOW_WRITE,  WATCH_CWD, 0, WATCH_NO },
    { "chmod",      HOW_ATTRIBUTE,  WATCH_CWD, 0, WATCH_NO },
    { "fchmod",     HOW_ATTRIBUTE,  0, WATCH_NO, WATCH_NO },
    { "fchmodat",   HOW_ATTRIBUTE,  0, 1, WATCH_NO },
    { "fchmodat2",  HOW_ATTRIBUTE,  0, 1, 3 },
    { "chown",      HOW_OWNER,  WATCH_CWD, 0, WATCH_NO },
    { "lchown",     HOW_LINK_OWNER, WATCH_CWD, 0, WATCH_NO },
    { "fchown",     HOW_OWNER,  0, WATCH_NO, WATCH_NO },
    { "fchownat",   HOW_OWNER,  0, 1, 4 },
    { "utime",      HOW_ATTRIBUTE,  WATCH_CWD, 0, WATCH_NO },
    { "utimes",     HOW_ATTRIBUTE,  WATCH_CWD, 0, WATCH_NO },
    { "futimesat",  HOW_ATTRIBUTE,  0, 1, WATCH_NO },
    { "utimensat",  HOW_ATTRIBUTE,  0, 1, 3 },
    { "setxattr",   HOW_ATTRIBUTE,  WATCH_CWD, 0, WATCH_NO },
    { "lsetxattr",  HOW_LINK_ATTRIBUTE, WATCH_CWD, 0, WATCH_NO },
    { "fsetxattr",  HOW_ATTRIBUTE,  0, WATCH_NO, WATCH_NO },
    { "setxattrat", HOW_ATTRIBUTE,  0, 1, 2 },
    { "removexattr",   HOW_ATTRIBUTE, WATCH_CWD, 0, WATCH_NO },
    { "lremovexattr",  HOW_LINK_ATTRIBUTE, WATCH_CWD, 0, WATCH_NO },
    { "fremovexattr",  HOW_ATTRIBUTE, 0, WATCH_NO, WATCH_NO },
    { "removexattrat", HOW_ATTRIBUTE, 0, 1, 2 },
    { "getxattr",   HOW_LOOK,   WATCH_CWD, 0, WATCH_NO },
    { "lgetxattr",  HOW_LINK,   WATCH_CWD, 0, WATCH_NO },
    { "getxattrat", HOW_STAT,   0, 1, 2 },
    { "listxattr",  HOW_LOOK,   WATCH_CWD, 0, WATCH_NO },
    { "llistxattr", HOW_LINK,   WATCH_CWD, 0, WATCH_NO },
    { "listxattrat", HOW_STAT,  0, 1, 2 },
    { "statfs",     HOW_LOOK,   WATCH_CWD, 0, WATCH_NO },
    { "inotify_add_watch", HOW_LOOK, WATCH_CWD, 1, WATCH_NO },
    { "mkdir",      HOW_MAKE,   WATCH_CWD, 0, WATCH_NO },
    { "mkdirat",    HOW_MAKE,   0, 1, WATCH_NO },
    { "mknod",      HOW_NODE,   WATCH_CWD, 0, 1 },
    { "mknodat",    HOW_NODE,   0, 1, 2 },
    { "symlink",    HOW_MAKE,   WATCH_CWD, 1, WATCH_NO },
    { "symlinkat",  HOW_MAKE,   1, 2, WATCH_NO },
    { "link",       HOW_LINK,   WATCH_CWD, 0, WATCH_NO },
    { "link",       HOW_MAKE,   WATCH_CWD, 1, WATCH_NO },
    { "linkat",     HOW_LINK,   0, 1, WATCH_NO },
    { "linkat",     HOW_MAKE,   2, 3, WATCH_NO },
    { "unlink",     HOW_REMOVE, WATCH_CWD, 0, WATCH_NO },
    { "unlinkat",   HOW_REMOVE, 0, 1, WATCH_NO },
    { "rmdir",      HOW_REMOVE, WATCH_CWD, 0, WATCH_NO },
    { "rename",     HOW_REMOVE, WATCH_CWD, 0, WATCH_NO },
    { "rename",     HOW_PUT,    WATCH_CWD, 1, WATCH_NO },
    { "renameat",   HOW_REMOVE, 0, 1, WATCH_NO },
    { "renameat",   HOW_PUT,    2, 3, WATCH_NO },
    { "renameat2",  HOW_REMOVE, 0, 1, WATCH_NO },
    { "renameat2",  HOW_PUT,    2, 3, WATCH_NO },
    { "execve",     HOW_EXEC,   WATCH_CWD, 0, WATCH_NO },
    { "execveat",   HOW_EXEC,   0, 1, WATCH_NO },
    { "bind",       HOW_BIND,   WATCH_CWD, 1, 2 },
    { "connect",    HOW_CONNECT, WATCH_CWD, 1, 2 },
    { NULL, HOW_LOOK, 0, 0, 0 }
};
/* clang-format on */

const struct watched *watched_call(const char *name)
{
    for (const struct watched *w = rows; w->name; w++)
        if (strcmp(w->name, name) == 0)
            return w;
    return NULL;
}

const char *watch_op_name(enum watch_op op)
{
    static const char *const names[] = {
        [WATCH_READ] = "read",       [WATCH_WRITE] = "write",
        [WATCH_CREATE] = "create",   [WATCH_DELETE] = "delete",
        [WATCH_EXEC] = "exec",       [WATCH_LOOK] = "look",
        [WATCH_CONNECT] = "connect", [WATCH_NODE] = "create",
        [WATCH_OWNER] = "write",     [WATCH_CALL] = "call",
    };

    return (size_t)op < ARRAY_LEN(names) && names[op] ? names[op] : "?";
}

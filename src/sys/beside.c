/* beside.c - see beside.h. */
#include "sys/beside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The directory of the running program. */
static int find_here(char out[PATH_MAX], struct err *e)
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
    char *slash;

    if (n < 0)
        return err_sys(e, "readlink(2)", errno, "cannot find my own place");
    out[n] = '\0';
    slash = strrchr(out, '/');
    if (slash)
        *slash = '\0';
    return 0;
}

static int look(const char *here, const char *folder, const char *name,
                char out[PATH_MAX])
{
    const char *const dirs[] = { "libexec/mxc", folder };

    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        int n = snprintf(out, PATH_MAX, "%s/../%s/%s", here, dirs[i], name);

        if (n > 0 && n < PATH_MAX && faccessat(AT_FDCWD, out, X_OK, 0) == 0)
            return 0;
    }
    return 1;
}

int beside_look(const char *folder, const char *name, char out[PATH_MAX],
                struct err *e)
{
    char here[PATH_MAX];

    return find_here(here, e) < 0 ? -1 : look(here, folder, name, out);
}

int beside_find(const char *folder, const char *name, const char *remedy,
                char out[PATH_MAX], struct err *e)
{
    char here[PATH_MAX];

    if (find_here(here, e) < 0)
        return -1;
    if (look(here, folder, name, out) == 0)
        return 0;
    err_set(e, ERR_BACKEND_UNAVAILABLE,
            "%s is not installed (looked in '%s/../libexec/mxc')", name, here);
    return err_hint(e, "%s", remedy);
}

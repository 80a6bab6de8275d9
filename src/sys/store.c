/* store.c - see store.h. */
#include "sys/store.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char of_root[] = "/var/lib";

/* Without "//" and "/./", in place.  False: it has "..", which leads where
 * links say. */
static bool tidy(char *path)
{
    size_t to = 0, n;

    for (const char *p = path; *p; p += n) {
        p += strspn(p, "/");
        n = strcspn(p, "/");
        if (n == 2 && memcmp(p, "..", 2) == 0)
            return false;
        if (n == 0 || (n == 1 && *p == '.'))
            continue;
        path[to++] = '/';
        memmove(path + to, p, n);
        to += n;
    }
    path[to] = '\0';
    return true;
}

int store_path(const struct store_place *at, const char *name,
               char out[PATH_MAX])
{
    int n;

    if (geteuid() == 0)
        n = snprintf(out, PATH_MAX, "%s/mxc/%s", of_root, name);
    else if (at->data_home && at->data_home[0] == '/')
        n = snprintf(out, PATH_MAX, "%s/mxc/%s", at->data_home, name);
    else if (at->home && at->home[0] == '/')
        n = snprintf(out, PATH_MAX, "%s/.local/share/mxc/%s", at->home, name);
    else
        return -ENOENT;
    if (n < 0 || n >= PATH_MAX)
        return -ENAMETOOLONG;
    return tidy(out) ? 0 : -ENOENT;
}

int store_make(const char *path, char at[PATH_MAX])
{
    for (size_t n = 1; path[n - 1]; n++) {
        if (path[n] != '/' && path[n] != '\0')
            continue;
        (void)snprintf(at, PATH_MAX, "%.*s", (int)n, path);
        if (mkdir(at, 0700) < 0 && errno != EEXIST)
            return -errno;
    }
    return 0;
}

/* path.c - lexical path arithmetic. */
#include <string.h>

#include "policy/fs.h"

const char *path_clean(struct arena *a, const char *path)
{
    size_t len = strlen(path);
    char *out, *w;

    if (path[0] != '/' || len > PATH_LONGEST)
        return NULL;
    out = arena_alloc(a, len + 2);
    if (!out)
        return NULL;
    w = out;
    while (*path) {
        size_t n;

        path += strspn(path, "/");
        n = strcspn(path, "/");
        if (n == 0 || (n == 1 && path[0] == '.')) {
            path += n;
            continue;
        }
        *w++ = '/';
        memcpy(w, path, n);
        w += n;
        path += n;
    }
    if (w == out)
        *w++ = '/';
    *w = '\0';
    return out;
}

bool path_has_dotdot(const char *path)
{
    while (*path) {
        size_t n;

        path += strspn(path, "/");
        n = strcspn(path, "/");
        if (n == 2 && path[0] == '.' && path[1] == '.')
            return true;
        path += n;
    }
    return false;
}

bool path_is_within(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    if (n == 1)
        return true;
    return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

size_t path_depth(const char *path)
{
    size_t n = 0;

    if (path[1] == '\0')
        return 0;
    for (; *path; path++)
        n += *path == '/';
    return n;
}

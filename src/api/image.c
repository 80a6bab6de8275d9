/* image.c - what a backend with a root of its own needs to know of this host.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/prepare.h"
#include "image/image.h"
#include "sys/beside.h"

static int keep_driver(struct arena *a, const char *path, struct host *h,
                       struct err *e)
{
    char real[PATH_MAX];

    if (faccessat(AT_FDCWD, path, X_OK, 0) < 0 || !realpath(path, real))
        return 0;
    h->lxc = arena_strdup(a, real);
    return h->lxc ? 0 : err_set(e, ERR_BACKEND_ERROR, "out of memory");
}

int driver_look(struct arena *a, struct host *h, struct err *e)
{
    char path[PATH_MAX];
    int r = beside_look("lxc", "mxc-lxc", path, e);

    return r == 0 ? keep_driver(a, path, h, e) : r > 0 ? 0 : -1;
}

static int no_name(struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION,
            "LXC distribution and release are required: they name the image "
            "that is the container's root");
    err_hint(e, "\"lxc\": {\"distribution\": \"debian\", \"release\": "
                "\"12\"} in a request, or --image debian/12; `mxc image "
                "list`");
    return err_where(e, "lxc");
}

static int no_image(const char *name, struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION, "there is no image '%s'", name);
    err_hint(e, "mxc image import %s TARBALL|DIR", name);
    return err_where(e, "lxc");
}

static int keep(struct arena *a, const struct image_store *s,
                const struct image *image, struct host *h, struct err *e)
{
    scoped(drop_fd) int tree = image_open_tree(s, image->digest, e);
    struct stat st;

    if (tree < 0)
        return -1;
    if (fstat(tree, &st) < 0)
        return err_sys(e, "fstat(2)", errno, "cannot look at the image");
    h->image = arena_printf(a, "%s/trees/%s", s->path, image->digest);
    h->image_digest = arena_strdup(a, image->digest);
    h->image_dev = (uint64_t)st.st_dev;
    h->image_ino = (uint64_t)st.st_ino;
    return h->image && h->image_digest
               ? 0
               : err_set(e, ERR_BACKEND_ERROR, "out of memory");
}

/* 1: there is none of that name. */
static int find_image(struct arena *a, const char *name,
                      const struct store_place *at, struct host *h,
                      struct err *e)
{
    struct image_store s;
    struct image image;
    int r = image_open(&s, at, e);

    if (r != 0)
        return r;
    r = image_find(&s, name, &image, e);
    if (r == 0)
        r = keep(a, &s, &image, h, e);
    image_close(&s);
    return r;
}

static int no_use(const struct backend *b, struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION,
            "backend '%s' shows the host's programs, and no image", b->name);
    return err_hint(e, "--backend lxc, or without --image");
}

int image_look(struct arena *a, const struct policy *p, const struct backend *b,
               const struct run_flags *f, struct host *h, struct err *e)
{
    const struct store_place at = { f->data_home, f->home };
    int r;

    if (!b->has_image)
        return f->image ? no_use(b, e) : 0;
    if (f->lxc_driver && keep_driver(a, f->lxc_driver, h, e) < 0)
        return -1;
    if (!p->image)
        return no_name(e);
    r = image_check_name(p->image, e) < 0 ? -1
                                          : find_image(a, p->image, &at, h, e);
    if (r == 1)
        return no_image(p->image, e);
    return r < 0 ? err_where(e, "lxc") : 0;
}

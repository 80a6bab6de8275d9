/* capture.c - see capture.h. */
#include "supervise/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/report.h"
#include "supervise/net_report.h"
#include "sys/record_place.h"

#define WHERE "processContainer.captureDenials.outputPath"

enum { RECORD_MAX = 8 << 20, NAME_MAX_HERE = 64, TRIES = 16 };

static const char *path_of(const struct plan_view *plan)
{
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        const struct step s = plan_step(plan, i);

        if (s.kind == STEP_CAPTURE)
            return s.path;
    }
    return NULL;
}

/* The next run, or whoever reads it, would be told what the workload wrote. */
static int check_grants(const struct plan_view *plan,
                        const struct record_place *at, struct err *e)
{
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        const struct step s = plan_step(plan, i);

        if (s.kind == STEP_BIND && s.num[1] &&
            !(s.flags & (STEP_READONLY | STEP_COPY)) &&
            record_place_is_in(at, s.num[0], s.num[1]))
            return record_place_is_open(s.text, e);
    }
    return 0;
}

int capture_open(const struct plan_view *plan, struct capture *out,
                 struct err *e)
{
    const char *path = path_of(plan);
    struct record_place at;

    *out = (struct capture){ .path = path, .dir = -1 };
    if (!path)
        return 0;
    if (record_place_open(path, &at, e) < 0)
        return err_where(e, WHERE);
    if (check_grants(plan, &at, e) < 0) {
        drop_fd(&at.dir);
        return err_where(e, WHERE);
    }
    out->name = at.name;
    out->dir = at.dir;
    return 0;
}

/* A name that nobody knows beforehand. */
static int make_name(char name[NAME_MAX_HERE])
{
    uint64_t n;

    if (getrandom(&n, sizeof(n), 0) != (ssize_t)sizeof(n))
        return -EIO;
    (void)snprintf(name, NAME_MAX_HERE, ".mxc-record-%016llx",
                   (unsigned long long)n);
    return 0;
}

/* The file that is written, and its name until it has its own. */
struct draft {
    int fd;
    char name[NAME_MAX_HERE]; /* "": it has none */
};

/* Without a name where the filesystem can: nothing is left of it then, however
 * this process ends. */
static int make_draft(int dir, struct draft *d)
{
    *d = (struct draft){ .fd = openat(dir, ".",
                                      O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600) };
    for (int i = 0; d->fd < 0 && i < TRIES; i++) {
        const int r = make_name(d->name);

        if (r < 0)
            return r;
        d->fd =
            openat(dir, d->name,
                   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (d->fd < 0 && errno != EEXIST)
            return -errno;
    }
    return d->fd < 0 ? -EEXIST : 0;
}

/* By its place in /proc, which takes no capability (open(2), O_TMPFILE). */
static int link_draft(int dir, const struct draft *d, const char *name)
{
    char self[NAME_MAX_HERE];

    (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", d->fd);
    return linkat(AT_FDCWD, self, dir, name, AT_SYMLINK_FOLLOW) < 0 ? -errno
                                                                    : 0;
}

/* Give it the record's name: at once where that is free, else by way of
 * another, so that the name never is without a record. */
static int put_in_place(const struct capture *c, struct draft *d)
{
    int r = 0;

    if (!d->name[0]) {
        r = link_draft(c->dir, d, c->name);
        if (r != -EEXIST)
            return r;
        r = make_name(d->name);
        if (r == 0)
            r = link_draft(c->dir, d, d->name);
        if (r < 0)
            d->name[0] = '\0';
    }
    if (r == 0 && renameat(c->dir, d->name, c->dir, c->name) < 0)
        r = -errno;
    return r;
}

static int not_written(const struct capture *c, const char *op, int r,
                       struct err *e)
{
    err_sys(e, op, -r, "cannot write the record '%.300s'", c->path);
    return err_where(e, WHERE);
}

static int replace(const struct capture *c, const struct buf *text,
                   struct err *e)
{
    struct draft d;
    int r = make_draft(c->dir, &d);

    if (r < 0)
        return not_written(c, "open(2)", r, e);
    if (report_write(d.fd, text, e) < 0) {
        r = not_written(c, "write(2)", e->sys ? -e->sys : -ENOMEM, e);
    } else if (record_place_check(c->dir, c->name, c->path, e) < 0) {
        err_ctx(e, "cannot write the record");
        r = err_where(e, WHERE);
    } else {
        r = put_in_place(c, &d);
        if (r < 0)
            r = not_written(c, "rename(2)", r, e);
    }
    if (r < 0 && d.name[0])
        (void)unlinkat(c->dir, d.name, 0);
    drop_fd(&d.fd);
    return r;
}

static void put_numbers(const struct capture *c, struct buf *out)
{
    buf_puts(out, "\"type\":\"captureDenials\",\"outputPath\":");
    buf_json(out, c->path);
    buf_printf(out,
               ",\"exitCode\":%d,\"totalDenials\":%llu,"
               "\"deniedResourcesTruncated\":%s",
               c->exit_code, (unsigned long long)c->total,
               c->is_cut ? "true" : "false");
}

void capture_write(struct capture *c, const struct result *r,
                   const struct net_report *net)
{
    struct buf text = { .max = RECORD_MAX };

    if (c->dir < 0)
        return;
    if (!r->has_run) {
        err_set(&c->err, ERR_BACKEND_ERROR,
                "nothing was run, so the record '%.300s' was not written",
                c->path);
        drop_fd(&c->dir);
        return;
    }
    c->exit_code = r->exit_code;
    c->total = net_report_count(net);
    c->is_cut = net_report_left(net) > 0 || (net->others && net->others->lost);
    buf_putc(&text, '{');
    put_numbers(c, &text);
    buf_puts(&text, ",\"deniedResources\":");
    net_report_list(net, &text);
    buf_puts(&text, "}\n");
    c->is_written = replace(c, &text, &c->err) == 0;
    buf_drop(&text);
    drop_fd(&c->dir);
}

void capture_json(const struct capture *c, struct buf *out)
{
    if (c->is_written) {
        buf_puts(out, ",\"outputMetadata\":{\"captureDenials\":{");
        put_numbers(c, out);
        buf_puts(out, "}}");
    } else if (c->err.msg[0]) {
        buf_puts(out, ",\"outputMetadata\":{\"captureDenialsError\":"
                      "{\"message\":");
        buf_json(out, c->err.msg);
        buf_puts(out, ",\"etlPath\":\"\"}}");
    }
}

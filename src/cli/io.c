/* io.c - reading requests, telling errors. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "base/read_all.h"
#include "base/report.h"
#include "cli/cli.h"
#include "sys/signals.h"

int cli_take_signals(struct err *e)
{
    const int fd = signals_take_ends();

    return fd < 0 ? err_sys(e, "signalfd(2)", -fd, "cannot take signals") : fd;
}

bool cli_names_request(const char *name)
{
    size_t n = strlen(name);

    return n >= 5 && strcmp(name + n - 5, ".json") == 0;
}

/* A socket cannot be opened by its name, /dev/fd/N, as a pipe can; node gives
 * its children nothing else.  The caller's own N ends when the request has
 * been accepted (close_strangers), which tells a caller that listens. */
static int copy_socket(const char *name)
{
    static const char prefix[] = "/dev/fd/";
    uint64_t number;

    if (strncmp(name, prefix, sizeof(prefix) - 1) != 0 ||
        num_u64(name + sizeof(prefix) - 1, INT_MAX, &number) < 0) {
        errno = ENXIO;
        return -1;
    }
    return fcntl((int)number, F_DUPFD_CLOEXEC, 3);
}

static int open_request(const char *name, struct err *e)
{
    int fd;

    /* A copy: what is read is closed, and descriptor 0 must stay taken. */
    if (strcmp(name, "-") == 0) {
        fd = fcntl(0, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
            err_sys(e, "fcntl(2)", errno, "cannot read the request");
        return fd;
    }
    fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENXIO)
        fd = copy_socket(name);
    if (fd < 0) {
        err_sys(e, "open(2)", errno, "cannot read the request '%s'", name);
        e->code = ERR_MALFORMED_REQUEST;
        if (e->sys == ENOENT && !cli_names_request(name))
            err_hint(e, "to run a command, write '--' before it: mxc run -- %s",
                     name);
    }
    return fd;
}

/* A script or a program in the place of a request. */
static int check_is_json(const char *name, const char *text, size_t len,
                         struct err *e)
{
    size_t at = 0;

    while (at < len && memchr(" \t\r\n", text[at], 4))
        at++;
    if (at == len)
        return err_set(e, ERR_MALFORMED_REQUEST, "the request '%s' is empty",
                       name);
    if (len < 2 ||
        (memcmp(text, "#!", 2) != 0 && memcmp(text, "\177E", 2) != 0))
        return 0;
    err_set(e, ERR_MALFORMED_REQUEST, "'%s' is a program, not a request", name);
    if (name[0] == '/')
        return err_hint(e, "to run it: mxc run --ro %s -- %s", name, name);
    return err_hint(e, "to run it: mxc run --ro . -- ./%s", name);
}

int cli_read_request(struct cli *c, struct err *e)
{
    scoped(drop_fd) int fd = -1;
    const char *text;
    size_t len;
    int r;

    if (!c->policy_file)
        return 0;
    fd = open_request(c->policy_file, e);
    if (fd < 0)
        return -1;
    r = read_all(&c->arena, fd, REQUEST_MAX_BYTES, &text, &len);
    if (r == -EFBIG)
        return err_set(e, ERR_MALFORMED_REQUEST,
                       "the request is larger than %u bytes",
                       REQUEST_MAX_BYTES);
    if (r == -ENOMEM)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    if (r < 0) {
        err_sys(e, "read(2)", -r, "cannot read the request '%s'",
                c->policy_file);
        e->code = ERR_MALFORMED_REQUEST;
        return -1;
    }
    if (check_is_json(c->policy_file, text, len, e) < 0)
        return -1;
    c->text = text;
    c->text_len = len;
    return 0;
}

/* The links of /dev and /proc (/dev/stderr) are the system's; another may be
 * what an earlier workload has made in a directory that it was granted. */
static bool may_be_link(const char *name)
{
    return strncmp(name, "/dev/", 5) == 0 || strncmp(name, "/proc/", 6) == 0;
}

static int open_named(const char *option, const char *name, int flags,
                      struct err *e)
{
    const int fd = open(name,
                        O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY |
                            (may_be_link(name) ? 0 : O_NOFOLLOW) | flags,
                        0644);

    if (fd >= 0)
        return fd;
    err_sys(e, "open(2)", errno, "%s: cannot write '%s'", option, name);
    if (e->sys == ELOOP)
        err_hint(e, "a link is not followed: name the file that it leads to");
    return -1;
}

/* A file to be written anew, a descriptor that the caller has open, or standard
 * output. */
static int open_output(const char *option, const char *text, int flags,
                       int *out, struct err *e)
{
    uint64_t number;
    int fd;

    *out = -1;
    if (!text)
        return 0;
    if (strcmp(text, "-") == 0)
        text = "1";
    if (num_u64(text, INT_MAX, &number) == 0) {
        if (fcntl((int)number, F_GETFD) < 0)
            return err_sys(e, "fcntl(2)", errno,
                           "%s: descriptor %s is not open", option, text);
        *out = (int)number;
        return 0;
    }
    fd = open_named(option, text, flags, e);
    if (fd < 0)
        return -1;
    *out = fd;
    return 0;
}

int cli_open_json(const struct cli *c, int *out, struct err *e)
{
    return open_output("--json", c->json, 0, out, e);
}

bool cli_prints_text(const struct cli *c)
{
    return !c->json || strcmp(c->json, "-") != 0;
}

int cli_open_events(const struct cli *c, int *out, struct err *e)
{
    return open_output("--events", c->events, O_APPEND, out, e);
}

/* Two descriptors of a terminal, or of /dev/null, spoil nothing. */
static bool is_same(int a, int b)
{
    struct stat x, y;

    return a == b ||
           (fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
            x.st_ino == y.st_ino && !S_ISCHR(x.st_mode));
}

int cli_check_apart(const struct cli *c, int json, int events, struct err *e)
{
    if (json < 0 || events < 0 || !is_same(json, events))
        return 0;
    err_set(e, ERR_MALFORMED_REQUEST,
            "--json %s and --events %s are the same file: one would write over "
            "the other",
            c->json, c->events);
    return err_hint(e, "give each its own");
}

int cli_open_control(const struct cli *c, int *out, struct err *e)
{
    uint64_t number;
    int flags;

    *out = -1;
    if (!c->control)
        return 0;
    if (num_u64(c->control, INT_MAX, &number) < 0) {
        err_set(e, ERR_MALFORMED_REQUEST, "--control: not a descriptor: '%s'",
                c->control);
        return err_hint(e, "the number of a pipe or socket that is open for "
                           "reading");
    }
    /* The command has it too, and a pipe can be opened for writing by its
     * name in /proc: its orders would pass for the caller's. */
    if (number < 3) {
        err_set(e, ERR_MALFORMED_REQUEST,
                "--control: descriptor %s is the command's", c->control);
        return err_hint(e, "a descriptor from 3 on, as in: --control 3 3<FILE");
    }
    flags = fcntl((int)number, F_GETFL);
    if (flags < 0)
        return err_sys(e, "fcntl(2)", errno,
                       "--control: descriptor %s is not open", c->control);
    if ((flags & O_ACCMODE) == O_WRONLY)
        return err_set(e, ERR_MALFORMED_REQUEST,
                       "--control: descriptor %s cannot be read", c->control);
    *out = (int)number;
    return 0;
}

static void write_json(int fd, const struct err *e, int code)
{
    struct buf b = { .max = 64 * 1024 };

    buf_printf(&b,
               "{\"outcome\":\"failed\",\"exitCode\":%d,"
               "\"timedOut\":false,\"durationMs\":0,\"error\":",
               code);
    report_json(&b, e);
    buf_puts(&b, "}\n");
    if (!b.failed)
        (void)!write(fd, b.data, b.len);
    buf_drop(&b);
}

int cli_fail(const struct cli *c, const struct err *e, int code)
{
    struct buf b = { .max = 8192 };
    struct err other;
    int fd;

    report_text(&b, e);
    cli_print(stderr, &b);
    buf_drop(&b);
    if (cli_open_json(c, &fd, &other) == 0 && fd >= 0)
        write_json(fd, e, code);
    return code;
}

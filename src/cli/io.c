/* io.c - reading requests, telling errors. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "base/report.h"
#include "cli/cli.h"

bool cli_names_request(const char *name)
{
    size_t n = strlen(name);

    return n >= 5 && strcmp(name + n - 5, ".json") == 0;
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
    size_t cap = 64 * 1024, len = 0;
    char *text;
    ssize_t n;

    if (!c->policy_file)
        return 0;
    text = arena_alloc(&c->arena, cap);
    fd = open_request(c->policy_file, e);
    if (fd < 0)
        return -1;
    while (text && (n = read(fd, text + len, cap - len)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            err_sys(e, "read(2)", errno, "cannot read the request '%s'",
                    c->policy_file);
            e->code = ERR_MALFORMED_REQUEST;
            return -1;
        }
        len += (size_t)n;
        if (len > REQUEST_MAX_BYTES)
            return err_set(e, ERR_MALFORMED_REQUEST,
                           "the request is larger than %u bytes",
                           REQUEST_MAX_BYTES);
        if (len == cap) {
            char *grown = arena_alloc(&c->arena, cap * 2);

            if (grown)
                memcpy(grown, text, len);
            text = grown;
            cap *= 2;
        }
    }
    if (!text)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    if (check_is_json(c->policy_file, text, len, e) < 0)
        return -1;
    c->text = text;
    c->text_len = len;
    return 0;
}

int cli_open_json(const struct cli *c, int *out, struct err *e)
{
    uint64_t number;
    int fd;

    *out = -1;
    if (!c->json)
        return 0;
    if (num_u64(c->json, INT_MAX, &number) == 0) {
        if (fcntl((int)number, F_GETFD) < 0)
            return err_sys(e, "fcntl(2)", errno,
                           "--json: descriptor %s is not open", c->json);
        *out = (int)number;
        return 0;
    }
    fd = open(c->json, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_sys(e, "open(2)", errno, "--json: cannot write '%s'",
                       c->json);
    *out = fd;
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

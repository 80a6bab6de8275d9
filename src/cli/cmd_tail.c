/* cmd_tail.c - mxc tail: a stream of events, for people.
 *
 * Reads what `mxc run --events` writes, as it grows.  The text in it may be
 * the sandbox's, and the file anybody's: all of it is shown, never sent to
 * the terminal as it is. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/event.h"
#include "base/json.h"
#include "cli/cli.h"
#include "session/client.h"

enum { LINE_MAX_BYTES = 64 << 10 };

struct tail {
    const char *name;
    int fd;
    int watch; /* inotify, for a file that grows; or -1 */
    uint64_t line;
    uint64_t first_us; /* of the first event */
    bool is_over;      /* the last event has come */
    bool is_session;
    int holder; /* of one: a connection that ends when it does; -1: none */
};

/* --- one event -------------------------------------------------------------
 */

static uint64_t number(const struct json *v, const char *name)
{
    uint64_t n = 0;
    const struct json *m = json_get(v, name);

    return m && json_u64(m, &n) == 0 ? n : 0;
}

/* The member as it can be shown; false where there is none. */
static bool put(struct buf *out, const char *before, const struct json *v,
                const char *name)
{
    const struct json *m = json_get(v, name);
    struct buf text = { .max = LINE_MAX_BYTES };
    bool is_there =
        m && (m->type == JSON_STRING || m->type == JSON_NUMBER) && m->len;

    if (is_there) {
        buf_puts(out, before);
        buf_add(&text, m->text, m->len);
        if (!text.failed)
            buf_shown(out, text.data);
    }
    buf_drop(&text);
    return is_there;
}

static void put_started(struct buf *out, const struct json *v)
{
    /* A session's begins with none. */
    if (!put(out, "", v, "command"))
        buf_puts(out, "a session");
    (void)put(out, ", by the backend ", v, "backend");
    (void)put(out, ", as ", v, "correlationId");
}

static void put_denied(struct buf *out, const struct json *v)
{
    (void)put(out, "", v, "message");
    (void)put(out, "; to allow it: ", v, "hint");
}

static void put_access(struct buf *out, const struct json *v)
{
    (void)put(out, "", v, "operation");
    (void)put(out, " ", v, "resolved");
    (void)put(out, " by ", v, "process");
}

static void put_verified(struct buf *out, const struct json *v)
{
    (void)put(out, "", v, "clause");
    (void)put(out, ": ", v, "state");
    (void)put(out, "; ", v, "message");
}

static void put_limit(struct buf *out, const struct json *v)
{
    (void)put(out, "", v, "of");
    (void)put(out, ": ", v, "message");
}

static void put_message(struct buf *out, const struct json *v)
{
    (void)put(out, "", v, "message");
}

static void put_connection(struct buf *out, const struct json *v)
{
    (void)put(out, "", v, "state");
    (void)put(out, ": ", v, "what");
    if (!put(out, " ", v, "name"))
        (void)put(out, " ", v, "address");
    (void)put(out, ":", v, "port");
    if (json_get(v, "sent"))
        buf_printf(out, ", %" PRIu64 " bytes out, %" PRIu64 " in",
                   number(v, "sent"), number(v, "received"));
    (void)put(out, "; ", v, "message");
}

static void put_published(struct buf *out, const struct json *v)
{
    (void)put(out, "port ", v, "guest");
    (void)put(out, " of the sandbox is 127.0.0.1:", v, "host");
}

static void put_gap(struct buf *out, const struct json *v)
{
    (void)put(out, "", v, "count");
    (void)put(out,
              number(v, "count") == 1 ? " event is missing: "
                                      : " events are missing: ",
              v, "reason");
}

static void put_exited(struct buf *out, const struct json *v)
{
    (void)put(out, "", v, "outcome");
    (void)put(out, ", exit code ", v, "exitCode");
    if (put(out, ", after ", v, "durationMs"))
        buf_puts(out, " ms");
    if (number(v, "denials"))
        (void)put(out, ", refusals: ", v, "denials");
    (void)put(out, "; ", v, "message");
}

static void (*const renderers[EVENT_NKINDS])(struct buf *,
                                             const struct json *) = {
    [EVENT_VERIFIED] = put_verified,
    [EVENT_STARTED] = put_started,
    [EVENT_DENIED] = put_denied,
    [EVENT_ACCESS] = put_access,
    [EVENT_LIMITED] = put_limit,
    [EVENT_WARNING] = put_message,
    [EVENT_CONNECTION] = put_connection,
    [EVENT_IS_PUBLISHED] = put_published,
    [EVENT_GAP] = put_gap,
    [EVENT_EXITED] = put_exited,
};

static int find_kind(const struct json *v)
{
    const struct json *name = json_get(v, "event");

    for (int k = 0; name && k < EVENT_NKINDS; k++)
        if (json_is(name, event_kind_name((enum event_kind)k)))
            return k;
    return -1;
}

/* Of a kind that a later mxc has: a reader passes over it. */
static bool is_unknown(const struct json *v)
{
    const struct json *name = json_get(v, "event");

    return name && name->type == JSON_STRING && number(v, "seq") > 0;
}

static int no_event(const struct tail *t, uint64_t line, struct err *e)
{
    err_set(e, ERR_MALFORMED_REQUEST, "line %" PRIu64 " of '%s' is no event",
            line, t->name);
    return err_hint(e, "a file that `mxc run --events FILE` writes");
}

static int show(struct tail *t, const char *line, size_t len, struct err *e)
{
    struct arena a = { .limit = 4 << 20 };
    struct buf out = { .max = 4 * LINE_MAX_BYTES };
    struct json *v = NULL;
    const uint64_t no = ++t->line;
    int kind = -1;
    bool is_event = false;
    uint64_t us;

    if (json_parse(&a, line, len, &v, e) == 0) {
        kind = find_kind(v);
        is_event = kind >= 0 || is_unknown(v);
    }
    if (kind >= 0) {
        us = number(v, "monotonicUs");
        if (!t->first_us)
            t->first_us = us;
        us = us > t->first_us ? us - t->first_us : 0;
        buf_printf(&out, "%8" PRIu64 ".%03" PRIu64 "  %-10s  ", us / 1000000,
                   us / 1000 % 1000, event_kind_name((enum event_kind)kind));
        renderers[kind](&out, v);
        buf_putc(&out, '\n');
        cli_print(stdout, &out);
        t->is_over = kind == EVENT_EXITED;
    }
    buf_drop(&out);
    arena_drop(&a);
    return is_event ? 0 : no_event(t, no, e);
}

/* --- following -------------------------------------------------------------
 */

/* The events of a session of that name; -1 where there is none. */
static int open_session(const struct cli *c, struct tail *t)
{
    struct session_dir d = SESSION_DIR_NONE;
    enum session_state state;
    struct err none;
    int fd;

    if (session_dir_open(c->flags.runtime, t->name, false, &d, &none) < 0)
        return -1;
    /* First who writes to it, then what was written. */
    (void)session_look_up(&d, &state, &t->holder, &none);
    fd = openat(d.fd, SESSION_EVENTS, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    session_dir_close(&d);
    t->is_session = fd >= 0;
    return fd;
}

static int open_stream(const struct cli *c, struct tail *t, struct err *e)
{
    char path[40];
    struct stat st;
    int why;

    if (strcmp(t->name, "-") == 0) {
        t->fd = 0;
        return 0;
    }
    t->fd = open(t->name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    why = errno;
    if (t->fd < 0 && why == ENOENT)
        t->fd = open_session(c, t);
    if (t->fd < 0 || fstat(t->fd, &st) < 0) {
        err_sys(e, "open(2)", why, "cannot read '%s'", t->name);
        return err_hint(e, "a file that `mxc run --events FILE` writes, or a "
                           "session that has been started");
    }
    if (!S_ISREG(st.st_mode))
        return 0;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", t->fd);
    t->watch = inotify_init1(IN_CLOEXEC);
    if (t->watch < 0 ||
        inotify_add_watch(t->watch, path, IN_MODIFY | IN_DELETE_SELF) < 0)
        return err_sys(e, "inotify_add_watch(2)", errno, "cannot follow '%s'",
                       t->name);
    return 0;
}

/* A file has ended for now; whether more may come. */
static bool wait_for_more(struct tail *t)
{
    char events[4096] __attribute__((aligned(8)));
    struct pollfd p[] = { { .fd = t->watch, .events = POLLIN },
                          { .fd = t->holder } };

    if (t->watch < 0 || (t->is_session && t->holder < 0))
        return false;
    (void)fflush(stdout);
    if (poll(p, ARRAY_LEN(p), -1) < 0)
        return errno == EINTR;
    /* What it has written before is read yet. */
    if (p[1].revents)
        drop_fd(&t->holder);
    return !p[0].revents || read(t->watch, events, sizeof(events)) > 0;
}

/* The lines that are complete; what is left of the last one stays. */
static int show_lines(struct tail *t, struct buf *text, struct err *e)
{
    size_t at = 0;

    while (at < text->len && !t->is_over) {
        const char *end = memchr(text->data + at, '\n', text->len - at);
        size_t len = end ? (size_t)(end - text->data) - at : 0;

        if (!end)
            break;
        if (show(t, text->data + at, len, e) < 0)
            return -1;
        at += len + 1;
    }
    if (at)
        memmove(text->data, text->data + at, text->len - at);
    text->len -= at;
    /* The rest of a line is waited for, if it can become an event. */
    if (!t->is_over && text->len && text->data[0] != '{')
        return no_event(t, t->line + 1, e);
    return 0;
}

static int follow(struct tail *t, bool is_once, struct err *e)
{
    struct buf text = { .max = 2 * LINE_MAX_BYTES };
    char piece[4096];
    int r = 0;

    while (r == 0 && !t->is_over) {
        ssize_t n = read(t->fd, piece, sizeof(piece));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            r = err_sys(e, "read(2)", errno, "cannot read '%s'", t->name);
        if (n == 0 && (is_once || !wait_for_more(t)))
            break;
        if (n <= 0)
            continue;
        buf_add(&text, piece, (size_t)n);
        r = text.failed
                ? err_set(e, ERR_MALFORMED_REQUEST,
                          "a line of '%s' is too long for an event", t->name)
                : show_lines(t, &text, e);
        (void)fflush(stdout);
    }
    buf_drop(&text);
    if (r == 0 && is_once && !t->is_over)
        (void)fprintf(stderr, "mxc: '%s' has no end yet, or was cut\n",
                      t->name);
    if (r == 0 && t->is_session && !t->is_over && !is_once) {
        err_set(e, ERR_STALE_ID,
                "the session's holder was killed, and its sandbox with it");
        return err_hint(e, "mxc deprovision removes what is left");
    }
    return r;
}

int cmd_tail(int argc, char **argv)
{
    const struct command *cmd = command_find("tail");
    struct cli c = { 0 };
    struct tail t = { .fd = -1, .watch = -1, .holder = -1 };
    struct err e = { 0 };
    int r = cli_parse(&c, cmd, argc, argv);

    if (r >= 0)
        return r;
    t.name = c.policy_file;
    if (!t.name) {
        err_set(&e, ERR_MALFORMED_REQUEST, "no FILE to read");
        err_hint(&e, "mxc tail --help");
        r = cli_fail(&c, &e, CLI_USAGE);
    } else if (open_stream(&c, &t, &e) < 0 || follow(&t, c.is_once, &e) < 0) {
        r = cli_fail(&c, &e, CLI_REFUSED);
    } else {
        r = CLI_OK;
    }
    drop_fd(&t.watch);
    drop_fd(&t.holder);
    if (t.fd > 0)
        drop_fd(&t.fd);
    cli_free(&c);
    return r;
}

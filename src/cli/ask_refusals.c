/* ask_refusals.c - see ask.h: what the gateway says of a trial.
 *
 * A program is told that a host is unreachable whether the policy keeps it from
 * there or the network does, and of several addresses it hears of the last.
 * The events of the session tell the refusals of the policy alone. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/scoped.h"
#include "cli/ask.h"

/* Of the lines of one trial, as trees. */
enum { LINE_ROOM = 1 << 20 };

int ask_open_events(const struct session_dir *d)
{
    scoped(drop_fd) int fd =
        openat(d->fd, SESSION_EVENTS, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    /* What comes from now on. */
    if (fd < 0 || lseek(fd, 0, SEEK_END) < 0)
        return -1;
    return take_fd(&fd);
}

/* Not all of it, where the file is full. */
static bool read_all(int fd, struct buf *out)
{
    struct stat st;
    char bytes[4096];
    ssize_t n;

    while ((n = read(fd, bytes, sizeof(bytes))) > 0)
        buf_add(out, bytes, (size_t)n);
    return n == 0 && !out->failed && fstat(fd, &st) == 0 &&
           st.st_size < SESSION_EVENTS_ROOM;
}

static bool is_peer(const struct json *event, const struct why_answer *w)
{
    const struct json *port = json_get(event, "port");
    uint64_t number;

    if (!w->peer || (!json_is(json_get(event, "name"), w->peer) &&
                     (json_get(event, "name") ||
                      !json_is(json_get(event, "address"), w->peer))))
        return false;
    if (json_is(json_get(event, "what"), "query"))
        return true;
    return json_is(json_get(event, "what"), "connect") && port &&
           json_u64(port, &number) == 0 && number == w->port;
}

static const char *text_of(struct arena *a, const struct json *event,
                           const char *key)
{
    const struct json *m = json_get(event, key);

    return m && m->type == JSON_STRING ? arena_strndup(a, m->text, m->len)
                                       : NULL;
}

static void take_refusal(struct arena *a, const struct json *event,
                         struct asked *q)
{
    q->is_refused = true;
    q->leads_astray = json_is(json_get(event, "reason"), "address");
    q->refusal = text_of(a, event, "message");
    if (!q->answer.remedy)
        q->answer.remedy = text_of(a, event, "hint");
}

/* False: more is missing than was there. */
static bool take_line(struct arena *a, const char *line, size_t len,
                      struct asked *q, size_t n)
{
    scoped(arena_drop) struct arena tree = { .limit = LINE_ROOM };
    struct json *event;
    struct err ignored;

    if (json_parse(&tree, line, len, &event, &ignored) < 0 ||
        json_is(json_get(event, "event"), "gap"))
        return false;
    /* That a name has no address is nobody's refusal. */
    if (!json_is(json_get(event, "event"), "denied") ||
        json_is(json_get(event, "reason"), "no_address"))
        return true;
    for (size_t i = 0; i < n; i++)
        if (!q[i].is_refused && is_peer(event, &q[i].answer))
            take_refusal(a, event, &q[i]);
    return true;
}

void ask_take_refusals(struct arena *a, int events, struct asked *q, size_t n)
{
    scoped(buf_drop) struct buf text = { .max = 2 * SESSION_EVENTS_ROOM };
    bool is_all = events >= 0 && read_all(events, &text);
    const char *at = text.len ? text.data : "", *end;

    for (; (end = strchr(at, '\n')); at = end + 1)
        is_all = take_line(a, at, (size_t)(end - at), q, n) && is_all;
    for (size_t i = 0; i < n; i++)
        q[i].is_heard = is_all;
}

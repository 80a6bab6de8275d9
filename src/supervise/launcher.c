/* launcher.c - see launcher.h. */
#include "supervise/launcher.h"

#include <errno.h>
#include <sys/socket.h>

#include "sys/message.h"

#define END(text) (text)[sizeof(text) - 1] = '\0'

static int say(int fd, const void *word, size_t len)
{
    const ssize_t n = send(fd, word, len, MSG_NOSIGNAL | MSG_DONTWAIT);

    return n == (ssize_t)len ? 0 : n < 0 ? -errno : -EMSGSIZE;
}

int launcher_tell(int fd, uint32_t msg, int32_t status)
{
    const struct launch_record rec = { .msg = msg, .status = status };

    return say(fd, &rec, sizeof(rec));
}

int launcher_tell_go(int fd, const struct launch_go *go)
{
    return say(fd, go, sizeof(*go));
}

static void hold_seen(struct launch_seen *seen)
{
    END(seen->call);
    END(seen->process);
    END(seen->why);
    END(seen->named);
    END(seen->path);
    /* A sum of these shall not begin anew. */
    if (seen->count > UINT32_MAX)
        seen->count = UINT32_MAX;
}

static void hold_walls(struct verified *walls)
{
    for (int c = 0; c < CLAUSE_COUNT; c++)
        if (walls->row[c].reason >= REASON_COUNT)
            walls->row[c] = (struct clause_found){ 0 };
}

ssize_t launcher_hear(int fd, union launcher_word *out, int *master)
{
    struct iovec iov = { .iov_base = out, .iov_len = sizeof(*out) };
    size_t nfds;
    ssize_t n;

    *master = -1;
    n = message_receive(fd, &iov, 1, master, 1, &nfds, MSG_DONTWAIT);
    /* It ended with a word of ours unheard, which is told once, before the
     * last word of its own that lies in the queue (unix(7), ECONNRESET). */
    if (n == -ECONNRESET)
        n = message_receive(fd, &iov, 1, master, 1, &nfds, MSG_DONTWAIT);
    if (n == (ssize_t)sizeof(out->seen))
        hold_seen(&out->seen);
    else if (n == (ssize_t)sizeof(out->verified))
        hold_walls(&out->verified.found);
    else if (n == (ssize_t)sizeof(out->rec))
        err_end_texts(&out->rec.err);
    return n;
}

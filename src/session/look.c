/* look.c - see look.h. */
#include "session/look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static int see_once(const struct session_dir *d, struct session_seen *out,
                    struct err *e)
{
    static const char *const names[] = { "provisioned", "started", "stale" };
    scoped(drop_fd) int conn = -1;
    enum session_state state;
    struct look look;
    struct session_holder holder;
    struct err other;
    bool has_facts;
    int r;

    *out = (struct session_seen){ .state = "stale" };
    session_id_print(d->name, out->id);
    out->backend = session_backend(d->name);
    has_facts = session_facts(d, &out->facts, &other) == 0;
    /* What cannot be read is stale: only deprovision is of use then.  But for
     * what runs: whatever is written of it. */
    r = session_look_up(d, &state, &conn, &other);
    if (r < 0 || (!has_facts && state != SESSION_STARTED))
        return 0;
    out->state = names[state];
    if (state != SESSION_STARTED)
        return 0;
    if (r > 0) {
        if (session_holder(d, &has_facts, &holder, e) == 0 && has_facts)
            out->holder = holder.pid;
        *e = other;
        return 1;
    }
    r = session_inspect(conn, &look, &out->holder, e);
    if (r == 0)
        out->look = look;
    if (out->look.paused)
        out->state = "paused";
    return r;
}

/* More than once: it may have ended between two questions.  One that hangs is
 * asked once. */
int session_see(const struct session_dir *d, struct session_seen *out,
                struct err *e)
{
    int r = -1;

    for (int i = 0; r < 0 && i < 3; i++)
        r = see_once(d, out, e);
    if (r < 0)
        out->holder = 0;
    return r ? -1 : 0;
}

void session_seen_members(const struct session_seen *s, struct buf *b)
{
    buf_puts(b, "{\"sandboxId\":");
    buf_json(b, s->id);
    buf_printf(b, ",\"backend\":\"%s\",\"state\":\"%s\",\"createdMs\":%" PRIu64,
               s->backend, s->state, s->facts.created_ms);
    if (s->facts.idle_ms)
        buf_printf(b, ",\"idleTimeoutMs\":%" PRIu64, s->facts.idle_ms);
    if (s->facts.age_ms)
        buf_printf(b, ",\"maxAgeMs\":%" PRIu64, s->facts.age_ms);
    if (s->facts.layer[0]) {
        buf_puts(b, ",\"layer\":");
        buf_json(b, s->facts.layer);
    }
    if (!s->holder)
        return;
    if (s->look.paused)
        buf_printf(b, ",\"pausedBy\":\"%s\"",
                   s->look.paused == LOOK_FROZEN ? "freezer" : "signals");
    buf_printf(b, ",\"pid\":%d", (int)s->holder);
    if (!session_has_answered(s))
        return;
    buf_printf(b,
               ",\"ageMs\":%" PRIu64 ",\"idleMs\":%" PRIu64 ",\"commands\":[",
               s->look.age_ms, s->look.idle_ms);
    for (uint32_t i = 0; i < s->look.ncommands; i++)
        buf_printf(b, "%s{\"pid\":%d,\"ageMs\":%" PRIu64 "}", i ? "," : "",
                   s->look.command[i].pid, s->look.command[i].age_ms);
    buf_putc(b, ']');
}

void session_policy_member(const struct session_dir *d, struct buf *b)
{
    struct plan_view plan;
    struct err other;

    if (session_plan(d, &plan, &other) < 0)
        return;
    if (plan.head.receipt[0])
        buf_printf(b, ",\"provisioned\":{%s}", plan.head.receipt);
    session_plan_drop(&plan);
}

/* Not waited for: whoever has it may need as long as what he stops. */
static bool take_lock(const struct session_dir *d)
{
    return flock(d->fd, LOCK_EX | LOCK_NB) == 0 && session_dir_is_there(d);
}

int session_each(const char *runtime, bool lock,
                 int (*each)(void *context, struct session_dir *d,
                             struct err *e),
                 void *context, struct err *e)
{
    scoped(drop_fd) int root = -1;
    int fd, r = 0;
    DIR *list;

    if (session_root(runtime, false, &root, e) < 0)
        return -1;
    if (root < 0)
        return 0;
    fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    list = fd < 0 ? NULL : fdopendir(fd);
    if (!list) {
        drop_fd(&fd);
        return err_sys(e, "opendir(3)", errno, "cannot list the sessions");
    }
    for (struct dirent *i = readdir(list); r == 0 && i; i = readdir(list)) {
        struct session_dir d = SESSION_DIR_NONE;
        char id[SESSION_ID_MAX], name[SESSION_NAME_MAX];
        struct err gone;

        session_id_print(i->d_name, id);
        if (session_id_parse(id, name, &gone) < 0 ||
            strcmp(name, i->d_name) != 0 ||
            session_dir_open(runtime, id, false, &d, &gone) < 0)
            continue;
        if (!lock || take_lock(&d))
            r = each(context, &d, e);
        session_dir_close(&d);
    }
    (void)closedir(list);
    return r;
}

/* cmd_ps.c - looking at sessions: ps, inspect, logs; and gc. */
#include <stdio.h>

#include "base/report.h"
#include "cli/session.h"
#include "session/pool.h"
#include "session/look.h"

enum { LOG_ROOM = 256 * 1024, ID_WIDTH = SESSION_ID_MAX - 2 };

static int finish_json(const struct cli *c, struct buf *b, struct err *e)
{
    int fd, r = cli_open_json(c, &fd, e);

    if (r == 0 && fd >= 0)
        r = report_write(fd, b, e);
    buf_drop(b);
    return r;
}

static void print_processes(const struct session_process *p, size_t n)
{
    struct buf b = { .max = 1 << 20 };

    buf_puts(&b, "   PID HOST-PID S NAME\n");
    for (size_t i = 0; i < n; i++) {
        buf_printf(&b, "%6d %8d %c ", (int)p[i].inside, (int)p[i].pid,
                   p[i].state);
        buf_shown(&b, p[i].name);
        buf_putc(&b, '\n');
    }
    cli_print(stdout, &b);
    buf_drop(&b);
}

/* --- one session -----------------------------------------------------------
 */

static int open_seen(struct cli *c, struct session_dir *d,
                     struct session_seen *s, struct err *e)
{
    if (session_dir_open(c->flags.runtime, c->id, false, d, e) < 0)
        return -1;
    return session_see(d, s, e);
}

static int ps_one(struct cli *c, struct err *e)
{
    struct session_process *p =
        arena_array(&c->arena, SESSION_PROCESSES, sizeof(*p));
    struct session_dir d = SESSION_DIR_NONE;
    struct buf b = { .max = 4 << 20 };
    struct session_seen *s = arena_alloc(&c->arena, sizeof(*s));
    size_t n;
    int r;

    if (!p || !s)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    r = open_seen(c, &d, s, e);
    session_dir_close(&d);
    if (r < 0)
        return -1;
    n = s->holder ? session_processes(s->holder, p) : 0;
    if (!c->json)
        print_processes(p, n);
    session_seen_members(s, &b);
    session_processes_member(p, n, &b);
    buf_puts(&b, "}\n");
    return finish_json(c, &b, e);
}

static int do_inspect(struct cli *c, struct err *e)
{
    struct session_dir d = SESSION_DIR_NONE;
    struct buf b = { .max = 8 << 20 };
    struct session_seen *s = arena_alloc(&c->arena, sizeof(*s));
    int r;

    if (!s)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    r = open_seen(c, &d, s, e);
    if (r == 0) {
        session_seen_members(s, &b);
        session_policy_member(&d, &b);
        buf_puts(&b, "}\n");
    }
    session_dir_close(&d);
    if (r == 0 && !c->json)
        cli_print(stdout, &b);
    if (r == 0)
        return finish_json(c, &b, e);
    buf_drop(&b);
    return -1;
}

static int do_logs(struct cli *c, struct err *e)
{
    struct session_dir d = SESSION_DIR_NONE;
    const char *text;
    size_t len;
    int r;

    if (session_dir_open(c->flags.runtime, c->id, false, &d, e) < 0)
        return -1;
    r = session_read(&d, &c->arena, "log", LOG_ROOM, &text, &len, e);
    session_dir_close(&d);
    if (r == 0 && text)
        (void)fwrite(text, 1, len, stdout);
    return r;
}

/* --- all of them -----------------------------------------------------------
 */

struct list {
    const struct cli *cli;
    struct buf out;
};

static int list_one(void *context, struct session_dir *d, struct err *e)
{
    struct list *l = context;
    struct session_seen s;
    struct err other;

    (void)e;
    /* It may be ending while we look. */
    if (session_see(d, &s, &other) < 0 && !s.holder)
        return 0;
    if (l->cli->json) {
        buf_puts(&l->out, l->out.len > 1 ? "," : "");
        session_seen_members(&s, &l->out);
        buf_putc(&l->out, '}');
        return 0;
    }
    (void)printf("%-*s  %-11s  %u%s\n", ID_WIDTH, s.id, s.state,
                 s.look.ncommands,
                 s.holder && !session_has_answered(&s) ? "  does not answer"
                 : s.look.paused == LOOK_FROZEN        ? "  by a freezer"
                 : s.look.paused == LOOK_STOPPED       ? "  by signals"
                                                       : "");
    /* The next one may take its time. */
    (void)fflush(stdout);
    return 0;
}

static int do_ps(struct cli *c, struct err *e)
{
    struct list l = { .cli = c, .out = { .max = 16 << 20 } };

    if (c->id)
        return ps_one(c, e);
    buf_putc(&l.out, '[');
    if (!c->json)
        (void)printf("%-*s  %-11s  COMMANDS\n", ID_WIDTH, "ID", "STATE");
    if (session_each(c->flags.runtime, false, list_one, &l, e) < 0) {
        buf_drop(&l.out);
        return -1;
    }
    buf_puts(&l.out, "]\n");
    return finish_json(c, &l.out, e);
}

/* Made for one answer, by who was killed before it gave it.  Its maker may just
 * be about to start it. */
static bool is_left_over(const struct session_facts *f)
{
    enum { START_MS = 60000 };

    return f->is_throwaway && session_wall_ms() > f->created_ms + START_MS;
}

/* Of another version of mxc, it may be all well there. */
static void tell_kept(const char *id)
{
    (void)fprintf(stderr,
                  "mxc: note: session '%s' is kept: its record cannot be "
                  "understood, another version of mxc may have made it; mxc "
                  "deprovision %s removes it\n",
                  id, id);
}

/* One that cannot be removed does not keep the others: the first is told. */
static int clean_one(void *context, struct session_dir *d, struct err *e)
{
    struct err *first = context;
    scoped(drop_fd) int conn = -1;
    enum session_state state = SESSION_STALE;
    struct session_facts f;
    struct err other;
    char id[SESSION_ID_MAX];
    int r;

    (void)e;
    session_id_print(d->name, id);
    /* What runs stays, whatever is written of it. */
    r = session_look_up(d, &state, &conn, &other);
    if (r == 0 && state == SESSION_STARTED)
        return 0;
    if (r == 0)
        r = session_facts(d, &f, &other);
    /* What we cannot look at, for lack of a descriptor or so, may well run. */
    if (r < 0 && other.code == ERR_STALE_ID)
        tell_kept(id);
    if (r != 0 || (state != SESSION_STALE && !is_left_over(&f)))
        return 0;
    r = session_dir_remove(d, &other);
    if (r < 0 && !first->msg[0])
        *first = other;
    if (r == 0)
        (void)printf("%s\n", id);
    return 0;
}

/* What its keeper, that is gone, has left. */
static void clean_pool(void *context, const char *name)
{
    const int *root = context;

    if (pool_sweep(*root, name))
        (void)printf("%s\n", name);
}

static int do_gc(struct cli *c, struct err *e)
{
    scoped(drop_fd) int root = -1;
    struct err first = { 0 };

    if (session_root(c->flags.runtime, false, &root, e) < 0)
        return -1;
    if (root >= 0 && pool_each(root, clean_pool, &root, e) < 0)
        return -1;
    if (root >= 0)
        (void)session_sweep(root);
    if (session_each(c->flags.runtime, true, clean_one, &first, e) < 0)
        return -1;
    if (!first.msg[0])
        return 0;
    *e = first;
    return -1;
}

static int look(const char *name, int (*act)(struct cli *, struct err *),
                int argc, char **argv)
{
    struct cli c = { 0 };
    struct err e = { 0 };
    int r = cli_parse(&c, command_find(name), argc, argv);

    if (r < 0)
        r = act(&c, &e) < 0 ? cli_fail_phase(&c, &e, CLI_REFUSED) : CLI_OK;
    cli_free(&c);
    return r;
}

int cmd_ps(int argc, char **argv)
{
    return look("ps", do_ps, argc, argv);
}

int cmd_inspect(int argc, char **argv)
{
    return look("inspect", do_inspect, argc, argv);
}

int cmd_logs(int argc, char **argv)
{
    return look("logs", do_logs, argc, argv);
}

int cmd_gc(int argc, char **argv)
{
    return look("gc", do_gc, argc, argv);
}

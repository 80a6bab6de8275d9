/* cmd_ps.c - looking at sessions: ps, inspect, logs; and gc. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/num.h"
#include "base/report.h"
#include "cli/session.h"
#include "supervise/supervise.h"

enum { MAX_PROCESSES = 4096, LOG_ROOM = 256 * 1024 };

/* One session, as far as it can be told. */
struct seen {
    char id[SESSION_ID_MAX];
    const char *state;
    struct session_facts facts;
    struct look look; /* of a started one */
    pid_t holder;     /* 0: none */
};

static int look_once(const struct session_dir *d, struct seen *out,
                     struct err *e)
{
    static const char *const names[] = { "provisioned", "started", "stale" };
    scoped(drop_fd) int conn = -1;
    enum session_state state;
    struct err other;

    *out = (struct seen){ .state = "stale" };
    session_id_print(d->hex, out->id);
    /* What cannot be read is stale: only deprovision is of use then. */
    if (session_facts(d, &out->facts, &other) < 0 ||
        session_look_up(d, &state, &conn, &other) < 0)
        return 0;
    out->state = names[state];
    if (state != SESSION_STARTED)
        return 0;
    if (session_inspect(conn, &out->look, &out->holder, e) < 0)
        return -1;
    if (out->look.is_paused)
        out->state = "paused";
    return 0;
}

/* More than once: it may have ended between two questions. */
static int look_at(const struct session_dir *d, struct seen *out, struct err *e)
{
    int r = -1;

    for (int i = 0; r < 0 && i < 3; i++)
        r = look_once(d, out, e);
    return r;
}

static void put_session(struct buf *b, const struct seen *s)
{
    buf_puts(b, "{\"sandboxId\":");
    buf_json(b, s->id);
    buf_printf(b, ",\"backend\":\"%s\",\"state\":\"%s\",\"createdMs\":%" PRIu64,
               SESSION_PREFIX, s->state, s->facts.created_ms);
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
    buf_printf(b,
               ",\"pid\":%d,\"ageMs\":%" PRIu64 ",\"idleMs\":%" PRIu64
               ",\"commands\":[",
               (int)s->holder, s->look.age_ms, s->look.idle_ms);
    for (uint32_t i = 0; i < s->look.ncommands; i++)
        buf_printf(b, "%s{\"pid\":%d,\"ageMs\":%" PRIu64 "}", i ? "," : "",
                   s->look.command[i].pid, s->look.command[i].age_ms);
    buf_putc(b, ']');
}

static int finish_json(const struct cli *c, struct buf *b, struct err *e)
{
    int fd, r = cli_open_json(c, &fd, e);

    if (r == 0 && fd >= 0)
        r = report_write(fd, b, e);
    buf_drop(b);
    return r;
}

/* --- its processes ---------------------------------------------------------
 */

struct process {
    pid_t pid, parent, inside;
    char state;
    bool is_ours;
    char name[32];
};

static const char *field(const char *status, const char *name)
{
    const char *at = strstr(status, name);

    return at ? at + strlen(name) : "";
}

/* "NSpid:\t1234\t17": the last of them is that of the innermost namespace. */
static pid_t last_number(const char *line)
{
    char text[32];
    int64_t number = 0;
    size_t end = strcspn(line, "\n"), from = end;

    while (from > 0 && line[from - 1] >= '0' && line[from - 1] <= '9')
        from--;
    if (end - from >= sizeof(text))
        return 0;
    memcpy(text, line + from, end - from);
    text[end - from] = '\0';
    return num_i64(text, 0, INT_MAX, &number) == 0 ? (pid_t)number : 0;
}

static bool read_process(int proc, const char *pid, struct process *out)
{
    char path[64], text[4096];
    scoped(drop_fd) int fd = -1;
    size_t n;
    ssize_t got;

    (void)snprintf(path, sizeof(path), "%.20s/status", pid);
    fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (got <= 0)
        return false;
    text[got] = '\0';
    *out = (struct process){ .pid = last_number(pid),
                             .parent = last_number(field(text, "\nPPid:")),
                             .inside = last_number(field(text, "\nNSpid:")),
                             .state = *(field(text, "\nState:\t")) };
    n = strcspn(field(text, "Name:\t"), "\n");
    if (n >= sizeof(out->name))
        n = sizeof(out->name) - 1;
    memcpy(out->name, field(text, "Name:\t"), n);
    return true;
}

static size_t read_processes(struct process *p)
{
    DIR *d = opendir("/proc");
    size_t n = 0;

    if (!d)
        return 0;
    for (struct dirent *i = readdir(d); i && n < MAX_PROCESSES; i = readdir(d))
        if (isdigit((unsigned char)i->d_name[0]) &&
            read_process(dirfd(d), i->d_name, &p[n]))
            n++;
    (void)closedir(d);
    return n;
}

/* What the holder's init has below it.  Who loses its parent inside gets init
 * for one. */
static void mark_family(struct process *p, size_t n, pid_t holder)
{
    pid_t init = 0;
    bool found = true;

    for (size_t i = 0; i < n; i++)
        if (p[i].parent == holder && p[i].inside == 1)
            init = p[i].pid;
    while (init && found) {
        found = false;
        for (size_t i = 0; i < n; i++) {
            bool below = p[i].parent == init;

            for (size_t j = 0; !below && j < n; j++)
                below = p[j].is_ours && p[j].pid == p[i].parent;
            if (!below || p[i].is_ours)
                continue;
            p[i].is_ours = found = true;
        }
    }
}

static void put_processes(struct buf *b, const struct process *p, size_t n)
{
    bool is_first = true;

    buf_puts(b, ",\"processes\":[");
    for (size_t i = 0; i < n; i++) {
        if (!p[i].is_ours)
            continue;
        buf_printf(b, "%s{\"pid\":%d,\"hostPid\":%d,\"state\":\"%c\",\"name\":",
                   is_first ? "" : ",", (int)p[i].inside, (int)p[i].pid,
                   p[i].state);
        buf_json(b, p[i].name);
        buf_putc(b, '}');
        is_first = false;
    }
    buf_putc(b, ']');
}

static void print_processes(const struct process *p, size_t n)
{
    struct buf b = { .max = 1 << 20 };

    buf_puts(&b, "   PID HOST-PID S NAME\n");
    for (size_t i = 0; i < n; i++) {
        if (!p[i].is_ours)
            continue;
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

static int open_seen(struct cli *c, struct session_dir *d, struct seen *s,
                     struct err *e)
{
    if (session_dir_open(c->flags.runtime, c->id, false, d, e) < 0)
        return -1;
    return look_at(d, s, e);
}

static int ps_one(struct cli *c, struct err *e)
{
    struct process *p = arena_array(&c->arena, MAX_PROCESSES, sizeof(*p));
    struct session_dir d = SESSION_DIR_NONE;
    struct buf b = { .max = 4 << 20 };
    struct seen *s = arena_alloc(&c->arena, sizeof(*s));
    size_t n;
    int r;

    if (!p || !s)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    r = open_seen(c, &d, s, e);
    session_dir_close(&d);
    if (r < 0)
        return -1;
    n = s->holder ? read_processes(p) : 0;
    mark_family(p, n, s->holder);
    if (!c->json)
        print_processes(p, n);
    put_session(&b, s);
    put_processes(&b, p, n);
    buf_puts(&b, "}\n");
    return finish_json(c, &b, e);
}

static int do_inspect(struct cli *c, struct err *e)
{
    struct session_dir d = SESSION_DIR_NONE;
    struct buf b = { .max = 8 << 20 };
    struct seen *s = arena_alloc(&c->arena, sizeof(*s));
    struct plan_view plan;
    struct err other;
    int r;

    if (!s)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    r = open_seen(c, &d, s, e);
    if (r == 0) {
        put_session(&b, s);
        if (session_plan(&d, &plan, &other) == 0 && plan.head.receipt[0])
            buf_printf(&b, ",\"provisioned\":{%s}", plan.head.receipt);
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

/* Calls each with an open directory of each session. */
static int for_each(struct cli *c, bool lock,
                    int (*each)(struct cli *, struct session_dir *,
                                struct buf *, struct err *),
                    struct buf *b, struct err *e)
{
    scoped(drop_fd) int root = -1;
    int fd, r = 0;
    DIR *list;

    if (session_root(c->flags.runtime, false, &root, e) < 0)
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
        char id[SESSION_ID_MAX + NAME_MAX];
        struct err gone;

        (void)snprintf(id, sizeof(id), "%s:%s", SESSION_PREFIX, i->d_name);
        if (session_dir_open(c->flags.runtime, id, lock, &d, &gone) < 0)
            continue;
        r = each(c, &d, b, e);
        session_dir_close(&d);
    }
    (void)closedir(list);
    return r;
}

static int list_one(struct cli *c, struct session_dir *d, struct buf *b,
                    struct err *e)
{
    static struct seen s;
    struct err other;

    (void)e;
    /* It may be ending while we look. */
    if (look_at(d, &s, &other) < 0)
        return 0;
    if (c->json) {
        buf_puts(b, b->len > 1 ? "," : "");
        put_session(b, &s);
        buf_putc(b, '}');
        return 0;
    }
    (void)printf("%s  %-11s  %u\n", s.id, s.state, s.look.ncommands);
    return 0;
}

static int do_ps(struct cli *c, struct err *e)
{
    struct buf b = { .max = 16 << 20 };

    if (c->id)
        return ps_one(c, e);
    buf_putc(&b, '[');
    if (!c->json)
        (void)printf("%-*s  %-11s  COMMANDS\n", SESSION_ID_MAX - 2, "ID",
                     "STATE");
    if (for_each(c, false, list_one, &b, e) < 0) {
        buf_drop(&b);
        return -1;
    }
    buf_puts(&b, "]\n");
    return finish_json(c, &b, e);
}

static int clean_one(struct cli *c, struct session_dir *d, struct buf *b,
                     struct err *e)
{
    scoped(drop_fd) int conn = -1;
    enum session_state state = SESSION_STALE;
    struct session_facts f;
    struct err other;
    char id[SESSION_ID_MAX];
    int r;

    (void)c;
    (void)b;
    r = session_facts(d, &f, &other);
    if (r == 0)
        r = session_look_up(d, &state, &conn, &other);
    /* What we cannot look at, for lack of a descriptor or so, may well run. */
    if (r == 0 ? state != SESSION_STALE : other.code != ERR_STALE_ID)
        return 0;
    session_id_print(d->hex, id);
    if (session_dir_remove(d, e) < 0)
        return -1;
    (void)printf("%s\n", id);
    return 0;
}

static int do_gc(struct cli *c, struct err *e)
{
    scoped(drop_fd) int root = -1;

    if (session_root(c->flags.runtime, false, &root, e) < 0)
        return -1;
    if (root >= 0)
        (void)session_sweep(root);
    return for_each(c, true, clean_one, NULL, e);
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

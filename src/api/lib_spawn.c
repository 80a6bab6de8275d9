/* lib_spawn.c - from a request to a supervisor that runs it.
 *
 * Everything that can be refused is, before there is a process; then one
 * program is started with what it needs and nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/lib.h"
#include "base/compat.h"

/* What the supervisor is started with, in the order of its descriptors. */
enum { PLAN = 3, RESULT, EVENTS, CONTROL, CALLER, ALL };

struct parts {
    int fd[ALL];           /* ours and the caller's: see is_borrowed */
    bool is_borrowed[3];   /* the caller's, MXC_STDIO_FDS */
    struct mxc_sandbox *s; /* with our ends */
};

static void parts_drop(struct parts *p)
{
    for (int i = 0; i < ALL; i++)
        if (i >= 3 || !p->is_borrowed[i])
            drop_fd(&p->fd[i]);
}

/* Not written by a pipe: nobody need read it for the supervisor to end. */
static int open_result(struct parts *p, struct err *e)
{
    p->s->result = memfd_create("mxc-result", MFD_CLOEXEC);
    if (p->s->result < 0)
        return err_sys(e, "memfd_create(2)", errno, "cannot make the result");
    p->fd[RESULT] = fcntl(p->s->result, F_DUPFD_CLOEXEC, 3);
    return p->fd[RESULT] < 0
               ? err_sys(e, "fcntl(2)", errno, "cannot make the result")
               : 0;
}

static int open_channels(struct parts *p, const struct mxc_options *o,
                         struct err *e)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "socketpair(2)", errno, "cannot make the channel");
    p->s->control = pair[0];
    p->fd[CONTROL] = pair[1];
    if (o->events) {
        if (pipe2(pair, O_CLOEXEC) < 0)
            return err_sys(e, "pipe2(2)", errno, "cannot make the events");
        p->s->events = pair[0];
        p->fd[EVENTS] = pair[1];
    }
    if (o->detached)
        return 0;
    /* Of the process: the thread that calls may end. */
    p->fd[CALLER] = (int)syscall(__NR_pidfd_open, getpid(), 0);
    return p->fd[CALLER] < 0 ? err_sys(e, "pidfd_open(2)", errno,
                                       "cannot tie the sandbox to the caller")
                             : 0;
}

static int open_plan(struct parts *p, const char *request, size_t len,
                     const struct mxc_options *o, struct err *e)
{
    struct arena a = { 0 };
    struct prepared prepared;
    struct plan_view view;
    struct guard g;
    void *bytes;
    size_t size;
    int r = lib_prepare(&a, request, len, o, false, &prepared, e);

    if (r == 0)
        r = plan_pack(&prepared.plan, &a, &bytes, &size, e);
    if (r == 0)
        r = plan_check(bytes, size, &view, e);
    if (r == 0) {
        guard_begin(&g);
        r = plan_seal(bytes, size, &p->fd[PLAN], e);
        guard_end(&g);
    }
    arena_drop(&a);
    return r;
}

static int start(struct parts *p, const struct mxc_options *o, struct err *e)
{
    char number[ALL - PLAN][12], size[16], path[PATH_MAX];
    const char *argv[ALL - PLAN + 3] = { "mxc-supervise" };
    struct start s = { .path = path,
                       .argv = argv,
                       .fd = p->fd,
                       .nfds = ALL,
                       .own_session = o->stdio != MXC_STDIO_FDS,
                       .is_orphan = o->detached != 0 };
    size_t n = 1;
    bool is_child;

    if (lib_find(o->libexec, argv[0], path, sizeof(path), e) < 0)
        return -1;
    for (int i = PLAN; i < ALL; i++, n++) {
        (void)snprintf(number[i - PLAN], sizeof(number[0]), "%d",
                       p->fd[i] < 0 ? -1 : i);
        argv[n] = number[i - PLAN];
    }
    if (o->stdio == MXC_STDIO_PTY) {
        (void)snprintf(size, sizeof(size), "%ux%u", o->rows, o->columns);
        argv[n] = size;
    }
    return start_program(&s, &p->s->wait_fd, &p->s->pid, &is_child, e);
}

int lib_spawn(const char *request, size_t len, const struct mxc_options *o,
              struct mxc_sandbox **out, struct err *e)
{
    struct parts p = { .s = lib_sandbox_make(&lib_supervised, o) };
    int r;

    if (!p.s)
        return lib_out_of_memory(e);
    for (int i = 0; i < ALL; i++)
        p.fd[i] = -1;
    r = open_plan(&p, request, len, o, e);
    for (int i = 0; r == 0 && i < 3; i++)
        r = lib_open_stream(p.s, i, o, &p.fd[i], &p.is_borrowed[i], e);
    if (r == 0)
        r = open_result(&p, e);
    if (r == 0)
        r = open_channels(&p, o, e);
    if (r == 0)
        r = start(&p, o, e);
    parts_drop(&p);
    if (r < 0)
        lib_sandbox_free(p.s);
    else
        *out = p.s;
    return r;
}

int lib_check_spawn(const struct mxc_options *o, struct err *e)
{
    if (!o->input && o->cancel_fd <= 0 && !o->output_max)
        return lib_check_one_shot(o, e);
    err_set(e, ERR_MALFORMED_REQUEST,
            "options: input, output_max and cancel_fd are for mxc_run");
    return err_hint(e, "write to mxc_sandbox_stdin; call mxc_sandbox_kill");
}

/* A supervisor's terminal has pipes for its other side. */
static int take_pty(struct mxc_options *o, struct err *e)
{
    if (o->stdio == MXC_STDIO_TERMINAL)
        return err_set(e, ERR_MALFORMED_REQUEST,
                       "options: MXC_STDIO_TERMINAL is for mxc_session_exec");
    if (o->stdio == MXC_STDIO_PTY_PIPES)
        o->stdio = MXC_STDIO_PTY;
    return 0;
}

int mxc_spawn(const char *request, size_t len,
              const struct mxc_options *options, struct mxc_sandbox **sandbox,
              struct mxc_error *error)
{
    struct mxc_options o;
    struct err e = { 0 };

    if (lib_options(options, &o, &e) < 0 || lib_check_spawn(&o, &e) < 0 ||
        take_pty(&o, &e) < 0 || lib_spawn(request, len, &o, sandbox, &e) < 0)
        return lib_fail(error, &e);
    return 0;
}

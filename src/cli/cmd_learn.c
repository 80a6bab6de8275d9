/* cmd_learn.c - mxc learn: run a command until it is refused nothing more, and
 * write down what that took. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/report.h"
#include "cli/learning.h"
#include "supervise/supervise.h"

enum { ROUNDS_USUAL = 16 };

void learn_warn(struct learning *x, const char *text)
{
    if (x->nwarnings < ARRAY_LEN(x->warning))
        x->warning[x->nwarnings++] = text;
}

const char *learn_mode_name(enum learn_mode mode)
{
    static const char *const names[] = { "deny", "observe", "permissive" };

    return names[mode];
}

static int check_mode(struct learning *x, struct err *e)
{
    const struct learn_flags *f = &x->c->learn;
    const char *mode = f->mode ? f->mode : "deny";
    bool is_known = false;

    for (int m = 0; m <= LEARN_PERMISSIVE; m++)
        if (strcmp(mode, learn_mode_name((enum learn_mode)m)) == 0) {
            x->mode = (enum learn_mode)m;
            is_known = true;
        }
    if (!is_known) {
        err_set(e, ERR_MALFORMED_REQUEST, "learn: no mode of that name: '%s'",
                mode);
        return err_hint(e, "deny, observe or permissive");
    }
    if (f->reaches && x->mode == LEARN_PERMISSIVE) {
        err_set(e, ERR_MALFORMED_REQUEST,
                "learn: --reach with --mode permissive");
        return err_hint(e,
                        "leave it out: permissive reaches everything public");
    }
    if ((x->mode == LEARN_PERMISSIVE) == f->allows_everything)
        return 0;
    err_set(e, ERR_MALFORMED_REQUEST,
            x->mode == LEARN_PERMISSIVE
                ? "learn: with --mode permissive the command is not held back"
                : "learn: --allow-everything-while-learning without --mode "
                  "permissive");
    return err_hint(e, "--mode permissive --allow-everything-while-learning, "
                       "for a command that you trust");
}

/* The last name of it need not be there: what may be made is granted so too. */
static bool real_path(const char *path, char real[PATH_MAX])
{
    const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
    char above[PATH_MAX];
    size_t n;

    if (realpath(path, real))
        return true;
    if (errno != ENOENT || !last[0] || strcmp(last, "..") == 0 ||
        (size_t)(last - path) >= sizeof(above))
        return false;
    (void)snprintf(above, sizeof(above), "%.*s", (int)(last - path),
                   slash ? path : "");
    if (!realpath(slash ? above : ".", real))
        return false;
    n = strlen(real);
    return snprintf(real + n, PATH_MAX - n, "%s%s", n > 1 ? "/" : "", last) <
           (int)(PATH_MAX - n);
}

/* As they are told apart later: from the root, and without links. */
static int find_secrets(struct learning *x, struct err *e)
{
    struct learn_flags *f = &x->c->learn;
    char real[PATH_MAX];

    for (size_t i = 0; i < f->nsecrets; i++) {
        if (!real_path(f->secret[i], real))
            return err_sys(e, "realpath(3)", errno, "--grant-secret '%s'",
                           f->secret[i]);
        f->secret[i] = arena_strdup(&x->c->arena, real);
        if (!f->secret[i])
            return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    }
    return 0;
}

/* One that would hold back nothing, or two that say two things. */
static int check_words(const struct learning *x, struct err *e)
{
    const struct learn_flags *f = &x->c->learn;
    const bool is_out = f->out && strcmp(f->out, "-") == 0;

    for (size_t i = 0; i < f->nsecrets; i++)
        if (learn_wide(f->secret[i], &x->at)) {
            err_set(e, ERR_MALFORMED_REQUEST,
                    "learn: --grant-secret '%s': it holds too much",
                    f->secret[i]);
            return err_hint(e, "name the file, or its directory");
        }
    if (f->is_forced && is_out)
        return err_set(
            e, ERR_MALFORMED_REQUEST,
            "learn: --force with --out -, where nothing is replaced");
    if (f->rounds && x->mode == LEARN_PERMISSIVE)
        return err_set(e, ERR_MALFORMED_REQUEST,
                       "learn: --rounds with --mode permissive, which is one");
    if (x->target && x->c->json && strcmp(x->target, x->c->json) == 0)
        return err_set(e, ERR_MALFORMED_REQUEST,
                       "learn: the policy and the report in one file: '%s'",
                       x->target);
    return 0;
}

static int check(struct learning *x, struct err *e)
{
    const struct cli *c = x->c;

    if (check_mode(x, e) < 0 || learn_check_out(x, e) < 0)
        return -1;
    if (c->flags.nargs == 0 && !c->policy_file) {
        err_set(e, ERR_MALFORMED_REQUEST, "learn: no command");
        return err_hint(e, "mxc learn -- COMMAND [ARG...]");
    }
    return find_secrets(x, e) < 0 ? -1 : check_words(x, e);
}

/* Where a stream that is a file stands; -1 for what cannot go back. */
static off_t place_of(int fd)
{
    const int flags = fcntl(fd, F_GETFL);
    struct stat st;

    if (flags < 0 || flags & O_APPEND || fstat(fd, &st) < 0 ||
        !S_ISREG(st.st_mode))
        return -1;
    return lseek(fd, 0, SEEK_CUR);
}

static void find_streams(struct learning *x)
{
    struct stat out, err;

    x->input = place_of(STDIN_FILENO);
    x->output = place_of(STDOUT_FILENO);
    /* What we say stays. */
    if (fstat(STDOUT_FILENO, &out) == 0 && fstat(STDERR_FILENO, &err) == 0 &&
        out.st_dev == err.st_dev && out.st_ino == err.st_ino)
        x->output = -1;
    /* Nor is what was there behind it ours to cut. */
    if (x->output >= 0 && out.st_size > x->output)
        x->output = -1;
}

static bool goes_on(struct learning *x)
{
    return x->is_new && x->mode != LEARN_PERMISSIVE && x->round < x->rounds &&
           !learn_must_end(x);
}

/* The words that a person would type now. */
static void tell_use(const struct learning *x)
{
    if (x->target && strcmp(x->target, "-") != 0)
        (void)fprintf(stderr,
                      "mxc: learn: the policy is in '%s': read it, then mxc "
                      "run --policy %s ...\n",
                      x->target, x->target);
    else if (x->c->learn.merge)
        (void)fprintf(stderr, "mxc: learn: nothing was written; --write "
                              "changes the policy\n");
}

/* What it used was in its home, and in the directory that it was started in:
 * it shall find both again. */
static void add_place(struct learning *x)
{
    const char *home = x->at.home, *dir = x->at.workspace;
    struct learn_entry env = { .kind = LEARN_ENV,
                               .message = "it used what is in your home" };
    const struct learn_entry start = {
        .kind = LEARN_CWD,
        .what = dir,
        .message = "it used what is in this directory"
    };
    bool has_home = false, has_dir = false;

    for (size_t i = 0; i < x->l.n; i++) {
        const struct learn_entry *e = &x->l.entry[i];

        if (!learn_is_granted(e) || e->kind > LEARN_WRITE)
            continue;
        has_home = has_home || (home && path_is_within(e->what, home));
        has_dir = has_dir || path_is_within(e->what, dir) ||
                  path_is_within(dir, e->what);
    }
    env.what = has_home && !x->has_home
                   ? arena_printf(x->l.arena, "HOME=%s", home)
                   : NULL;
    if (env.what)
        (void)learn_add(&x->l, &env);
    if (has_dir && learn_is_plain(dir))
        (void)learn_add(&x->l, &start);
}

/* What the last round, which passed, has done without. */
static void drop_minor(struct learning *x)
{
    for (size_t i = 0; i < x->l.n; i++) {
        struct learn_entry *e = &x->l.entry[i];

        if (x->code != 0 || e->round != x->round || !learn_is_granted(e) ||
            !learn_is_minor(e))
            continue;
        e->left_out = "the last round passed without it";
        e->option = learn_option(x, "--ro", e->what);
    }
}

/* The working directory was granted before anybody had asked for it.  Where
 * nothing in it was used, it is left out if the command passes without it, too:
 * it may ask where it is. */
static int drop_place(struct learning *x, struct err *e)
{
    struct learn_entry *place =
        learn_find(&x->l, LEARN_READ, x->at.workspace, LEARN_ANY, 0);
    const size_t n = x->l.n;
    const uint64_t unlisted = x->unlisted, unknown = x->unknown;
    bool has_passed;

    if (!place || place->round != 0 || place->last == x->round ||
        !learn_is_granted(place) || x->code != 0 || x->is_new ||
        x->round >= x->rounds || learn_must_end(x))
        return 0;
    place->left_out = "nothing in it was used";
    place->option = NULL;
    if (learn_round(x, e) < 0)
        return -1;
    has_passed =
        x->code == 0 && !x->is_new && !x->is_interrupted && !x->is_late;
    if (has_passed)
        return 0;
    /* As it was a round ago. */
    place->left_out = NULL;
    x->l.n = n;
    x->unlisted = unlisted;
    x->unknown = unknown;
    x->is_new = false;
    if (!x->is_interrupted && !x->is_late) {
        x->code = 0;
        (void)snprintf(x->outcome, sizeof(x->outcome), "exited");
    }
    return 0;
}

static int run_rounds(struct learning *x, struct err *e)
{
    do {
        if (learn_round(x, e) < 0)
            return -1;
        if (learn_shape(&x->l, &x->at, learn_may_widen, x) < 0)
            return err_set(e, ERR_BACKEND_ERROR, "out of memory");
        if (goes_on(x))
            (void)fprintf(stderr,
                          "mxc: learn: round %u ended with exit code "
                          "%d, and is run again with more\n",
                          x->round, x->code);
    } while (goes_on(x));
    /* It ended between two rounds. */
    if (x->is_new && x->is_interrupted && x->code < 128) {
        x->code = 128 + x->signal;
        (void)snprintf(x->outcome, sizeof(x->outcome), "signaled");
    } else if (x->is_new && x->is_late && !x->is_interrupted) {
        x->code = EXIT_TIMED_OUT;
        (void)snprintf(x->outcome, sizeof(x->outcome), "timed_out");
    }
    if (x->wide)
        return 0;
    drop_minor(x);
    return drop_place(x, e);
}

static void warn_first(struct learning *x)
{
    static const char reach[] =
        "--reach: the command reaches the hosts that it asks for, and can send "
        "them what it was given to read";

    if (x->mode == LEARN_PERMISSIVE)
        (void)fputs("mxc: learn: warning: --mode permissive: the command may "
                    "read and write this directory and your home, but for "
                    "secrets, and connect to everything public\n",
                    stderr);
    if (!x->c->learn.reaches)
        return;
    learn_warn(x, reach);
    (void)fprintf(stderr, "mxc: learn: warning: %s\n", reach);
}

static void tell_error(struct err *e)
{
    struct buf b = { .max = 8192 };

    report_text(&b, e);
    cli_print(stderr, &b);
    buf_drop(&b);
    *e = (struct err){ 0 };
}

/* What there is, also where a later round could not be run. */
static int put_policy(struct learning *x, int fd, struct err *e)
{
    learn_check_again(x);
    if (x->wide)
        add_place(x);
    buf_drop(&x->policy);
    x->policy = (struct buf){ .max = 64 << 20 };
    if (learn_document(&x->c->arena, x->base, strlen(x->base), &x->vars, true,
                       &x->l, &x->policy, e) < 0)
        return -1;
    if (learn_write(x, e) < 0) {
        /* Nothing that was learnt is lost. */
        tell_error(e);
        x->code = CLI_FAILED;
        x->is_unwritten = true;
    }
    if (fd >= 0 && learn_tell_json(x, fd, e) < 0)
        return -1;
    learn_tell(x);
    if (!x->is_unwritten)
        tell_use(x);
    return 0;
}

static int learn(struct learning *x, struct err *e)
{
    int fd;

    x->signals = cli_take_signals(e);
    if (x->signals < 0 || learn_open_target(x, e) < 0 ||
        learn_begin(x, e) < 0 || cli_open_json(x->c, &fd, e) < 0)
        return -1;
    find_streams(x);
    warn_first(x);
    if (run_rounds(x, e) < 0) {
        if (x->round < 2)
            return -1;
        x->has_failed = true;
        x->code = CLI_FAILED;
        tell_error(e);
    }
    return put_policy(x, fd, e) < 0 ? -1 : x->code;
}

int cmd_learn(int argc, char **argv)
{
    struct cli c = { 0 };
    struct learning x = {
        .c = &c, .signals = -1, .dir = -1, .rounds = ROUNDS_USUAL
    };
    struct err e = { 0 };
    int r;

    supervise_ignore_signals();
    r = cli_parse(&c, command_find("learn"), argc, argv);
    if (r < 0) {
        c.arena.limit = (size_t)1 << 30;
        c.flags.search_path = getenv("PATH");
        x.l.arena = &c.arena;
        if (c.learn.rounds)
            x.rounds = (unsigned)c.learn.rounds;
        if (c.flags.has_timeout)
            x.deadline = later_ms(now_ms(), c.flags.timeout_ms);
        if (check(&x, &e) < 0)
            r = cli_fail(&c, &e, CLI_USAGE);
    }
    if (r < 0) {
        r = learn(&x, &e);
        if (r < 0)
            r = cli_fail(&c, &e, CLI_FAILED);
    }
    buf_drop(&x.policy);
    drop_fd(&x.dir);
    cli_free(&c);
    return r;
}

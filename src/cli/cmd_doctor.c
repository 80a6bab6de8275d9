/* cmd_doctor.c - mxc doctor: what this host can enforce.
 *
 * The attempts are in sys/probe.c; here is what they mean for a run, and one
 * real run as the last word. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/limit_holder.h"
#include "base/clock.h"
#include "base/report.h"
#include "cli/cli.h"
#include "sys/cgroup.h"
#include "sys/probe.h"

struct self_test {
    bool worked;
    unsigned long ms;
    char said[600]; /* what the run wrote to stderr */
};

/* A row of the table of backends, by its own word about this host. */
struct judged {
    const struct backend *backend;
    bool is_usable;
    const char *cause;  /* why not, */
    const char *remedy; /* and what would mend it */
};

struct doctor {
    struct probe_result probe[PROBE_MAX];
    size_t n;
    struct judged *backend;
    size_t nbackends;
    struct self_test test;
    struct utsname kernel;
    char around[256];
    char cgroup[128];
    const char *limit[LIMIT_COUNT]; /* by what each is held; NULL: nothing */
};

static const struct {
    const char *title;
    const char *name; /* for programs */
} kinds[] = {
    [PROBE_NEEDED] = { "What every run needs", "needed" },
    [PROBE_WALL] = { "Walls that --accept-missing can do without", "wall" },
    [PROBE_POLICY] = { "What policies need that name paths or a network",
                       "policy" },
    [PROBE_EXTRA] = { "What makes it better where it is there", "extra" },
};

static bool is_whole(const struct doctor *d)
{
    for (size_t i = 0; i < d->n; i++)
        if (probe_is_lack(&d->probe[i]))
            return false;
    return d->test.worked;
}

static void run_self(int err_fd)
{
    static char name[] = "mxc", run[] = "run", dash[] = "--", arg[] = "true";
    char *const argv[] = { name, run, dash, arg, NULL };
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
        dup2(err_fd, 2) < 0)
        _exit(CLI_FAILED);
    (void)execv("/proc/self/exe", argv);
    _exit(CLI_FAILED);
}

static void read_all(int fd, char *out, size_t size)
{
    size_t at = 0;
    ssize_t n;

    while (at < size - 1 && (n = read(fd, out + at, size - 1 - at)) != 0) {
        if (n < 0 && errno != EINTR)
            break;
        at += n > 0 ? (size_t)n : 0;
    }
    out[at] = '\0';
}

/* The whole way, walls and all, of this very program. */
static void test_self(struct self_test *t)
{
    unsigned long start = now_ms();
    int pipes[2], status = -1;
    pid_t pid;

    if (pipe2(pipes, O_CLOEXEC) < 0)
        return;
    pid = fork();
    if (pid == 0)
        run_self(pipes[1]);
    (void)close(pipes[1]);
    if (pid > 0) {
        read_all(pipes[0], t->said, sizeof(t->said));
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
    }
    (void)close(pipes[0]);
    t->ms = now_ms() - start;
    t->worked = pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void print_check(struct buf *b, const struct probe_result *r)
{
    const char *word = r->is_there ? "ok" : probe_is_lack(r) ? "MISSING" : "no";

    buf_printf(b, "  %-8s %s", word, r->probe->what);
    if (r->detail[0] || r->is_untried)
        buf_printf(b, " (%s)", r->is_untried ? r->cause : r->detail);
    buf_putc(b, '\n');
    if (r->is_there || r->is_untried)
        return;
    buf_printf(b,
               "           means: %s\n           cause: ", r->probe->without);
    buf_shown(b, r->cause);
    buf_printf(b, "\n           try:   %s\n", r->remedy);
}

static void print_test(struct buf *b, const struct self_test *t)
{
    buf_puts(b, "\nSelf-test\n");
    if (t->worked) {
        buf_printf(b, "  ok       `mxc run -- true` took %lu ms\n", t->ms);
        return;
    }
    buf_puts(b, "  FAILED   `mxc run -- true` said:\n");
    for (const char *at = t->said; *at;) {
        size_t n = strcspn(at, "\n");
        char line[600];

        (void)snprintf(line, sizeof(line), "%.*s", (int)n, at);
        buf_puts(b, "           ");
        buf_shown(b, line);
        buf_putc(b, '\n');
        at += n + (at[n] == '\n');
    }
}

static void print_backends(struct buf *b, const struct doctor *d)
{
    buf_puts(b, "\nBackends\n");
    for (size_t i = 0; i < d->nbackends; i++) {
        const struct judged *j = &d->backend[i];

        buf_printf(b, "  %-8s %s, tier '%s'\n           %s\n",
                   j->is_usable ? "ok" : "no", j->backend->name,
                   tier_name(j->backend->tier), j->backend->summary);
        if (j->is_usable)
            continue;
        buf_puts(b, "           cause: ");
        buf_shown(b, j->cause);
        buf_printf(b, "\n           try:   %s\n", j->remedy);
    }
}

static void print_verdict(struct buf *b, const struct doctor *d)
{
    bool accepted = false;

    if (is_whole(d)) {
        buf_puts(b, "\nA default run has all its walls on this host.\n");
        return;
    }
    buf_puts(b, "\nA default run is refused on this host.");
    for (size_t i = 0; i < d->n; i++) {
        const struct probe_result *r = &d->probe[i];

        if (probe_is_lack(r) && r->probe->kind == PROBE_NEEDED) {
            buf_printf(b, "\nNothing can do without: %s.\n", r->probe->what);
            return;
        }
    }
    for (size_t i = 0; i < d->n; i++) {
        const struct probe_result *r = &d->probe[i];

        if (!probe_is_lack(r) || r->probe->kind != PROBE_WALL)
            continue;
        buf_printf(b, "%s --accept-missing %s",
                   accepted ? ""
                            : "\nTo run "
                              "without the wall, at your own word: mxc run",
                   r->probe->name);
        accepted = true;
    }
    buf_putc(b, '\n');
}

static void print_limits(struct buf *b, const struct doctor *d)
{
    buf_puts(b, "\nLimits\n");
    for (int i = 0; i < LIMIT_COUNT; i++)
        buf_printf(b, "  %-8s %s: %s\n", d->limit[i] ? "ok" : "no",
                   limit_rows[i].name,
                   d->limit[i] ? d->limit[i] : "refused, docs/limits.md");
}

static void print_text(struct buf *b, const struct doctor *d)
{
    buf_printf(b, "mxc %s, %s %s %s, user %u%s\n", MXC_VERSION,
               d->kernel.sysname, d->kernel.release, d->kernel.machine,
               (unsigned)geteuid(), geteuid() == 0 ? " (root)" : "");
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        buf_printf(b, "\n%s\n", kinds[k].title);
        for (size_t i = 0; i < d->n; i++)
            if (d->probe[i].probe->kind == k)
                print_check(b, &d->probe[i]);
    }
    buf_puts(b, "\nFor information\n  around   ");
    buf_shown(b, d->around[0] ? d->around : "nothing that confines mxc");
    buf_printf(b, "\n  cgroups  %s\n", d->cgroup);
    print_limits(b, d);
    print_test(b, &d->test);
    print_backends(b, d);
    print_verdict(b, d);
}

static void json_member(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, ",\"%s\":", name);
    buf_json(b, value);
}

static void json_check(struct buf *b, const struct probe_result *r)
{
    buf_puts(b, "{\"name\":");
    buf_json(b, r->probe->name);
    json_member(b, "what", r->probe->what);
    json_member(b, "kind", kinds[r->probe->kind].name);
    json_member(b, "state", r->is_there ? "ok" : "missing");
    json_member(b, "detail", r->detail);
    if (!r->is_there) {
        json_member(b, "without", r->probe->without);
        json_member(b, "cause", r->cause);
        json_member(b, "remedy", r->remedy);
    }
    if (r->probe->kind == PROBE_WALL)
        json_member(b, "acceptMissing", r->probe->name);
    buf_putc(b, '}');
}

static void json_backend(struct buf *b, const struct judged *j)
{
    bool is_first = true;

    buf_puts(b, "{\"name\":");
    buf_json(b, j->backend->name);
    json_member(b, "tier", tier_name(j->backend->tier));
    json_member(b, "summary", j->backend->summary);
    json_member(b, "state", j->is_usable ? "ok" : "missing");
    buf_puts(b, ",\"enforces\":[");
    for (unsigned bit = 1; bit && feature_name((enum feature)bit); bit <<= 1) {
        if (!(j->backend->features & bit))
            continue;
        buf_puts(b, is_first ? "" : ",");
        buf_json(b, feature_name((enum feature)bit));
        is_first = false;
    }
    buf_putc(b, ']');
    if (!j->is_usable) {
        json_member(b, "cause", j->cause);
        json_member(b, "remedy", j->remedy);
    }
    buf_putc(b, '}');
}

static void print_json(struct buf *b, const struct doctor *d)
{
    buf_printf(b, "{\"ready\":%s", is_whole(d) ? "true" : "false");
    json_member(b, "version", MXC_VERSION);
    json_member(b, "kernel", d->kernel.release);
    json_member(b, "machine", d->kernel.machine);
    buf_printf(b, ",\"uid\":%u", (unsigned)geteuid());
    json_member(b, "around", d->around);
    json_member(b, "cgroups", d->cgroup);
    buf_puts(b, ",\"checks\":[");
    for (size_t i = 0; i < d->n; i++) {
        buf_puts(b, i ? "," : "");
        json_check(b, &d->probe[i]);
    }
    buf_puts(b, "],\"backends\":[");
    for (size_t i = 0; i < d->nbackends; i++) {
        buf_puts(b, i ? "," : "");
        json_backend(b, &d->backend[i]);
    }
    buf_puts(b, "],\"limits\":[");
    for (int i = 0; i < LIMIT_COUNT; i++) {
        buf_puts(b, i ? ",{\"limit\":" : "{\"limit\":");
        buf_json(b, limit_rows[i].name);
        json_member(b, "state", d->limit[i] ? "ok" : "missing");
        if (d->limit[i])
            json_member(b, "by", d->limit[i]);
        buf_putc(b, '}');
    }
    buf_printf(b, "],\"selfTest\":{\"worked\":%s,\"durationMs\":%lu",
               d->test.worked ? "true" : "false", d->test.ms);
    json_member(b, "said", d->test.said);
    buf_puts(b, "}}\n");
}

/* What its probe does not know, and the checks of this command do: whether
 * the kernel really lets the caller. */
static void doubt_native(const struct doctor *d, struct judged *j)
{
    if (is_whole(d))
        return;
    j->is_usable = false;
    j->cause = d->test.said[0] ? d->test.said : "the self-test failed";
    j->remedy = "see the self-test";
    for (size_t i = 0; i < d->n; i++)
        if (probe_is_lack(&d->probe[i])) {
            j->cause = d->probe[i].cause;
            j->remedy = d->probe[i].remedy;
            return;
        }
}

static int judge(const struct backend *backend, const struct host *h,
                 struct arena *a, struct judged *out, struct err *e)
{
    struct policy p;
    struct err why = { 0 };

    policy_default(&p);
    *out = (struct judged){ .backend = backend, .is_usable = true };
    if (backend->probe(h, &p, &why) == 0)
        return 0;
    out->is_usable = false;
    out->cause = arena_strdup(a, why.msg);
    out->remedy = arena_strdup(a, why.hint);
    return out->cause && out->remedy
               ? 0
               : err_set(e, ERR_BACKEND_ERROR, "out of memory");
}

static int judge_backends(struct doctor *d, struct arena *a, struct err *e)
{
    struct host h;

    while (backends[d->nbackends])
        d->nbackends++;
    d->backend = arena_array(a, d->nbackends, sizeof(*d->backend));
    if (!d->backend)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    if (host_look(a, &h, e) < 0 || limits_look(a, CGROUP_LIMITS, &h, e) < 0)
        return -1;
    for (int i = 0; i < LIMIT_COUNT; i++)
        d->limit[i] = limit_held_by(&h, (enum limit)i);
    for (size_t i = 0; i < d->nbackends; i++) {
        struct judged *j = &d->backend[i];

        if (judge(backends[i], &h, a, j, e) < 0)
            return -1;
        if (backends[i] == &backend_native && j->is_usable)
            doubt_native(d, j);
    }
    return 0;
}

static int look(struct doctor *d, struct arena *a, struct err *e)
{
    if (uname(&d->kernel) < 0)
        return err_sys(e, "uname(2)", errno, "cannot ask for the kernel");
    d->n = probe_host(d->probe);
    probe_surroundings(d->around, sizeof(d->around));
    probe_cgroup(d->cgroup, sizeof(d->cgroup));
    test_self(&d->test);
    return judge_backends(d, a, e);
}

static int examine(struct cli *c, struct err *e)
{
    struct buf text = { .max = 1 << 20 }, json = { .max = 1 << 20 };
    struct doctor *d = arena_alloc(&c->arena, sizeof(*d));
    int fd, r;

    if (!d)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    if (cli_open_json(c, &fd, e) < 0 || look(d, &c->arena, e) < 0)
        return -1;
    print_text(&text, d);
    /* A program that reads the object there reads nothing else. */
    if (fd != STDOUT_FILENO)
        cli_print(stdout, &text);
    print_json(&json, d);
    r = is_whole(d) ? CLI_OK : CLI_REFUSED;
    if (fd >= 0 && report_write(fd, &json, e) < 0)
        r = -1;
    buf_drop(&text);
    buf_drop(&json);
    return r;
}

int cmd_doctor(int argc, char **argv)
{
    struct cli c = { 0 };
    struct err e = { 0 };
    int r = cli_parse(&c, command_find("doctor"), argc, argv);

    if (r < 0) {
        r = examine(&c, &e);
        if (r < 0)
            r = cli_fail(&c, &e, CLI_FAILED);
    }
    cli_free(&c);
    return r;
}

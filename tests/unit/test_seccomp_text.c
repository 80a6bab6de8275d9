/* test_seccomp_text.c - the filter as text for people: golden lists of every
 * verdict, which review reads, and docs/seccomp.md.  What stands in them is
 * asked from the program that is loaded, not from the table.
 *
 * MXC_BLESS=1 writes the files instead of comparing them. */
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "bpf_run.h"
#include "t.h"

#ifndef SOURCE_ROOT
#error "SOURCE_ROOT names the directory of the source tree"
#endif

static const char *const arch_names[] = { "x86-64", "aarch64" };
static const uint32_t arches[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64 };

struct filter {
    struct sock_filter insn[SECCOMP_FILTER_MAX];
    size_t n;
    struct seccomp_table table;
};

static void build(struct filter *f, int arch, unsigned options)
{
    struct seccomp_options o = { options & WHEN_CREATES, options & WHEN_UNIX,
                                 options & WHEN_PING, options & WHEN_SENTRY };
    struct err e = { 0 };

    f->table = (struct seccomp_table){ syscall_rows, syscall_nrows,
                                       (enum syscall_arch)arch };
    CHECK_INT(seccomp_filter_compile(&f->table, &o, f->insn, &f->n, &e), 0);
}

static const char *verdict_name(uint32_t verdict)
{
    switch (verdict & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
        return "allow";
    case SECCOMP_RET_USER_NOTIF:
        return "broker";
    case SECCOMP_RET_KILL_PROCESS:
        return "kill";
    default:
        if ((verdict & SECCOMP_RET_DATA) == 0)
            return "nothing done, success";
        return err_errno_name(verdict & SECCOMP_RET_DATA);
    }
}

static uint32_t ask(const struct filter *f, int nr, const uint64_t *args)
{
    struct seccomp_data d = { .nr = nr, .arch = arches[f->table.arch] };

    if (args)
        memcpy(d.args, args, sizeof(d.args));
    return bpf_run(f->insn, &d, NULL);
}

/* Arguments that no rule of the row is about, unless one is about all. */
static const uint64_t *rest_of(const struct syscall_row *row)
{
    static const uint64_t rest[6] = { 0x7fffff0f, 0x7fff0007, 0x7ffff000 };
    static const uint64_t none[6];

    return row->rules && row->verdict == SC_ALLOW ? none : rest;
}

/* Arguments that this rule is about, and no narrower one. */
static void satisfy(const struct syscall_row *row, const struct syscall_rule *r,
                    uint64_t args[6])
{
    memcpy(args, rest_of(row), 6 * sizeof(*args));
    for (int i = 0; i < SC_CONDS; i++) {
        const struct syscall_cond *c = &r->cond[i];

        args[c->arg] = (args[c->arg] & ~c->mask) | c->value;
    }
}

/* --- golden lists --- */

static void add_rules(struct buf *b, const struct filter *plain,
                      const struct filter *brokered,
                      const struct filter *pinging,
                      const struct filter *guarded,
                      const struct syscall_row *row)
{
    int nr = row->nr[plain->table.arch];
    uint64_t args[6];

    for (const struct syscall_rule *r = row->rules; r && r->what; r++) {
        uint32_t before, after, ping, sentry;

        satisfy(row, r, args);
        before = ask(plain, nr, args);
        after = ask(brokered, nr, args);
        ping = ask(pinging, nr, args);
        sentry = ask(guarded, nr, args);
        buf_printf(b, "      %-16s ", verdict_name(before));
        if (after != before)
            buf_printf(b, "with broker: %-16s ", verdict_name(after));
        if (ping != before)
            buf_printf(b, "with ping: %-16s ", verdict_name(ping));
        if (sentry != before)
            buf_printf(b, "for gVisor: %-16s ", verdict_name(sentry));
        buf_printf(b, "%s\n", r->what);
    }
}

static void golden_list(struct buf *b, int arch)
{
    static struct filter plain, brokered, pinging, guarded;

    build(&plain, arch, 0);
    build(&brokered, arch, WHEN_CREATES | WHEN_UNIX);
    build(&pinging, arch, WHEN_PING);
    build(&guarded, arch, WHEN_SENTRY);
    buf_printf(b,
               "# %s: number, name, verdict; below it the verdicts by "
               "argument\n",
               arch_names[arch]);
    for (int nr = 0; nr <= 600; nr++) {
        const struct syscall_row *row = table_row(&plain.table, nr);

        buf_printf(b, "%3d %-24s %s%s\n", nr, row ? row->name : "-",
                   verdict_name(ask(&plain, nr, row ? rest_of(row) : NULL)),
                   row && row->rules ? ", but:" : "");
        if (row)
            add_rules(b, &plain, &brokered, &pinging, &guarded, row);
    }
}

/* --- the page --- */

static int by_name(const void *a, const void *b)
{
    const struct syscall_row *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static void add_word(struct buf *b, size_t *column, const char *word)
{
    if (*column + strlen(word) + 1 > 78) {
        buf_putc(b, '\n');
        *column = 0;
    }
    if (*column > 0)
        buf_putc(b, ' ');
    buf_puts(b, word);
    *column += strlen(word) + 1;
}

static void add_allowed(struct buf *b)
{
    const struct syscall_row *rows[512];
    size_t n = 0, column = 0;

    for (size_t i = 0; i < syscall_nrows; i++) {
        if (syscall_rows[i].verdict == SC_ALLOW && !syscall_rows[i].rules)
            rows[n++] = &syscall_rows[i];
    }
    qsort(rows, n, sizeof(const struct syscall_row *), by_name);
    for (size_t i = 0; i < n; i++)
        add_word(b, &column, rows[i]->name);
    buf_putc(b, '\n');
}

/* Rows of one reason stand together in the table. */
static void add_refused(struct buf *b)
{
    buf_puts(b, "| calls | answer | reason |\n|---|---|---|\n");
    for (size_t i = 0; i < syscall_nrows; i++) {
        const struct syscall_row *r = &syscall_rows[i];
        bool first = i == 0 || r[-1].why != r->why;
        bool last = i + 1 == syscall_nrows || r[1].why != r->why;

        if (r->verdict == SC_ALLOW || r->rules)
            continue;
        buf_printf(b, "%s%s", first ? "| " : ", ", r->name);
        if (last)
            buf_printf(b, " | %s | %s |\n", verdict_name(r->verdict), r->why);
    }
}

static const char *when_name(unsigned when)
{
    switch (when) {
    case WHEN_CREATES:
        return " (creation broker)";
    case WHEN_UNIX:
        return " (socket broker)";
    case WHEN_CREATES | WHEN_UNIX:
        return " (either broker)";
    case WHEN_PING:
        return " (if the policy allows ICMP)";
    case WHEN_SENTRY:
        return " (for gVisor, not for a workload)";
    default:
        return "";
    }
}

static bool same_rule(const struct syscall_rule *a,
                      const struct syscall_rule *b)
{
    return a->what && a->when == b->when && a->verdict == b->verdict;
}

/* Rows with the same rules stand together in the table. */
static bool same_rules(const struct syscall_row *a, const struct syscall_row *b)
{
    return a->rules == b->rules && a->verdict == b->verdict;
}

static void add_names(struct buf *b, const struct syscall_row *row)
{
    while (row > syscall_rows && same_rules(row - 1, row))
        row--;
    buf_printf(b, "| %s", row->name);
    while (same_rules(row, row + 1))
        buf_printf(b, ", %s", (++row)->name);
}

static void add_decisions(struct buf *b, const struct syscall_row *row)
{
    const char *why = row->why;

    add_names(b, row);
    for (const struct syscall_rule *r = row->rules; r->what; r++) {
        bool first = r == row->rules;

        if (first || !same_rule(r - 1, r))
            buf_puts(b, first ? " | " : "| | ");
        buf_puts(b, r->what);
        if (same_rule(r + 1, r)) {
            buf_puts(b, "; ");
            continue;
        }
        buf_printf(b, " | %s%s | %s |\n", verdict_name(r->verdict),
                   when_name(r->when), why);
        why = "";
    }
    buf_printf(b, "| | *everything else* | %s | |\n",
               verdict_name(row->verdict));
}

static void add_decided(struct buf *b)
{
    buf_puts(b, "| call | arguments | answer | why |\n|---|---|---|---|\n");
    for (size_t i = 0; i < syscall_nrows; i++) {
        const struct syscall_row *row = &syscall_rows[i];

        if (row->rules && (i + 1 == syscall_nrows || !same_rules(row, row + 1)))
            add_decisions(b, row);
    }
}

static void page(struct buf *b)
{
    /* clang-format off */
    buf_puts(b,
"# The system-call filter\n"
"\n"
"This page is written by `test_seccomp_text` from the table in\n"
"`src/sys/syscall_table.c` and `src/sys/syscall_rules.c`; the test fails\n"
"when they differ.  `MXC_BLESS=1` makes it write the page anew.\n"
"\n"
"The workload runs under a seccomp filter that cannot be taken off\n"
"(`seccomp(2)`).  It is a list of what is allowed:\n"
"\n"
"- A call that is not on the list does not exist: ENOSYS, as on an older\n"
"  kernel, so that libc and programs fall back.  So is every call that a\n"
"  newer kernel adds.\n"
"- A call that is refused on purpose gets EPERM, or the errno that makes\n"
"  programs do the sensible thing.\n"
"- Calls by another architecture's door (`int 0x80` and x32 on x86-64,\n"
"  32-bit programs on aarch64) kill the process.\n"
"- Arguments are compared as wide as the kernel takes them: what an attacker\n"
"  adds in the upper half of a register changes nothing (CVE-2019-10063).\n"
"\n"
"*Brokers* are there when the policy needs them: the creation broker when a\n"
"denied path does not exist yet, the socket broker when unix sockets are\n"
"granted one by one.  Then the calls marked so are stopped, and a process\n"
"outside the filter decides and carries them out.\n"
"\n"
"With the backend `gvisor` the workload's calls do not come here: its own\n"
"kernel answers them, and this filter is around that kernel.\n"
"\n"
"Debuggers, tracers and LeakSanitizer use `ptrace` and do not work;\n"
"AddressSanitizer does, with `ASAN_OPTIONS=detect_leaks=0`.\n"
"\n"
"## Decided by argument\n\n");
    /* clang-format on */
    add_decided(b);
    buf_puts(b, "\n## Refused\n\n");
    add_refused(b);
    buf_puts(b, "\n## Allowed\n\n");
    add_allowed(b);
}

/* --- compare --- */

static void write_file(const char *path, const struct buf *b)
{
    FILE *f = fopen(path, "we");

    CHECK(f != NULL);
    CHECK_INT(fwrite(b->data, 1, b->len, f), b->len);
    CHECK_INT(fclose(f), 0);
}

static void show_difference(const char *path, const char *want, const char *got)
{
    size_t line = 1, from = 0;

    for (size_t i = 0; want[i] == got[i]; i++) {
        if (want[i] == '\n') {
            line++;
            from = i + 1;
        }
    }
    printf("# in the file: %.*s\n", (int)strcspn(want + from, "\n"),
           want + from);
    printf("# the filter:  %.*s\n", (int)strcspn(got + from, "\n"), got + from);
    T_FAIL("%s differs from line %zu; MXC_BLESS=1 writes it", path, line);
}

static void compare(const char *name, struct buf *b)
{
    const char *top = getenv("MXC_SOURCE");
    char path[4096], *text = NULL;
    size_t len = 0;
    FILE *f;

    CHECK(!b->failed);
    /* An ordinary user's copy is elsewhere: tools/run-tests. */
    if (!top)
        top = SOURCE_ROOT;
    snprintf(path, sizeof(path), "%s/%s", top, name);
    if (getenv("MXC_BLESS")) {
        write_file(path, b);
    } else {
        f = fopen(path, "re");
        CHECK(f != NULL);
        CHECK(getdelim(&text, &len, '\0', f) > 0);
        fclose(f);
        if (strcmp(text, b->data) != 0)
            show_difference(name, text, b->data);
    }
    free(text);
    buf_drop(b);
}

TEST(golden_lists_hold)
{
    struct buf x86 = { .max = 1 << 20 }, arm = { .max = 1 << 20 };

    golden_list(&x86, ARCH_X86_64);
    compare("tests/unit/golden/seccomp-x86_64.txt", &x86);
    golden_list(&arm, ARCH_AARCH64);
    compare("tests/unit/golden/seccomp-aarch64.txt", &arm);
}

TEST(page_is_true)
{
    struct buf b = { .max = 1 << 20 };

    page(&b);
    compare("docs/seccomp.md", &b);
}

T_MAIN()

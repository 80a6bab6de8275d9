/* plan_box.h - a plan with one step of each kind, and what is said to it. */
#ifndef MXC_TESTS_PLAN_BOX_H
#define MXC_TESTS_PLAN_BOX_H

#include "plan/pack.h"
#include "plan/plan.h"
#include "t.h"

static const char filter[16];

static void add(struct plan *p, struct arena *a, struct step s)
{
    struct err e;

    CHECK_INT(plan_add(p, a, s, &e), 0);
}

/* One step of each kind, roughly as a backend would. */
static void make_plan(struct plan *p, struct arena *a)
{
    *p = (struct plan){ .landlock_abi = 7,
                        .uid = 1000,
                        .gid = 1001,
                        .timeout_ms = 5000,
                        .receipt = "[]",
                        .flags =
                            PLAN_BROKER_CREATES | PLAN_TTY | PLAN_NET_EGRESS };
    add(p, a, (struct step){ STEP_ROOT, 0, { 4096, 16 }, NULL, NULL, 0 });
    add(p, a, (struct step){ STEP_DIR, 0, { 01777 }, "/tmp", NULL, 0 });
    add(p, a, (struct step){ STEP_FILE, 0, { 0444 }, "/etc/hosts", "x\n", 0 });
    add(p, a, (struct step){ STEP_SYMLINK, 0, { 0 }, "/bin", "usr/bin", 0 });
    add(p, a,
        (struct step){ STEP_BIND,
                       STEP_READONLY | STEP_IS_DIR,
                       { 0x801, 7 },
                       "/w",
                       "/host/w",
                       0 });
    add(p, a,
        (struct step){
            STEP_DEVICE, STEP_OPTIONAL, { 0 }, "/dev/null", "/dev/null", 0 });
    add(p, a, (struct step){ STEP_DEVPTS, 0, { 0 }, "/dev/pts", NULL, 0 });
    add(p, a, (struct step){ STEP_PROC, 0, { 0 }, "/proc", NULL, 0 });
    add(p, a, (struct step){ STEP_MASK, STEP_IS_DIR, { 0 }, "/w/m", NULL, 0 });
    add(p, a, (struct step){ STEP_HOLLOW, STEP_CREATE, { 0 }, "/h", NULL, 0 });
    add(p, a, (struct step){ STEP_PIN, 0, { 0 }, "/w/p", NULL, 0 });
    add(p, a, (struct step){ STEP_LANDLOCK, 0, { 0xff }, "/", NULL, 0 });
    add(p, a, (struct step){ STEP_HOSTNAME, 0, { 0 }, NULL, "box", 0 });
    add(p, a, (struct step){ STEP_SYSCTL, 0, { 0 }, "/proc/sys/a", "1", 0 });
    add(p, a, (struct step){ STEP_RLIMIT, STEP_SOFT, { 3, 9 }, NULL, NULL, 0 });
    add(p, a, (struct step){ STEP_ABSENT, 0, { 0 }, "/w", ".git/hooks", 0 });
    add(p, a, (struct step){ STEP_WATCH, 0, { 0x801, 9 }, "/host/w", "m", 0 });
    add(p, a,
        (struct step){ STEP_FILTER, 0, { 0 }, NULL, filter, sizeof(filter) });
    add(p, a, (struct step){ STEP_CWD, 0, { 0 }, "/w", NULL, 0 });
    add(p, a, (struct step){ STEP_ENV, 0, { 0 }, NULL, "A=\x1b[1m", 0 });
    add(p, a, (struct step){ STEP_ARG, 0, { 0 }, NULL, "true", 0 });
    add(p, a, (struct step){ STEP_RULES, 0, { 0 }, NULL, "\0rules", 6 });
    add(p, a, (struct step){ STEP_LISTEN, 0, { 5432 }, NULL, NULL, 0 });
    add(p, a,
        (struct step){ STEP_RUNTIME, 0, { 0 }, "/usr/bin/bwrap", NULL, 0 });
    add(p, a,
        (struct step){
            STEP_RUNTIME_ARG, STEP_BY_FD, { 0 }, NULL, "--proc", 0 });
    add(p, a, (struct step){ STEP_IMAGE, 0, { 0x801, 7 }, "/var/i", NULL, 0 });
    add(p, a,
        (struct step){ STEP_KEPT, STEP_LAST, { 0x801, 8 }, "/c/k", "{}", 0 });
    add(p, a, (struct step){ STEP_RECORD, 0, { 0 }, NULL, "{\n}", 0 });
    add(p, a,
        (struct step){ STEP_LIMIT, STEP_BY_GROUP, { 1, 9 }, NULL, NULL, 0 });
    add(p, a, (struct step){ STEP_SHOWN, 0, { 0 }, "/usr/x", NULL, 0 });
    add(p, a, (struct step){ STEP_NAMED, 0, { 0 }, "/w/m", "/h/l", 0 });
}

static const char printed[] = "root bytes=4096 inodes=16\n"
                              "dir /tmp mode=1777\n"
                              "file /etc/hosts (2 bytes) mode=0444\n"
                              "symlink /bin usr/bin\n"
                              "bind /w <- /host/w object=801:7 ro dir\n"
                              "device /dev/null <- /dev/null optional\n"
                              "devpts /dev/pts\n"
                              "proc /proc\n"
                              "mask /w/m dir\n"
                              "hollow /h create\n"
                              "pin /w/p\n"
                              "landlock / rights=0xff\n"
                              "hostname box\n"
                              "sysctl /proc/sys/a 1\n"
                              "rlimit resource=3 value=9 soft\n"
                              "absent /w .git/hooks\n"
                              "watch /host/w m object=801:9\n"
                              "filter (16 bytes)\n"
                              "cwd /w\n"
                              "env A=\\x1b[1m\n"
                              "arg true\n"
                              "rules (6 bytes) egress\n"
                              "listen port=5432\n"
                              "runtime /usr/bin/bwrap\n"
                              "runtime-arg --proc by-fd\n"
                              "image /var/i object=801:7\n"
                              "kept /c/k {} object=801:8 last\n"
                              "record {\\n}\n"
                              "limit swapBytes 9 bytes group\n"
                              "shown /usr/x\n"
                              "named /w/m <- /h/l\n"
                              "capture /h/record\n";

static struct plan_view pack(struct plan *p, struct arena *a)
{
    struct plan_view v;
    struct err e = { 0 };
    void *bytes;
    size_t len;

    if (plan_pack(p, a, &bytes, &len, &e) < 0 ||
        plan_check(bytes, len, &v, &e) < 0)
        T_FAIL("%s", e.msg);
    CHECK_INT(v.len, len);
    return v;
}

/* What is said to it when it is checked: "" is yes. */
__attribute__((unused)) static const char *verdict(const struct plan *p,
                                                   struct arena *a)
{
    static struct err e;
    struct plan_view v;
    void *bytes;
    size_t len;

    e = (struct err){ 0 };
    CHECK_INT(plan_pack(p, a, &bytes, &len, &e), 0);
    CHECK_INT(plan_check(bytes, len, &v, &e), e.msg[0] ? -1 : 0);
    return e.msg;
}

#endif

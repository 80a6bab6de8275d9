/* t.h - unit tests: one process and one alarm per test, TAP on stdout.
 *
 * A test file defines TEST(name) { ... } functions and ends with T_MAIN().
 * A failed CHECK ends its test; SKIP("what is missing") must name the thing.
 * Code under test may change the namespaces, limits and filters of its own
 * process, hence the fork. */
#ifndef MXC_TESTS_T_H
#define MXC_TESTS_T_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct t_case {
    const char *name;
    void (*run)(void);
    struct t_case *next;
};

static struct t_case *t_first, **t_last = &t_first;
static const char *t_note = "";

enum { T_SKIP = 77, T_SECONDS = 240 };

#define TEST(id)                                                               \
    static void id(void);                                                      \
    static struct t_case t_case_##id = { #id, id, NULL };                      \
    __attribute__((constructor)) static void t_add_##id(void)                  \
    {                                                                          \
        *t_last = &t_case_##id;                                                \
        t_last = &t_case_##id.next;                                            \
    }                                                                          \
    static void id(void)

/* Which row of a table is running; printed when a check fails. */
#define NOTE(text) (t_note = (text))

#define T_FAIL(...)                                                            \
    do {                                                                       \
        printf("# %s:%d: [%s] ", __FILE__, __LINE__, t_note);                  \
        printf(__VA_ARGS__);                                                   \
        printf("\n");                                                          \
        fflush(stdout);                                                        \
        _exit(1);                                                              \
    } while (0)

#define SKIP(why)                                                              \
    do {                                                                       \
        printf("# skip: %s\n", why);                                           \
        fflush(stdout);                                                        \
        _exit(T_SKIP);                                                         \
    } while (0)

#define CHECK(cond)                                                            \
    do {                                                                       \
        if (!(cond))                                                           \
            T_FAIL("not true: %s", #cond);                                     \
    } while (0)

#define CHECK_INT(got, want)                                                   \
    do {                                                                       \
        intmax_t t_g = (intmax_t)(got), t_w = (intmax_t)(want);                \
        if (t_g != t_w)                                                        \
            T_FAIL("%s: got %" PRIdMAX ", want %" PRIdMAX, #got, t_g, t_w);    \
    } while (0)

#define CHECK_STR(got, want)                                                   \
    do {                                                                       \
        const char *t_g = (got), *t_w = (want);                                \
        if (!t_g || strcmp(t_g, t_w) != 0)                                     \
            T_FAIL("%s: got \"%s\", want \"%s\"", #got, t_g ? t_g : "(null)",  \
                   t_w);                                                       \
    } while (0)

/* The text must contain the piece. */
#define CHECK_HAS(got, piece)                                                  \
    do {                                                                       \
        const char *t_g = (got), *t_w = (piece);                               \
        if (!t_g || !strstr(t_g, t_w))                                         \
            T_FAIL("%s: got \"%s\", want it to contain \"%s\"", #got,          \
                   t_g ? t_g : "(null)", t_w);                                 \
    } while (0)

static inline int t_run_one(const struct t_case *c, int number)
{
    int status = 0;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        alarm(T_SECONDS);
        c->run();
        fflush(stdout);
        exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        printf("not ok %d - %s # cannot fork\n", number, c->name);
        return 1;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        printf("ok %d - %s\n", number, c->name);
        return 0;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == T_SKIP) {
        printf("ok %d - %s # SKIP see above\n", number, c->name);
        return 0;
    }
    if (WIFSIGNALED(status))
        printf("# killed by signal %d\n", WTERMSIG(status));
    printf("not ok %d - %s\n", number, c->name);
    return 1;
}

static inline int t_main(void)
{
    int n = 0, failed = 0;

    for (struct t_case *c = t_first; c; c = c->next)
        n++;
    printf("TAP version 13\n1..%d\n", n);
    n = 0;
    for (struct t_case *c = t_first; c; c = c->next)
        failed += t_run_one(c, ++n);
    return failed ? 1 : 0;
}

#define T_MAIN()                                                               \
    int main(void)                                                             \
    {                                                                          \
        return t_main();                                                       \
    }

#endif

/* test_broker_race.c - what is named changes while the broker decides.
 *
 * Each race has a thread that changes things while another makes names; the
 * denied path must never be there, and both outcomes must have occurred, or
 * nothing was raced. */
#include "broker_box.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/* Where each round waits for its turn on the processor, that many take a
 * minute: SECONDS end a race, too. */
enum { ROUNDS = 20000, SECONDS = 5 };

static atomic_bool race_over;
static time_t race_began;

static bool goes_on(int i, int rounds)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    if (i == 0)
        race_began = now.tv_sec;
    return i < rounds && now.tv_sec - race_began < SECONDS;
}

/* Four letters and the NUL that follows; volatile, so that each is stored. */
static union {
    char text[8];
    volatile uint32_t word;
} race_name, fine = { "fine" }, deny = { "deny" };
static atomic_long race_seen;

static void *flip_memory(void *arg)
{
    (void)arg;
    while (!atomic_load(&race_over)) {
        race_name.word = fine.word;
        race_name.word = deny.word;
    }
    return NULL;
}

static void race_memory(void)
{
    pthread_t t;
    long made = 0, refused = 0;

    race_name.word = deny.word;
    CHECK_INT(pthread_create(&t, NULL, flip_memory, NULL), 0);
    for (int i = 0; goes_on(i, ROUNDS) || !made || !refused; i++) {
        int r = ERRNO(syscall(SYS_mkdir, race_name.text, 0700));

        if (r == -EACCES)
            refused++;
        else if (r == 0)
            made++;
        if (exists("deny"))
            T_FAIL("the denied path was made");
        (void)rmdir("fine");
    }
    atomic_store(&race_over, true);
    CHECK_INT(pthread_join(t, NULL), 0);
}

TEST(race_on_the_path_in_memory)
{
    box_begin();
    CHECK_INT(run_with("deny", race_memory), 0);
    CHECK(!exists("deny"));
    box_end();
}

static void *flip_link(void *arg)
{
    (void)arg;
    while (!atomic_load(&race_over))
        (void)exchange("to", "from");
    return NULL;
}

static void race_link(void)
{
    pthread_t t;
    long made = 0, refused = 0;

    CHECK_INT(mkdir("sub", 0700), 0);
    CHECK_INT(symlink("sub", "to"), 0);
    CHECK_INT(symlink(".", "from"), 0);
    CHECK_INT(pthread_create(&t, NULL, flip_link, NULL), 0);
    for (int i = 0; goes_on(i, ROUNDS) || !made || !refused; i++) {
        int r = i % 2 ? m_open("to/deny") : m_bind("to/deny");

        if (r == 0)
            made++;
        else if (r == -EACCES)
            refused++;
        if (exists("deny"))
            T_FAIL("the denied path was made");
        (void)unlink("sub/deny");
    }
    atomic_store(&race_over, true);
    CHECK_INT(pthread_join(t, NULL), 0);
}

TEST(race_on_a_symlinked_parent)
{
    box_begin();
    CHECK_INT(run_with("deny", race_link), 0);
    CHECK(!exists("deny"));
    box_end();
}

static void *move_in(void *arg)
{
    (void)arg;
    while (!atomic_load(&race_over)) {
        (void)rename("evil", ".git");
        (void)exchange("evil", ".git");
        (void)rename("evil/hooks", ".git/hooks");
        (void)rename(".git", "away");
        (void)rename("away/hooks", ".git/hooks");
        if (exists(".git/hooks/pre-commit"))
            atomic_fetch_add(&race_seen, 1);
    }
    return NULL;
}

static void race_chain(void)
{
    pthread_t t;

    CHECK_INT(mkdir("evil", 0700), 0);
    CHECK_INT(mkdir("evil/hooks", 0700), 0);
    CHECK_INT(m_open("evil/hooks/pre-commit"), 0);
    CHECK_INT(pthread_create(&t, NULL, move_in, NULL), 0);
    for (int i = 0; goes_on(i, ROUNDS / 2); i++) {
        (void)mkdir(".git", 0700);
        (void)mkdir(".git/hooks", 0700);
        (void)m_open(".git/hooks/pre-commit");
        (void)rmdir(".git/hooks");
        (void)rmdir(".git");
        (void)rmdir("away/hooks");
        (void)rmdir("away");
    }
    atomic_store(&race_over, true);
    CHECK_INT(pthread_join(t, NULL), 0);
    CHECK_INT(atomic_load(&race_seen), 0);
}

TEST(race_of_mkdir_and_rename_along_the_chain)
{
    box_begin();
    CHECK_INT(run_with("deny", race_chain), 0);
    CHECK(!exists(".git/hooks/pre-commit"));
    box_end();
}

static void *keep_changing_dirs(void *arg)
{
    (void)arg;
    while (!atomic_load(&race_over)) {
        int d = open("/", O_PATH | O_DIRECTORY);

        (void)dup2(d, 100);
        CHECK_INT(chdir("/"), 0);
        (void)close(d);
        d = open(box_dir, O_PATH | O_DIRECTORY);
        (void)dup2(d, 100);
        CHECK_INT(chdir(box_dir), 0);
        (void)close(d);
    }
    return NULL;
}

static void race_dirs(void)
{
    pthread_t t;

    CHECK_INT(pthread_create(&t, NULL, keep_changing_dirs, NULL), 0);
    for (int i = 0; goes_on(i, ROUNDS); i++) {
        int r = ERRNO(openat(i % 2 ? 100 : AT_FDCWD, "deny",
                             O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        char path[PATH_MAX];

        /* In "/" it may be made by root, and is removed again. */
        if (r == 0)
            (void)unlink("/deny");
        path_of(path, "deny");
        if (exists(path))
            T_FAIL("the denied path was made");
    }
    atomic_store(&race_over, true);
    CHECK_INT(pthread_join(t, NULL), 0);
    (void)unlink("/deny");
}

TEST(race_on_directories_of_the_caller)
{
    if (geteuid() == 0)
        SKIP("an unprivileged user: it makes names in '/' otherwise");
    box_begin();
    CHECK_INT(run_with("deny", race_dirs), 0);
    box_end();
}

T_MAIN()

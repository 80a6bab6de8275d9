/* Names of the host that a policy restricts: what is seen of their changes, and
 * that nobody can keep who looks from its other work. */
#include "supervise/supervise.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "plan_box.h"

static char dir[] = "/tmp/mxc-test-watch-XXXXXX";
static struct arena arena = { .limit = 1 << 20 };

/* It watches the file m there, and is removed with it. */
static struct watch *make_watch(void)
{
    struct plan_view v;
    struct watch *w;
    struct plan p;
    struct stat st;
    struct err e;
    int fd;

    CHECK(mkdtemp(dir) != NULL);
    CHECK_INT(chdir(dir), 0);
    fd = open("m", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    (void)close(fd);
    make_plan(&p, &arena);
    p.step[STEP_WATCH - 1].path = dir;
    p.step[STEP_WATCH - 1].num[0] = st.st_dev;
    p.step[STEP_WATCH - 1].num[1] = st.st_ino;
    v = pack(&p, &arena);
    CHECK_INT(watch_create(&v, &w, &e), 0);
    CHECK(w != NULL);
    return w;
}

static void drop(struct watch *w)
{
    watch_destroy(w);
    CHECK_INT(rmdir(dir), 0);
    arena_drop(&arena);
}

static bool has_more(const struct watch *w)
{
    struct pollfd p = { .fd = watch_fd(w), .events = POLLIN };

    return poll(&p, 1, 0) > 0;
}

static void make_events(int n)
{
    for (int i = 0; i < n; i++) {
        int fd = open("other", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

        CHECK(fd >= 0);
        (void)close(fd);
        CHECK_INT(unlink("other"), 0);
    }
}

TEST(a_name_that_goes)
{
    struct watch *w = make_watch();
    struct err e;

    CHECK_INT(watch_check(w, &e), 0);
    CHECK_INT(unlink("m"), 0);
    CHECK(has_more(w));
    CHECK_INT(watch_check(w, &e), -1);
    CHECK(strstr(e.msg, "/m' was removed on the host") != NULL);
    drop(w);
}

/* Else a workload that makes them faster than they are read would keep the
 * supervisor from its time limits. */
TEST(events_without_end_are_read_in_parts)
{
    struct watch *w = make_watch();
    int parts = 0;
    struct err e;

    make_events(4000);
    for (; has_more(w); parts++)
        CHECK_INT(watch_check(w, &e), 0);
    NOTE("parts");
    CHECK(parts > 1);
    make_events(4000);
    CHECK_INT(unlink("m"), 0);
    /* Whatever is still to be read. */
    CHECK_INT(watch_check(w, &e), -1);
    CHECK(has_more(w));
    drop(w);
}

T_MAIN()

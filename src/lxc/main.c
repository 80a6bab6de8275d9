/* main.c - mxc-lxc: the runtime of the lxc backend.
 *
 * Started by the supervisor with the launcher's descriptors (launch/proto.h),
 * as the first process of a pid namespace: when it ends, by whatever hand, the
 * container ends.  Of no use by hand.  What it says on its standard error is
 * shown when nothing could be run. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "launch/proto.h"
#include "lxc/lxc.h"

static int map_plan(struct plan_view *out, struct err *e)
{
    const int want = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
    int seals = fcntl(LAUNCH_PLAN_FD, F_GET_SEALS);
    struct stat st;
    void *bytes;

    if (seals < 0 || (seals & want) != want)
        return err_set(e, ERR_BACKEND_ERROR, "the plan is not sealed");
    if (fstat(LAUNCH_PLAN_FD, &st) < 0 || st.st_size <= 0 ||
        st.st_size > (off_t)PLAN_MAX_BYTES)
        return err_set(e, ERR_BACKEND_ERROR, "the plan has no usable size");
    bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE,
                 LAUNCH_PLAN_FD, 0);
    if (bytes == MAP_FAILED)
        return err_sys(e, "mmap(2)", errno, "cannot map the plan");
    return plan_check(bytes, (size_t)st.st_size, out, e);
}

int main(void)
{
    struct plan_view plan;
    struct err e = { 0 };

    (void)umask(0);
    if (map_plan(&plan, &e) < 0 || lxc_enter(&plan, &e) < 0 ||
        lxc_make_root(&plan, &e) < 0 || lxc_run(&e) < 0) {
        (void)fprintf(stderr, "%s\n", e.msg);
        if (e.hint[0])
            (void)fprintf(stderr, RUNTIME_HINT "%s\n", e.hint);
        return 1;
    }
    return 0;
}

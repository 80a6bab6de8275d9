/* walls.c - see walls.h. */
#include "supervise/walls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/caps.h"

static int no_answer(const char *path, struct err *e)
{
    err_sys(e, "stat(2)", errno, "cannot look at '%s'", path);
    return err_hint(e, "the sandbox's walls are compared with it: mount /proc, "
                       "or run without --verify");
}

/* As the launcher's set-up has it: by root, and not by every one
 * (user_namespaces(7), /proc/pid/setgroups). */
static bool drops_groups(void)
{
    scoped(drop_fd) int fd = open("/proc/self/setgroups", O_RDONLY | O_CLOEXEC);
    char c = 0;

    return geteuid() == 0 && caps_has(CAP_SETGID) && fd >= 0 &&
           read(fd, &c, 1) == 1 && c == 'a';
}

static int32_t session_keyring(void)
{
    enum { GET_ID = 0, SESSION = -3 };
    const long id = syscall(SYS_keyctl, GET_ID, SESSION, 0);

    return id > 0 ? (int32_t)id : 0;
}

int walls_outside(const struct cgroup *group, struct launch_go *out,
                  struct err *e)
{
    static const char *const paths[] = {
#define X(name, id) "/proc/self/ns/" name,
        LAUNCH_NAMESPACES(X)
#undef X
    };
    struct stat st;

    _Static_assert(ARRAY_LEN(paths) == LAUNCH_NS_COUNT, "one number each");
    memset(out, 0, sizeof(*out));
    out->msg = MSG_GO;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        if (stat(paths[i], &st) < 0)
            return no_answer(paths[i], e);
        out->ns[i] = st.st_ino;
    }
    if (stat("/", &st) < 0)
        return no_answer("/", e);
    out->root_dev = st.st_dev;
    out->root_ino = st.st_ino;
    out->keyring = session_keyring();
    out->drops_groups = drops_groups();
    memcpy(out->group, group->name, sizeof(out->group));
    return 0;
}

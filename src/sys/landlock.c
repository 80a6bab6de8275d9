/* landlock.c - see landlock.h. */
#include "sys/landlock.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "base/compat.h"

/* struct landlock_ruleset_attr as of ABI 6. */
struct ruleset_attr {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};

struct path_beneath_attr {
    uint64_t allowed_access;
    int32_t parent_fd;
} __attribute__((packed));

enum { CREATE_RULESET_VERSION = 1, RULE_PATH_BENEATH = 1 };

unsigned landlock_abi(void)
{
    long v =
        syscall(__NR_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

    return v < 0 ? 0 : (unsigned)v;
}

static uint64_t known_rights(unsigned abi)
{
    if (abi >= 5)
        return (MXC_LL_IOCTL_DEV << 1) - 1;
    if (abi >= 3)
        return (MXC_LL_TRUNCATE << 1) - 1;
    if (abi == 2)
        return (MXC_LL_REFER << 1) - 1;
    return (MXC_LL_MAKE_SYM << 1) - 1;
}

int landlock_create(unsigned abi)
{
    const struct ruleset_attr attr = {
        .handled_access_fs = known_rights(abi),
        .scoped = abi >= 6 ? MXC_LL_SCOPE_ABSTRACT | MXC_LL_SCOPE_SIGNAL : 0,
    };
    size_t size = abi >= 6 ? sizeof(attr)
                           : offsetof(struct ruleset_attr, handled_access_net);
    int fd = (int)syscall(__NR_landlock_create_ruleset, &attr, size, 0);

    return fd < 0 ? -errno : fd;
}

int landlock_allow(int ruleset, unsigned abi, int fd, uint64_t rights)
{
    const struct path_beneath_attr rule = { .allowed_access =
                                                rights & known_rights(abi),
                                            .parent_fd = fd };

    if (syscall(__NR_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) <
        0)
        return -errno;
    return 0;
}

int landlock_fence(unsigned abi, int root)
{
    /* A ruleset must handle something (ENOMSG), and each denies renaming
     * between directories where no rule allows it. */
    const uint64_t rights = MXC_LL_MAKE_BLOCK | (abi >= 2 ? MXC_LL_REFER : 0);
    const struct ruleset_attr attr = { .handled_access_fs = rights };
    int fd = (int)syscall(__NR_landlock_create_ruleset, &attr,
                          offsetof(struct ruleset_attr, handled_access_net), 0);
    int r = fd < 0 ? -errno : landlock_allow(fd, abi, root, rights);

    if (r == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return r;
}

int landlock_enforce(int ruleset)
{
    if (syscall(__NR_landlock_restrict_self, ruleset, 0) < 0)
        return -errno;
    return 0;
}

/* proc_list.c - see proc_list.h. */
#include "launch/proc_list.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/num.h"
#include "base/scoped.h"

/* <dirent.h> has it behind a stream, and allocates. */
struct entry {
    uint64_t ino;
    int64_t off;
    uint16_t len;
    uint8_t type;
    char name[];
};

bool proc_read(int dir, const char *path, char *text, size_t size)
{
    scoped(drop_fd) int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

char proc_state(const char *text)
{
    /* It stands behind the name, which may be anything. */
    const char *at = strrchr(text, ')');

    return at && at[1] == ' ' ? at[2] : '\0';
}

void proc_each(int dir, int first,
               bool (*each)(void *context, const char *name), void *context)
{
    _Alignas(struct entry) char room[8192];
    long n;

    if (lseek(dir, 0, SEEK_SET) < 0)
        return;
    while ((n = syscall(SYS_getdents64, dir, room, sizeof(room))) > 0) {
        const struct entry *at;
        int64_t number;

        for (long i = 0; i < n; i += at->len) {
            at = (const void *)(room + i);
            if (num_i64(at->name, first, INT_MAX, &number) == 0 &&
                !each(context, at->name))
                return;
        }
    }
}

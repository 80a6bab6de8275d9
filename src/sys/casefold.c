/* casefold.c - see casefold.h. */
#include "sys/casefold.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/scoped.h"

bool casefold_by_type(uint64_t type)
{
    /* Those that do so unless they are told not to, which cannot be seen from
     * here; linux/magic.h has but a few of them. */
    switch ((uint32_t)type) {
    case 0x4d44:     /* msdos, vfat */
    case 0x2011bab0: /* exfat */
    case 0x5346544e: /* ntfs */
    case 0x7366746e: /* ntfs3 */
    case 0xff534d42: /* cifs */
    case 0xfe534d42: /* smb2, smb3 */
    case 0x517b:     /* smbfs */
    case 0x4244:     /* hfs */
    case 0x482b:     /* hfsplus */
    case 0xadff:     /* affs */
        return true;
    default:
        return false;
    }
}

/* The name with its letters in the other case; false where it has none. */
static bool turn(const char *name, char out[NAME_MAX + 1])
{
    size_t n = strlen(name);
    bool has_letter = false;

    if (n > NAME_MAX)
        return false;
    for (size_t i = 0; i <= n; i++) {
        char low = (char)(name[i] | 0x20);
        bool is_letter = low >= 'a' && low <= 'z';

        out[i] = (char)(is_letter ? name[i] ^ 0x20 : name[i]);
        has_letter |= is_letter;
    }
    return has_letter;
}

enum answer { NO, YES, UNKNOWN };

static enum answer ask_name(int dir, const char *name)
{
    const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
    char turned[NAME_MAX + 1];
    struct stat st, other;

    /* Two hard links may be named like that anywhere. */
    if (!turn(name, turned) || fstatat(dir, name, &st, flags) < 0 ||
        (!S_ISDIR(st.st_mode) && st.st_nlink > 1))
        return UNKNOWN;
    if (fstatat(dir, turned, &other, flags) < 0)
        return errno == ENOENT ? NO : UNKNOWN;
    return other.st_dev == st.st_dev && other.st_ino == st.st_ino ? YES : NO;
}

static enum answer ask_entries(int fd)
{
    enum { TRIED = 256 };
    enum answer answer = UNKNOWN;
    const struct dirent *d;
    DIR *dir = fdopendir(fd);

    if (!dir) {
        drop_fd(&fd);
        return UNKNOWN;
    }
    for (int i = 0; i < TRIED && answer == UNKNOWN; i++) {
        d = readdir(dir);
        if (!d)
            break;
        answer = ask_name(dirfd(dir), d->d_name);
    }
    (void)closedir(dir);
    return answer;
}

/* The directory above does what this one does, where it is of the same
 * filesystem: a flag of each directory is handed down (ext4(5), casefold). */
static enum answer ask_above(int dir, const char *real)
{
    scoped(drop_fd) int up = openat(dir, "..", O_PATH | O_CLOEXEC);
    const char *name = strrchr(real, '/');
    struct stat here, above;

    if (up < 0 || !name || fstat(dir, &here) < 0 || fstat(up, &above) < 0 ||
        here.st_dev != above.st_dev)
        return UNKNOWN;
    return ask_name(up, name + 1);
}

bool casefold_of(int dir, const char *real)
{
    enum answer answer = UNKNOWN;
    struct statfs s;
    int fd;
    int flags;

    if (fstatfs(dir, &s) == 0 && casefold_by_type((uint64_t)s.f_type))
        return true;
    fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) {
        if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && flags & FS_CASEFOLD_FL)
            return true;
        answer = ask_entries(fd);
    }
    if (answer == UNKNOWN)
        answer = ask_above(dir, real);
    return answer == YES;
}

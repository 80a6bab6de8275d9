/* program.c - what the kernel will open to execute a file: the interpreter of a
 * script, the loader of a program.  Where that is not there, or refused, the
 * errno says so of the file itself (execve(2)).
 *
 * Of a regular file that may be executed the beginning is read. */
#include "broker/parts.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* A first line is no longer (BINPRM_BUF_SIZE); the headers of a program, and
 * the name of its loader, mostly are in a page. */
enum { LINE_MOST = 256, HEAD = 4096 };

static ssize_t read_head(int base, const char *path, unsigned char out[HEAD])
{
    scoped(drop_fd) int held = sight_hold(base, path, 0), fd = -1;
    struct stat st;
    char self[32];

    /* An init behind the filter of its commands has no openat2(2); links of
     * /proc would be its own. */
    if (held < 0 && errno == ENOSYS && strncmp(path, "/proc/", 6) != 0)
        held = openat(base, path, O_PATH | O_CLOEXEC);
    if (held < 0 || fstat(held, &st) < 0 || !S_ISREG(st.st_mode))
        return -1;
    proc_self_fd(held, self);
    fd = open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return fd < 0 ? -1 : pread(fd, out, HEAD, 0);
}

static bool take(const unsigned char *text, size_t len, char out[PATH_MAX])
{
    if (len == 0 || len >= PATH_MAX || memchr(text, '\0', len))
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

/* "#! /bin/sh -e" */
static bool of_script(const unsigned char *head, size_t len, char out[PATH_MAX])
{
    size_t begin = 2, end;

    if (len < 2 || memcmp(head, "#!", 2) != 0)
        return false;
    if (len > LINE_MOST)
        len = LINE_MOST;
    while (begin < len && (head[begin] == ' ' || head[begin] == '\t'))
        begin++;
    end = begin;
    while (end < len && !memchr(" \t\n", head[end], 4))
        end++;
    return take(head + begin, end - begin, out);
}

static bool of_program(const unsigned char *head, size_t len,
                       char out[PATH_MAX])
{
    Elf64_Ehdr h;

    if (len < sizeof(h) || memcmp(head, ELFMAG, SELFMAG) != 0 ||
        head[EI_CLASS] != ELFCLASS64)
        return false;
    memcpy(&h, head, sizeof(h));
    for (unsigned i = 0; i < h.e_phnum && h.e_phentsize == sizeof(Elf64_Phdr);
         i++) {
        Elf64_Phdr p;

        if (h.e_phoff > len || len - h.e_phoff < (i + 1) * sizeof(p))
            return false;
        memcpy(&p, head + h.e_phoff + i * sizeof(p), sizeof(p));
        if (p.p_type != PT_INTERP)
            continue;
        /* With the 0 behind it. */
        return p.p_filesz > 1 && p.p_offset <= len &&
               len - p.p_offset >= p.p_filesz &&
               take(head + p.p_offset, p.p_filesz - 1, out);
    }
    return false;
}

bool broker_interpreter(int base, const char *path, char out[PATH_MAX])
{
    unsigned char head[HEAD];
    const ssize_t n = read_head(base, path, head);

    return n > 0 && (of_script(head, (size_t)n, out) ||
                     of_program(head, (size_t)n, out));
}

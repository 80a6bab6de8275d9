/* runsc_end.c - runsc while and after it runs: see runsc.h. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/num.h"
#include "launch/runsc.h"

/* The first is the status with which it says that it failed itself. */
enum { FAILED_STATUS = 128, WORDS_MAX = 256 << 10 };

bool runsc_signal(int number)
{
    scoped(drop_fd) int fd = open(RUNSC_PID, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    char text[16];
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    int64_t pid;

    if (n <= 0)
        return false;
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    /* Not everybody (-1), nor us. */
    if (num_i64(text, 2, 1 << 22, &pid) == 0)
        (void)kill((pid_t)pid, number);
    return true;
}

/* Of a line, where that is JSON the message: as it stands there, what is not
 * ASCII left out, since by now the sentry, and who took it over, can write
 * there too. */
static void copy_message(char *text, char *out, size_t size)
{
    static const char before[] = "\"msg\":\"", after[] = "\",\"level\":";
    char *from, *end;
    size_t n = 0;

    text[strcspn(text, "\n")] = '\0';
    from = strstr(text, before);
    from = from ? from + sizeof(before) - 1 : text;
    end = strstr(from, after);
    if (end)
        *end = '\0';
    for (; *from && n + 1 < size; from++)
        if (*from >= ' ' && *from <= '~')
            out[n++] = *from;
    out[n] = '\0';
}

/* What it has written there, or nothing. */
static char *read_file(const char *path)
{
    static char text[WORDS_MAX];
    scoped(drop_fd) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    size_t have = 0;
    ssize_t n = 0;

    while (fd >= 0 && have < sizeof(text) - 1 &&
           (n = read(fd, text + have, sizeof(text) - 1 - have)) > 0)
        have += (size_t)n;
    text[have] = '\0';
    return text;
}

static bool read_log(char *out, size_t size)
{
    char *text = read_file(RUNSC_LOG);

    copy_message(text, out, size);
    return *out != '\0';
}

/* As Go says its last words.  Beside them, what a workload did that the sentry
 * finds worth a warning stands there too. */
static bool read_panic(char *out, size_t size)
{
    static const char *const begins[] = { "panic: ", "fatal error: ",
                                          "runtime: ", "SIG" };
    char *line = read_file(RUNSC_PANIC);

    while (line && *line) {
        for (size_t i = 0; i < ARRAY_LEN(begins); i++)
            if (strncmp(line, begins[i], strlen(begins[i])) == 0) {
                copy_message(line, out, size);
                return true;
            }
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return false;
}

/* The sentry's panic has a status that could be a workload's, and what runsc
 * says of itself is an error with that status alone.  Who ends before the
 * workload has a number ran none. */
static bool find_words(int status, char *out, size_t size)
{
    scoped(drop_fd) int pid = -1;

    if (read_panic(out, size))
        return true;
    if (WIFEXITED(status) && WEXITSTATUS(status) == FAILED_STATUS)
        return read_log(out, size);
    pid = open(RUNSC_PID, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (pid >= 0)
        return false;
    if (!read_log(out, size))
        (void)snprintf(out, size, "it ended before it started the workload");
    return true;
}

bool runsc_has_failed(int status, struct err *e)
{
    char words[256];

    if (!find_words(status, words, sizeof(words)))
        return false;
    err_set(e, ERR_BACKEND_ERROR, "gVisor failed: %s", words);
    err_hint(e, "`runsc do true` tells whether it works here; the exit code "
                "is mxc's own");
    return true;
}

/* control.c - what the caller says while it runs: lines of text.
 *
 *     signal N
 *     kill
 *     resize ROWS COLUMNS
 *
 * Words with one space between them, and a newline.  What is no such line
 * ends the run: a caller that is not understood must not believe that it was.
 * It only reads; loop.c acts. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "supervise/supervise.h"

enum { SIZE_MAX_TTY = 32767 };

void control_read(struct control *c)
{
    ssize_t n = read(c->fd, c->text + c->len, sizeof(c->text) - c->len);

    if (n > 0)
        c->len += (size_t)n;
    else if (n == 0 || (errno != EINTR && errno != EAGAIN))
        c->fd = -1; /* what was not finished was not said */
}

/* "31 97", and nothing behind it; changes the text. */
static bool take_size(char *text, struct control_order *out)
{
    char *gap = strchr(text, ' ');
    uint64_t rows, columns;

    if (!gap)
        return false;
    *gap = '\0';
    if (num_u64(text, SIZE_MAX_TTY, &rows) < 0 ||
        num_u64(gap + 1, SIZE_MAX_TTY, &columns) < 0 || !rows || !columns)
        return false;
    out->rows = (uint16_t)rows;
    out->columns = (uint16_t)columns;
    return true;
}

static bool take_line(char *line, struct control_order *out)
{
    uint64_t number;

    if (strcmp(line, "kill") == 0) {
        out->word = CONTROL_KILL;
        return true;
    }
    if (strncmp(line, "signal ", 7) == 0) {
        out->word = CONTROL_SIGNAL;
        if (num_u64(line + 7, CONTROL_SIGNAL_MAX, &number) < 0 || !number)
            return false;
        out->signal = (int)number;
        return true;
    }
    if (strncmp(line, "resize ", 7) != 0)
        return false;
    out->word = CONTROL_RESIZE;
    return take_size(line + 7, out);
}

int control_next(struct control *c, struct control_order *out, struct err *e)
{
    char line[CONTROL_LINE + 1];
    const char *end = memchr(c->text, '\n', c->len);
    size_t n = end ? (size_t)(end - c->text) : c->len;

    *out = (struct control_order){ .word = CONTROL_NONE };
    if (!end && c->len < sizeof(c->text))
        return 0;
    if (n > CONTROL_LINE)
        n = CONTROL_LINE;
    memcpy(line, c->text, n);
    line[n] = '\0';
    /* A NUL would hide what follows it. */
    if (!end || strlen(line) != (size_t)(end - c->text) ||
        !take_line(line, out)) {
        line[strcspn(line, " ")] = '\0';
        err_set(e, ERR_MALFORMED_REQUEST,
                "the control channel said what is no order: '%.20s'", line);
        return err_hint(e, "signal N, kill, or resize ROWS COLUMNS, each with "
                           "a newline");
    }
    c->len -= n + 1;
    memmove(c->text, c->text + n + 1, c->len);
    return 0;
}

bool tty_size_parse(const char *text, uint16_t *rows, uint16_t *columns)
{
    struct control_order o;
    char copy[16];
    char *by;

    if (strlen(text) >= sizeof(copy))
        return false;
    memcpy(copy, text, strlen(text) + 1);
    by = strchr(copy, 'x');
    if (!by)
        return false;
    *by = ' ';
    if (!take_size(copy, &o))
        return false;
    *rows = o.rows;
    *columns = o.columns;
    return true;
}

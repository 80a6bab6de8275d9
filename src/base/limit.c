/* limit.c - see limit.h. */
#include "base/limit.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

#include "base/num.h"
#include "base/scoped.h"

const struct limit_row limit_rows[LIMIT_COUNT] = {
#define X(id, name, word, unit, least, what)                                   \
    [LIMIT_##id] = { name, word, LIMIT_##unit, least, what },
    LIMITS(X)
#undef X
};

static const struct {
    const char *word;
    int resource;
} commands[] = {
    { "cpu", RLIMIT_CPU },         { "files", RLIMIT_NOFILE },
    { "processes", RLIMIT_NPROC }, { "file-size", RLIMIT_FSIZE },
    { "memory", RLIMIT_AS },
};

int limit_resource(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].word, word) == 0)
            return commands[i].resource;
    return -1;
}

const char *limit_word(uint64_t resource)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if ((uint64_t)commands[i].resource == resource)
            return commands[i].word;
    return NULL;
}

enum limit limit_find(const char *name, size_t len)
{
    int i = 0;

    while (i < LIMIT_COUNT &&
           !(strlen(limit_rows[i].name) == len &&
             memcmp(limit_rows[i].name, name, len) == 0) &&
           !(strlen(limit_rows[i].word) == len &&
             memcmp(limit_rows[i].word, name, len) == 0))
        i++;
    return (enum limit)i;
}

static int percent(const char *text, uint64_t *out)
{
    char digits[16];
    size_t n = strlen(text);

    if (n && text[n - 1] == '%')
        n--;
    if (n == 0 || n >= sizeof(digits))
        return -EINVAL;
    memcpy(digits, text, n);
    digits[n] = '\0';
    return num_u64(digits, UINT32_MAX, out);
}

int limit_value(enum limit l, const char *text, uint64_t *out)
{
    uint64_t v = 0;
    int r = -EINVAL;

    switch (limit_rows[l].unit) {
    case LIMIT_BYTES:
        r = num_size(text, &v);
        break;
    case LIMIT_COUNT_OF:
        r = num_u64(text, UINT32_MAX, &v);
        break;
    case LIMIT_PERCENT:
        r = percent(text, &v);
        break;
    case LIMIT_MS:
        r = num_duration_ms(text, &v);
        break;
    }
    if (r == 0 && v == 0 && l != LIMIT_SWAP)
        r = -ERANGE;
    if (r == 0)
        *out = v;
    return r;
}

void limit_print(enum limit l, uint64_t value, struct buf *out)
{
    static const char *const units[] = { [LIMIT_BYTES] = " bytes",
                                         [LIMIT_COUNT_OF] = "",
                                         [LIMIT_PERCENT] = " %",
                                         [LIMIT_MS] = " ms" };

    buf_printf(out, "%" PRIu64 "%s", value, units[limit_rows[l].unit]);
}

/* lib_result.c - how a sandbox ended, from what its supervisor wrote.
 *
 * The supervisor writes one JSON object into a memfd of ours before it ends.
 * Where there is none, it was killed, and its sandbox with it. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/lib.h"
#include "base/json.h"
#include "base/report.h"

enum { RESULT_MAX = 16 << 20, ARENA_MAX = 64 << 20, EXIT_OF_MXC = 125 };

/* *out stays NULL where there is nothing. */
static int read_text(int fd, char **out, size_t *len, struct err *e)
{
    struct stat st;
    char *text;

    *out = NULL;
    *len = 0;
    if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > RESULT_MAX)
        return 0;
    text = malloc((size_t)st.st_size + 1);
    if (!text)
        return lib_out_of_memory(e);
    while (*len < (size_t)st.st_size) {
        ssize_t n =
            pread(fd, text + *len, (size_t)st.st_size - *len, (off_t)*len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        *len += (size_t)n;
    }
    text[*len] = '\0';
    *out = text;
    return 0;
}

static void text_of(const struct json *v, char *out, size_t size)
{
    size_t n = 0;

    if (v && v->type == JSON_STRING) {
        n = v->len < size ? v->len : size - 1;
        memcpy(out, v->text, n);
    }
    out[n] = '\0';
}

static uint64_t number_of(const struct json *v)
{
    uint64_t n;

    return v && v->type == JSON_NUMBER && json_u64(v, &n) == 0 ? n : 0;
}

static bool is_text(const struct json *v, const char *text)
{
    return v && json_is(v, text);
}

static int errno_of(const struct json *v)
{
    for (int i = 1; v && i < 140; i++)
        if (is_text(v, err_errno_name(i)))
            return i;
    return 0;
}

static void take_error(const struct json *v, struct err *e)
{
    *e = (struct err){ .code = ERR_BACKEND_ERROR };
    for (int i = ERR_MALFORMED_REQUEST; i <= ERR_BACKEND_ERROR; i++)
        if (is_text(json_get(v, "code"), err_code_name((enum err_code)i)))
            e->code = (enum err_code)i;
    text_of(json_get(v, "message"), e->msg, sizeof(e->msg));
    text_of(json_get(v, "operation"), e->op, sizeof(e->op));
    text_of(json_get(v, "remediation"), e->hint, sizeof(e->hint));
    text_of(json_at(v, "details.where"), e->where, sizeof(e->where));
    e->line = (unsigned)number_of(json_at(v, "details.line"));
    e->column = (unsigned)number_of(json_at(v, "details.column"));
    e->sys = errno_of(json_get(v, "nativeCode"));
}

static uint32_t outcome_of(const struct json *v)
{
    static const struct {
        const char *name;
        uint32_t how;
    } names[] = {
        { "exited", MXC_EXITED },           { "signaled", MXC_SIGNALED },
        { "timed_out", MXC_TIMED_OUT },     { "killed", MXC_KILLED },
        { "stopped", MXC_STOPPED },         { "failed", MXC_FAILED },
        { "not_started", MXC_NEVER_BEGAN }, { "limited", MXC_LIMITED }
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (is_text(v, names[i].name))
            return names[i].how;
    return 0;
}

/* 1: taken; 0: it is none. */
static int take_result(struct mxc_sandbox *s, const char *text, size_t len,
                       struct err *e)
{
    struct arena a = { .limit = ARENA_MAX };
    struct err why = { 0 };
    struct json *doc;
    uint32_t how = 0;
    int r = json_parse(&a, text, len, &doc, &why);

    if (r == 0)
        how = outcome_of(json_get(doc, "outcome"));
    if (how) {
        s->status.how = how;
        s->status.exit_code = (int32_t)number_of(json_get(doc, "exitCode"));
        s->status.signal = (int32_t)number_of(json_get(doc, "signal"));
        s->status.duration_ms = number_of(json_get(doc, "durationMs"));
        if (json_get(doc, "error"))
            take_error(json_get(doc, "error"), &s->err);
    }
    arena_drop(&a);
    if (r < 0 && why.code == ERR_BACKEND_ERROR)
        return lib_out_of_memory(e);
    return how != 0;
}

static int take_none(struct mxc_sandbox *s, struct err *e)
{
    struct buf b = { .max = 64 * 1024 };

    err_set(&s->err, ERR_BACKEND_ERROR,
            "the supervisor ended without a result");
    err_hint(&s->err, "it was killed, and its sandbox with it: look for an "
                      "out-of-memory kill in the kernel's log");
    s->status.how = MXC_FAILED;
    s->status.exit_code = EXIT_OF_MXC;
    buf_printf(&b,
               "{\"outcome\":\"failed\",\"exitCode\":%d,\"timedOut\":false,"
               "\"durationMs\":0,\"error\":",
               EXIT_OF_MXC);
    report_json(&b, &s->err);
    buf_puts(&b, "}\n");
    if (b.failed) {
        buf_drop(&b);
        return lib_out_of_memory(e);
    }
    s->json = b.data;
    return 0;
}

int lib_read_result(struct mxc_sandbox *s, struct err *e)
{
    size_t len;
    char *text;
    int r;

    if (read_text(s->result, &text, &len, e) < 0)
        return -1;
    s->status.size = sizeof(s->status);
    r = text ? take_result(s, text, len, e) : 0;
    if (r > 0) {
        s->json = text;
        return 0;
    }
    free(text);
    return r < 0 ? -1 : take_none(s, e);
}

/* cmd_test.c - mxc test: does a policy allow and refuse what it shall?
 *
 *     {"version": 1, "tests": [
 *       {"read": "/etc/passwd", "expect": "deny", "name": "no accounts"},
 *       {"connect": "example.com:443", "expect": "allow"}]}
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/read_all.h"
#include "base/report.h"
#include "cli/ask.h"
#include "supervise/supervise.h"

enum { MOST_TESTS = 4096 };

struct test {
    const char *name; /* NULL: none */
    bool is_allowed;  /* what is expected */
};

struct tests {
    const char *file;
    const char *text;
    size_t len;
    struct test *test;
    struct asked *asked;
    size_t n;
};

/* --- reading them ----------------------------------------------------------
 */

static int wrong(const struct tests *t, const struct json *at, struct err *e,
                 const char *what)
{
    unsigned line = 0, column = 0;

    err_set(e, ERR_MALFORMED_REQUEST, "%s", what);
    json_place(t->text, t->len, at->key ? at->key_pos : at->pos, &line,
               &column);
    e->line = line;
    e->column = column;
    return err_hint(e,
                    "%s: as in {\"version\": 1, \"tests\": [{\"read\": "
                    "\"/etc/passwd\", \"expect\": \"deny\"}]}",
                    t->file);
}

static bool is_key(const struct json *v, const char *name)
{
    return v->key_len == strlen(name) && memcmp(v->key, name, v->key_len) == 0;
}

/* NULL: it is no text, or has a NUL. */
static const char *text_of(struct arena *a, const struct json *v)
{
    if (v->type != JSON_STRING || memchr(v->text, '\0', v->len))
        return NULL;
    return arena_printf(a, "%.*s", (int)v->len, v->text);
}

static int take_question(struct cli *c, struct tests *t, const struct json *v,
                         enum why_kind kind, struct err *e)
{
    struct asked *q = &t->asked[t->n];
    const char *operand = text_of(&c->arena, v);
    char cwd[4096];

    if (q->question.operand)
        return wrong(t, v, e, "a second question in one test");
    if (!operand || !getcwd(cwd, sizeof(cwd)))
        return wrong(t, v, e, "what is asked is a text");
    return why_ask(&c->arena, kind, operand, cwd, &q->question, e);
}

static int take_member(struct cli *c, struct tests *t, const struct json *v,
                       bool *expects, struct err *e)
{
    struct test *test = &t->test[t->n];
    char key[16] = "";
    int kind;

    if (is_key(v, "name")) {
        test->name = text_of(&c->arena, v);
        return test->name ? 0 : wrong(t, v, e, "a name is a text");
    }
    if (is_key(v, "expect")) {
        *expects = true;
        test->is_allowed = json_is(v, "allow");
        return test->is_allowed || json_is(v, "deny")
                   ? 0
                   : wrong(t, v, e, "\"expect\" is \"allow\" or \"deny\"");
    }
    if (v->key_len < sizeof(key))
        memcpy(key, v->key, v->key_len);
    kind = why_find(key);
    return kind < 0 ? wrong(t, v, e, "unknown member of a test")
                    : take_question(c, t, v, (enum why_kind)kind, e);
}

static int take_test(struct cli *c, struct tests *t, const struct json *v,
                     struct err *e)
{
    bool expects = false;

    if (v->type != JSON_OBJECT)
        return wrong(t, v, e, "a test is an object");
    if (t->n == MOST_TESTS)
        return wrong(t, v, e, "more than 4096 tests");
    for (const struct json *m = v->first; m; m = m->next)
        if (take_member(c, t, m, &expects, e) < 0)
            return -1;
    if (!t->asked[t->n].question.operand)
        return wrong(t, v, e, "a test without a question");
    if (!expects)
        return wrong(t, v, e, "a test without \"expect\"");
    t->n++;
    return 0;
}

static int take_all(struct cli *c, struct tests *t, const struct json *root,
                    struct err *e)
{
    const struct json *version = json_get(root, "version"),
                      *list = json_get(root, "tests");
    uint64_t number = 0;

    if (root->type != JSON_OBJECT || !version ||
        json_u64(version, &number) < 0 || number != 1)
        return wrong(t, root, e, "\"version\" must be 1");
    if (!list || list->type != JSON_ARRAY || !list->first)
        return wrong(t, root, e, "\"tests\" is a list, and not empty");
    for (const struct json *m = root->first; m; m = m->next)
        if (m != version && m != list)
            return wrong(t, m, e, "unknown member");
    for (const struct json *v = list->first; v; v = v->next)
        if (take_test(c, t, v, e) < 0)
            return -1;
    return 0;
}

static int read_tests(struct cli *c, struct tests *t, struct err *e)
{
    scoped(drop_fd) int fd = open(t->file, O_RDONLY | O_CLOEXEC);
    struct json *root;
    int r;

    if (fd < 0) {
        err_sys(e, "open(2)", errno, "cannot read the tests '%s'", t->file);
        e->code = ERR_MALFORMED_REQUEST;
        return -1;
    }
    r = read_all(&c->arena, fd, REQUEST_MAX_BYTES, &t->text, &t->len);
    if (r < 0)
        return err_sys(e, "read(2)", -r, "cannot read the tests '%s'", t->file);
    t->test = arena_array(&c->arena, MOST_TESTS, sizeof(*t->test));
    t->asked = arena_array(&c->arena, MOST_TESTS, sizeof(*t->asked));
    if (!t->test || !t->asked)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    if (json_parse(&c->arena, t->text, t->len, &root, e) < 0)
        return err_ctx(e, "%s", t->file);
    return take_all(c, t, root, e);
}

/* --- telling ---------------------------------------------------------------
 */

static bool holds(const struct tests *t, size_t i)
{
    const enum why_decision wanted =
        t->test[i].is_allowed ? WHY_ALLOWED : WHY_REFUSED;

    return ask_outcome(&t->asked[i]) == wanted;
}

static void print(const struct tests *t, size_t i)
{
    const struct asked *q = &t->asked[i];
    struct buf b = { .max = 64 * 1024 };

    buf_printf(&b, "%s %s %s ", holds(t, i) ? "ok    " : "not ok",
               t->test[i].is_allowed ? "allow" : "deny ",
               why_name(q->question.kind));
    buf_shown(&b, q->question.operand);
    if (t->test[i].name) {
        buf_puts(&b, "  # ");
        buf_shown(&b, t->test[i].name);
    }
    buf_putc(&b, '\n');
    if (!holds(t, i)) {
        buf_printf(&b, "       it is %s: ", ask_word(ask_outcome(q)));
        buf_shown(&b, ask_reason(q));
        buf_puts(&b, " (");
        buf_shown(&b, q->answer.clause);
        buf_printf(&b, "%s%s)\n", q->was_tried ? "; tried: " : "",
                   q->was_tried && q->tried.error
                       ? why_error_name(q->tried.error)
                   : q->was_tried ? "done"
                                  : "");
        if (ask_outcome(q) != WHY_ALLOWED && q->answer.remedy) {
            buf_puts(&b, "       try: ");
            buf_shown(&b, q->answer.remedy);
            buf_putc(&b, '\n');
        }
    }
    cli_print(stdout, &b);
    buf_drop(&b);
}

static int tell(const struct cli *c, const struct tests *t, size_t failed,
                struct err *e)
{
    struct buf b = { .max = 64 << 20 };
    int fd, r;

    if (cli_open_json(c, &fd, e) < 0)
        return -1;
    for (size_t i = 0; fd != STDOUT_FILENO && i < t->n; i++)
        print(t, i);
    if (fd != STDOUT_FILENO)
        (void)printf("%zu passed, %zu failed\n", t->n - failed, failed);
    buf_printf(&b, "{\"passed\":%zu,\"failed\":%zu,\"tests\":[", t->n - failed,
               failed);
    for (size_t i = 0; i < t->n; i++) {
        buf_printf(&b, "%s{\"holds\":%s,\"expect\":\"%s\",\"answer\":",
                   i ? "," : "", holds(t, i) ? "true" : "false",
                   t->test[i].is_allowed ? "allow" : "deny");
        ask_json(&b, &t->asked[i]);
        if (t->test[i].name) {
            buf_puts(&b, ",\"name\":");
            buf_json(&b, t->test[i].name);
        }
        buf_putc(&b, '}');
    }
    buf_puts(&b, "]}\n");
    r = fd < 0 ? 0 : report_write(fd, &b, e);
    buf_drop(&b);
    return r;
}

static int check(struct cli *c, struct tests *t, struct err *e)
{
    size_t failed = 0;

    if (read_tests(c, t, e) < 0 || ask_all(c, t->asked, t->n, e) < 0)
        return -1;
    for (size_t i = 0; i < t->n; i++)
        failed += holds(t, i) ? 0 : 1;
    if (tell(c, t, failed, e) < 0)
        return -1;
    return failed ? CLI_REFUSED : CLI_OK;
}

/* [POLICY] TESTS */
static int take_words(struct cli *c, struct tests *t, struct err *e)
{
    if (c->nwords == 1 || (c->nwords == 2 && !c->policy_file)) {
        t->file = c->word[c->nwords - 1];
        if (c->nwords == 2)
            c->policy_file = c->word[0];
        return 0;
    }
    err_set(e, ERR_MALFORMED_REQUEST,
            c->nwords ? "test: too many files" : "test: no file of tests");
    return err_hint(e, "mxc test policy.json tests.json");
}

int cmd_test(int argc, char **argv)
{
    struct tests t = { .file = "" };
    struct cli c = { 0 };
    struct err e = { 0 };
    int r;

    supervise_ignore_signals();
    r = cli_parse(&c, command_find("test"), argc, argv);
    if (r < 0 && take_words(&c, &t, &e) < 0)
        r = cli_fail(&c, &e, CLI_USAGE);
    if (r < 0) {
        r = check(&c, &t, &e);
        if (r < 0)
            r = cli_fail(&c, &e, CLI_FAILED);
    }
    cli_free(&c);
    return r;
}

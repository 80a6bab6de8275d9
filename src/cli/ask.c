/* ask.c - see ask.h. */
#include "cli/ask.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/clauses.h"
#include "api/provision.h"
#include "supervise/supervise.h"
#include "sys/beside.h"
#include "try/proto.h"

/* A sandbox that nobody will come back to, should we be killed. */
enum { IDLE_MS = 30000, AGE_MS = 24 * 3600 * 1000 };

static int no_memory(struct err *e)
{
    return err_set(e, ERR_BACKEND_ERROR, "out of memory");
}

/* --- deciding --------------------------------------------------------------
 */

static int decide(struct cli *c, const struct why_policy *p, struct asked *q,
                  size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (why_decide(&c->arena, p, &q[i].question, &q[i].answer, e) < 0)
            return -1;
    return 0;
}

static int decide_by_policy(struct cli *c, struct asked *q, size_t n,
                            struct err *e)
{
    struct prepared *p = arena_alloc(&c->arena, sizeof(*p));
    struct plan_view v;
    void *bytes;
    size_t len;

    if (!p)
        return no_memory(e);
    if (cli_prepare_only(c, p, e) < 0 ||
        plan_pack(&p->plan, &c->arena, &bytes, &len, e) < 0 ||
        plan_check(bytes, len, &v, e) < 0)
        return -1;
    return decide(c,
                  &(struct why_policy){ .plan = &v,
                                        .places = &p->places,
                                        .home = getenv("HOME") },
                  q, n, e);
}

static int decide_by_session(struct cli *c, const struct session_dir *d,
                             struct asked *q, size_t n, struct err *e)
{
    scoped(session_plan_drop) struct plan_view v = { 0 };
    struct why_policy p = { .plan = &v,
                            .home = getenv("HOME"),
                            .is_session = true };

    if (session_plan(d, &v, e) < 0 ||
        clauses_of(&c->arena, d, &p.places, e) < 0)
        return -1;
    return decide(c, &p, q, n, e);
}

/* --- trying ----------------------------------------------------------------
 */

/* What is to be refused is tried as it would be done; what is allowed leaves
 * nothing behind. */
static const char *kind_of(const struct asked *q)
{
    if (q->question.kind == WHY_WRITE && q->answer.is_new &&
        q->answer.decision == WHY_REFUSED)
        return "create";
    return why_name(q->question.kind);
}

static int try_all(struct cli *c, const struct session_dir *d, int signals,
                   struct asked *q, size_t n, struct err *e)
{
    static const char remedy[] = "keep bin/ and libexec/ together when moving "
                                 "mxc";
    struct try_question *ask = arena_array(&c->arena, n + 1, sizeof(*ask));
    struct try_answer *got = arena_array(&c->arena, n + 1, sizeof(*got));
    scoped(drop_fd) int events = ask_open_events(d);
    char program[PATH_MAX];

    if (!ask || !got)
        return no_memory(e);
    for (size_t i = 0; i < n; i++)
        ask[i] = (struct try_question){ kind_of(&q[i]),
                                        q[i].answer.instead
                                            ? q[i].answer.instead
                                            : q[i].question.operand };
    if (beside_find("try", "mxc-try", remedy, program, e) < 0 ||
        session_try(d, program, signals, ask, n, got, e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        q[i].tried = got[i];
        q[i].was_tried = true;
    }
    ask_take_refusals(&c->arena, events, q, n);
    return 0;
}

static int start_and_try(struct cli *c, const char *id, int signals,
                         struct asked *q, size_t n, struct err *e)
{
    struct session_dir d = SESSION_DIR_NONE;
    char launcher[PATH_MAX];
    struct err ignored;
    int r;

    if (supervise_find_launcher(launcher, e) < 0 ||
        session_dir_open(c->flags.runtime, id, true, &d, e) < 0)
        return -1;
    r = session_start(&d, launcher, e);
    if (r == 0)
        r = try_all(c, &d, signals, q, n, e);
    (void)session_deprovision(&d, 0, &ignored);
    session_dir_close(&d);
    return r;
}

static int try_policy(struct cli *c, int signals, struct asked *q, size_t n,
                      struct err *e)
{
    struct session_facts facts = { .idle_ms = IDLE_MS,
                                   .age_ms = AGE_MS,
                                   .is_throwaway = true };
    struct prepared *p = arena_alloc(&c->arena, sizeof(*p));
    char id[SESSION_ID_MAX];

    if (!p)
        return no_memory(e);
    c->flags.drops_command = true;
    if (provision(&c->arena, c->text, c->text_len, &c->flags, &facts, p, id,
                  e) < 0) {
        if (e->code == ERR_UNSUPPORTED_PHASE ||
            e->code == ERR_BACKEND_UNAVAILABLE)
            err_hint(e, "--no-try decides by the policy alone");
        return -1;
    }
    if (start_and_try(c, id, signals, q, n, e) == 0)
        return 0;
    provision_undo(id, c->flags.runtime);
    return -1;
}

static int ask_session(struct cli *c, int signals, struct asked *q, size_t n,
                       struct err *e)
{
    struct session_dir d = SESSION_DIR_NONE;
    int r;

    if (session_dir_open(c->flags.runtime, c->id, false, &d, e) < 0)
        return -1;
    r = decide_by_session(c, &d, q, n, e);
    if (r == 0 && !c->no_try)
        r = try_all(c, &d, signals, q, n, e);
    session_dir_close(&d);
    return r;
}

static int ask_policy(struct cli *c, int signals, struct asked *q, size_t n,
                      struct err *e)
{
    if (decide_by_policy(c, q, n, e) < 0)
        return -1;
    return c->no_try || n == 0 ? 0 : try_policy(c, signals, q, n, e);
}

int ask_all(struct cli *c, struct asked *q, size_t n, struct err *e)
{
    /* As events: the sandbox that was made is removed first. */
    scoped(drop_fd) int signals = cli_take_signals(e);

    if (signals < 0)
        return -1;
    c->flags.drops_record = true;
    return c->id ? ask_session(c, signals, q, n, e)
                 : ask_policy(c, signals, q, n, e);
}

/* --- what it comes to ------------------------------------------------------
 */

static bool is_let_begin(const struct asked *q)
{
    return q->was_tried && q->question.kind == WHY_CONNECT &&
           q->answer.decision == WHY_ALLOWED;
}

/* What the policy lets through may fail at the other end. */
static bool is_outside(int error)
{
    static const int all[] = { ECONNREFUSED, ECONNRESET, ETIMEDOUT,
                               TRY_NO_NAME };

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i] == error)
            return true;
    return false;
}

/* What the gateway's refusals are told as, and those of the network, and what
 * may hide them: that there is no IPv6. */
static bool is_either(int error)
{
    return error == EHOSTUNREACH || error == ENETUNREACH ||
           error == EADDRNOTAVAIL;
}

bool ask_is_let_through(const struct asked *q)
{
    return is_let_begin(q) && !q->is_refused &&
           (is_outside(q->tried.error) ||
            (is_either(q->tried.error) && q->is_heard));
}

/* Whose refusal it was the gateway may have said, and nobody knows. */
static bool is_unknown(const struct asked *q)
{
    return is_let_begin(q) && !q->is_refused && !q->is_heard &&
           is_either(q->tried.error);
}

/* The policy allows the name; where it leads, the gateway judges. */
static bool leads_astray(const struct asked *q)
{
    return is_let_begin(q) && q->tried.error != 0 &&
           (q->leads_astray || (!q->is_heard && q->tried.error == EACCES));
}

enum why_decision ask_outcome(const struct asked *q)
{
    if (!q->was_tried)
        return q->answer.decision;
    if (is_unknown(q))
        return WHY_OPEN;
    return q->tried.error == 0 || ask_is_let_through(q) ? WHY_ALLOWED
                                                        : WHY_REFUSED;
}

const char *ask_word(enum why_decision d)
{
    static const char *const words[] = { "refused", "allowed", "open" };

    return words[d];
}

const char *ask_reason(const struct asked *q)
{
    if (is_let_begin(q) && q->tried.error != 0 && q->refusal)
        return q->refusal;
    if (is_unknown(q))
        return "the policy allows it; whether the gateway refused it, or the "
               "network, is not known: the session tells no events any more";
    return leads_astray(q)
               ? "the policy allows it, but not the address that it leads to: "
                 "a private one (--allow-intranet-host), one of this host, or "
                 "a denied one"
               : q->answer.reason;
}

bool ask_agrees(const struct asked *q)
{
    if (!q->was_tried || q->answer.decision == WHY_OPEN || leads_astray(q) ||
        is_unknown(q))
        return true;
    return q->answer.decision == ask_outcome(q);
}

static void member(struct buf *b, const char *name, const char *text)
{
    buf_printf(b, ",\"%s\":", name);
    if (text)
        buf_json(b, text);
    else
        buf_puts(b, "null");
}

void ask_json(struct buf *b, const struct asked *q)
{
    static const char *const truths[] = { "false", "true", "null" };
    const enum why_decision outcome = ask_outcome(q);
    const struct why_answer *w = &q->answer;

    buf_printf(b, "{\"%s\":", why_name(q->question.kind));
    buf_json(b, q->question.operand);
    buf_printf(b, ",\"allowed\":%s,\"decision\":\"%s\"", truths[outcome],
               ask_word(w->decision));
    if (q->was_tried) {
        member(b, "tried", why_error_name(q->tried.error));
        member(b, "call", q->tried.call);
        buf_printf(b, ",\"agrees\":%s", ask_agrees(q) ? "true" : "false");
    } else {
        member(b, "tried", NULL);
    }
    if (w->error)
        member(b, "errno", why_error_name(w->error));
    member(b, "clause", w->clause);
    member(b, "where", w->where);
    member(b, "mechanism", w->mechanism);
    member(b, "reason", ask_reason(q));
    member(b, "remedy", outcome == WHY_ALLOWED ? NULL : w->remedy);
    if (outcome != WHY_ALLOWED && w->remedy && w->is_secret)
        buf_puts(b, ",\"secret\":true");
    buf_putc(b, '}');
}

/* learn_take.c - a refusal, as the result and the events of a run tell it, as
 * an entry.  What it says comes from the workload. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/learning.h"
#include "contract/cidr.h"

/* A member as text: "" where there is none, or no text. */
static const char *text_of(struct arena *a, const struct json *v,
                           const char *key)
{
    const struct json *m = json_get(v, key);
    const char *text =
        m && m->type == JSON_STRING ? arena_strndup(a, m->text, m->len) : NULL;

    return text && strlen(text) == m->len ? text : "";
}

static uint64_t number_of(const struct json *v, const char *key)
{
    const struct json *m = json_get(v, key);
    uint64_t n;

    return m && json_u64(m, &n) == 0 ? n : 0;
}

/* Count a record for its entry, which may have been there. */
static void count(struct learning *x, struct learn_entry *e, uint64_t times,
                  const char *program)
{
    learn_program(e, program);
    e->count += times;
    e->last = x->round;
}

/* An event of what the result has listed says nothing new. */
static struct learn_entry *enter(struct learning *x,
                                 const struct learn_entry *like,
                                 const struct json *record, bool is_counted)
{
    const uint64_t times = is_counted ? number_of(record, "count") : 1;
    struct learn_entry *e;
    const size_t before = x->l.n;

    e = learn_add(&x->l, like);
    if (!e)
        return NULL;
    if (x->l.n > before) {
        e->round = x->round;
        /* A peer is nothing to try where it is not reached. */
        if (learn_is_granted(e) && (x->code != 0 || !learn_is_minor(e)) &&
            (x->c->learn.reaches ||
             (e->kind != LEARN_HOST && e->kind != LEARN_NET)))
            x->is_new = true;
    } else if (e->last == x->round && !is_counted) {
        return e;
    }
    count(x, e, times, text_of(x->l.arena, record, "process"));
    return e;
}

/* What was granted already is nothing to try. */
static void use(struct learning *x, const struct learn_entry *like,
                const struct json *record)
{
    const uint64_t times = number_of(record, "count");
    struct learn_entry *e = learn_add(&x->l, like);

    if (!e)
        return;
    if (!e->round)
        e->round = x->round;
    count(x, e, times ? times : 1, text_of(x->l.arena, record, "process"));
}

/* --- files and programs ----------------------------------------------------
 */

/* A JSON string at *at, which then stands behind it; NULL: there is none. */
static const char *read_string(struct arena *a, const char **at)
{
    const char *end = *at;
    struct json *list;
    struct err ignored;
    const char *text, *array;

    if (*end != '"')
        return NULL;
    for (end++; *end && *end != '"'; end++)
        end += end[0] == '\\' && end[1];
    if (*end != '"')
        return NULL;
    end++;
    array = arena_printf(a, "[%.*s]", (int)(end - *at), *at);
    if (!array || json_parse(a, array, strlen(array), &list, &ignored) < 0 ||
        !list->first || list->first->type != JSON_STRING)
        return NULL;
    text = arena_strndup(a, list->first->text, list->first->len);
    if (!text || strlen(text) != list->first->len)
        return NULL;
    *at = end;
    return text;
}

static bool skip(const char **at, const char *text)
{
    const size_t n = strlen(text);

    if (strncmp(*at, text, n) != 0)
        return false;
    *at += n;
    return true;
}

struct learn_clause {
    enum learn_kind kind; /* READ, WRITE; DENY: it would have to go */
    const char *path;
    const char *env; /* or NULL */
};

/* The clause that a refusal suggests: false, where it is none that we know. */
static bool read_clause(struct arena *a, const char *at,
                        struct learn_clause *out)
{
    *out = (struct learn_clause){ .kind = LEARN_READ };
    if (skip(&at, "filesystem.deniedPaths -= ")) {
        out->kind = LEARN_DENY;
        out->path = read_string(a, &at);
        return out->path && !*at;
    }
    if ((skip(&at, "filesystem.readonlyPaths -= ") ||
         skip(&at, "filesystem.readwritePaths -= ")) &&
        (!read_string(a, &at) || !skip(&at, ", ")))
        return false;
    if (skip(&at, "filesystem.readwritePaths += "))
        out->kind = LEARN_WRITE;
    else if (!skip(&at, "filesystem.readonlyPaths += "))
        return false;
    out->path = read_string(a, &at);
    if (out->path && skip(&at, ", process.env += "))
        out->env = read_string(a, &at);
    return out->path && out->path[0] == '/' && !*at;
}

/* Of a path that was left out before, it says nothing new. */
static const struct learn_entry *left_out_before(const struct learning *x,
                                                 const char *what)
{
    const struct learn_entry *of[] = {
        learn_find(&x->l, LEARN_READ, what, LEARN_ANY, 0),
        learn_find(&x->l, LEARN_WRITE, what, LEARN_ANY, 0)
    };

    for (size_t i = 0; i < ARRAY_LEN(of); i++)
        if (of[i] && of[i]->left_out && !of[i]->stands_in)
            return of[i];
    return NULL;
}

/* What no clause allows, or none that may be granted. */
static void leave_out(struct learning *x, const struct json *record,
                      bool is_counted, const char *what, const char *why,
                      const char *option)
{
    const struct learn_entry e = {
        .kind = LEARN_OTHER,
        .what = what,
        .left_out = why,
        .option = option,
        .message = text_of(x->l.arena, record, "message"),
    };
    const struct learn_entry *before = left_out_before(x, what);

    (void)enter(x, before ? before : &e, record, is_counted);
}

static void take_denied(struct learning *x, const struct json *record,
                        bool is_counted, const char *path)
{
    const struct learn_entry *ours =
        learn_find(&x->l, LEARN_DENY, path, LEARN_ANY, 0);

    if (!ours)
        ours = learn_find(&x->secrets, LEARN_DENY, path, LEARN_ANY, 0);
    if (ours)
        leave_out(x, record, is_counted, path, ours->message,
                  learn_option(x, "--grant-secret", path));
    else
        leave_out(x, record, is_counted, path, "your policy denies it", NULL);
}

/* The home inside is another: the program is told where the caller's is. */
static void take_env(struct learning *x, const struct json *record,
                     bool is_counted, const char *env)
{
    const struct learn_entry e = {
        .kind = LEARN_ENV,
        .what = env,
        .message = "what it reads of your home it looks for there",
    };

    if (strncmp(env, "HOME=/", 6) == 0 && learn_is_plain(env) && !x->has_home)
        (void)enter(x, &e, record, is_counted);
}

/* A file that is there and was opened to be made, if it were not: it comes
 * first, and its directory only when that is refused, too. */
static const char *file_first(struct learning *x, const struct json *record,
                              const struct learn_clause *c)
{
    struct arena *a = x->l.arena;
    const char *path = text_of(a, record, "resolved"),
               *above = learn_above(a, path);
    char real[PATH_MAX];

    return c->kind == LEARN_WRITE && above && strcmp(above, c->path) == 0 &&
                   strcmp(text_of(a, record, "reason"), "mounted") != 0 &&
                   strcmp(text_of(a, record, "operation"), "create") == 0 &&
                   realpath(path, real) && strcmp(real, path) == 0 &&
                   !learn_is_dir(path) &&
                   !learn_find(&x->l, LEARN_WRITE, path, LEARN_ANY, 0)
               ? path
               : c->path;
}

/* The text of a path is the path only where the host has it by that name. */
static bool is_of_host(const char *path)
{
    char real[PATH_MAX];

    return path[0] == '/' && realpath(path, real) && strcmp(real, path) == 0;
}

static void take_path(struct learning *x, const struct json *record,
                      bool is_counted, const struct learn_clause *c)
{
    struct learn_entry e = {
        .kind = c->kind,
        .what = c->path,
        .message = text_of(x->l.arena, record, "message"),
        .is_secret =
            json_get(record, "secret") && json_get(record, "secret")->truth,
        .is_dir = learn_is_dir(c->path),
    };
    const struct learn_entry *known;

    if (!learn_is_path(c->path))
        e.left_out = "its name cannot be written into a policy";
    /* What it would be judged by is another name's. */
    else if (!is_of_host(c->path))
        e.left_out = "your policy has it by the name of a link";
    else if (!learn_find(&x->l, e.kind, e.what, LEARN_ANY, 0))
        learn_judge(x, &e);
    known = enter(x, &e, record, is_counted);
    if (known && !known->left_out && c->env)
        take_env(x, record, is_counted, c->env);
}

static const char *why_never(const char *reason)
{
    static const struct {
        const char *reason, *why;
    } all[] = {
        { "host", "your user may not do that" },
        { "never", "no policy allows it" },
        { "no_exec", "nothing is executed from there" },
        { "read_only", "the base system stays as it is" },
        { "mounted", "a clause of the policy keeps it where it is" },
        { "filter", "no policy allows this system call" },
    };

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (strcmp(reason, all[i].reason) == 0)
            return all[i].why;
    return "its name cannot be written into a policy";
}

/* What is there, by a name that can be written, and would be allowed, is in
 * nothing smaller than a home. */
static const char *why_no_clause(struct arena *a, const struct json *record)
{
    const char *reason = text_of(a, record, "reason"),
               *rule = text_of(a, record, "rule");

    return learn_is_path(text_of(a, record, "resolved")) &&
                   (strcmp(reason, "not_granted") == 0 ||
                    strcmp(reason, "private_home") == 0 ||
                    (strcmp(reason, "read_only") == 0 && rule[0]))
               ? "it would take a grant of a whole home"
               : why_never(reason);
}

static void take_file(struct learning *x, const struct json *record,
                      bool is_counted)
{
    struct arena *a = x->l.arena;
    const char *clause = text_of(a, record, "clause");
    struct learn_clause c;

    if (!clause[0] || !read_clause(a, clause, &c)) {
        leave_out(x, record, is_counted, text_of(a, record, "resolved"),
                  why_no_clause(a, record), NULL);
    } else if (c.kind == LEARN_DENY) {
        take_denied(x, record, is_counted, c.path);
    } else {
        c.path = file_first(x, record, &c);
        take_path(x, record, is_counted, &c);
    }
}

/* --- the network -----------------------------------------------------------
 */

static enum learn_proto proto_of(struct arena *a, const struct json *record)
{
    const char *what = text_of(a, record, "what");
    const char *name = text_of(a, record, "protocol");

    return strcmp(name, "udp") == 0    ? LEARN_UDP
           : strcmp(name, "icmp") == 0 ? LEARN_ICMP
           : strcmp(what, "query") == 0 || strcmp(name, "tcp") == 0 || !name[0]
               ? LEARN_TCP
               : LEARN_ANY;
}

/* Public addresses alone: others lead into the caller's own networks. */
static const char *why_special(const char *address)
{
    struct cidr block;
    struct net_addr addr;
    unsigned bits;

    if (cidr_parse_address(address, &block) < 0)
        return "it is no address";
    if (block.family == 4)
        net_addr_v4(&addr, block.addr);
    else
        memcpy(addr.b, block.addr, sizeof(addr.b));
    switch (net_classify(&addr, &bits)) {
    case NET_PUBLIC:
        return NULL;
    case NET_PRIVATE:
        return "a private address";
    case NET_LINK_LOCAL:
        return "a link-local address";
    case NET_METADATA:
        return "a metadata service, which has credentials";
    case NET_RESERVED:
        return "a special address";
    case NET_NEVER:
    default:
        return "an address that no policy allows";
    }
}

/* The same of one that was refused.  Of what is public none but the host's own
 * is refused for what it is. */
static const char *why_not(const char *address, const char *reason)
{
    const char *why = why_special(address);

    if (strcmp(reason, "own") == 0 || (!why && strcmp(reason, "class") == 0))
        return "this host's own address";
    return why;
}

static void take_address(struct learning *x, const struct json *record,
                         bool is_counted, const char *reason)
{
    struct arena *a = x->l.arena;
    const char *address = text_of(a, record, "address");
    struct learn_entry e = {
        .kind = LEARN_NET,
        .proto = proto_of(a, record),
        .port = (uint16_t)number_of(record, "port"),
        .what = address,
        .left_out = why_not(address, reason),
        .message = text_of(a, record, "message"),
    };

    if (e.proto == LEARN_ICMP)
        e.port = 0;
    if (e.left_out) {
        const char *hint = text_of(a, record, "hint");

        e.option = hint[0] ? hint : NULL;
    }
    if (address[0])
        (void)enter(x, &e, record, is_counted);
}

static void take_name(struct learning *x, const struct json *record,
                      bool is_counted, const char *name)
{
    struct arena *a = x->l.arena;
    const bool is_query = strcmp(text_of(a, record, "what"), "query") == 0;
    struct learn_entry e = {
        .kind = LEARN_HOST,
        .proto = proto_of(a, record),
        .port =
            is_query ? LEARN_PORT_NONE : (uint16_t)number_of(record, "port"),
        .what = name,
        .message = text_of(a, record, "message"),
    };

    if (net_host_wrong(name))
        e.left_out = "no name that can be allowed";
    (void)enter(x, &e, record, is_counted);
}

/* The name leads to where no name may lead, or into the caller's network. */
static void take_astray(struct learning *x, const struct json *record,
                        bool is_counted, const char *name)
{
    const char *hint = text_of(x->l.arena, record, "hint");

    leave_out(x, record, is_counted, name,
              "the name leads to an address that is not public",
              hint[0] ? hint : NULL);
}

static void drop_name(struct learning *x, const char *name)
{
    struct learn_entry *e =
        learn_find(&x->l, LEARN_HOST, name, LEARN_TCP, LEARN_PORT_NONE);

    if (e && !e->left_out)
        e->left_out = "there is no such name";
}

static void take_peer(struct learning *x, const struct json *record,
                      bool is_counted)
{
    struct arena *a = x->l.arena;
    const char *reason = text_of(a, record, "reason");
    const char *name = text_of(a, record, "name");

    if (strcmp(reason, "mismatch") == 0) {
        name = text_of(a, record, "asked");
        reason = "default";
    }
    if (strcmp(reason, "no_address") == 0)
        drop_name(x, name);
    else if (strcmp(reason, "address") == 0)
        take_astray(x, record, is_counted, name);
    else if (strcmp(reason, "default") != 0 && strcmp(reason, "class") != 0 &&
             strcmp(reason, "own") != 0 && strcmp(reason, "name_only") != 0)
        leave_out(x, record, is_counted,
                  name[0] ? name : text_of(a, record, "address"),
                  strcmp(reason, "rule") == 0 ? "your policy denies it"
                                              : "no clause allows it",
                  NULL);
    else if (name[0])
        take_name(x, record, is_counted, name);
    else
        take_address(x, record, is_counted, reason);
}

void learn_take(struct learning *x, const struct json *record, bool is_counted)
{
    struct arena *a = x->l.arena;
    const char *what = text_of(a, record, "what");

    if (strcmp(what, "file") == 0 || strcmp(what, "exec") == 0 ||
        strcmp(what, "socket") == 0)
        take_file(x, record, is_counted);
    else if (strcmp(what, "syscall") == 0)
        leave_out(x, record, is_counted, text_of(a, record, "call"),
                  why_never("filter"), NULL);
    else
        take_peer(x, record, is_counted);
}

/* --- what was used ---------------------------------------------------------
 */

void learn_take_access(struct learning *x, const struct json *record)
{
    struct arena *a = x->l.arena;
    const char *operation = text_of(a, record, "operation"),
               *path = text_of(a, record, "resolved");
    const bool names =
        strcmp(operation, "create") == 0 || strcmp(operation, "delete") == 0;
    struct learn_entry e = {
        .kind =
            names || strcmp(operation, "write") == 0 ? LEARN_WRITE : LEARN_READ,
        .what = names ? learn_above(a, path) : path,
    };

    /* In a copy there may be directories that the host does not have. */
    while (e.kind == LEARN_WRITE && e.what && e.what[1] && !is_of_host(e.what))
        e.what = learn_above(a, e.what);
    if (!e.what || !is_of_host(e.what) || !learn_is_path(e.what))
        return;
    e.is_dir = learn_is_dir(e.what);
    /* Nothing has to be granted for a directory that leads to what is. */
    if (e.is_dir && strcmp(operation, "look") == 0)
        return;
    e.message =
        names || e.kind == LEARN_WRITE ? "it was written to" : "it was read";
    if (!learn_find(&x->l, e.kind, e.what, LEARN_ANY, 0))
        learn_judge(x, &e);
    use(x, &e, record);
}

/* A file that is granted is a mount, which nobody can remove or rename: that
 * takes its directory. */
static bool is_removed(const struct learning *x, const struct json *record,
                       const char *path)
{
    const struct learn_entry *of[] = {
        learn_find(&x->l, LEARN_READ, path, LEARN_ANY, 0),
        learn_find(&x->l, LEARN_WRITE, path, LEARN_ANY, 0)
    };
    const struct json *operation = json_get(record, "operation");

    if (!operation || !json_is(operation, "delete"))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(of); i++)
        if (of[i] && learn_is_granted(of[i]) && !of[i]->is_dir)
            return true;
    return false;
}

/* The command believes that it is there, and would be told so again. */
void learn_take_lost(struct learning *x, const struct json *record)
{
    struct arena *a = x->l.arena;
    const struct json *is_lost = json_get(record, "lost");
    const char *path = text_of(a, record, "resolved");
    struct learn_entry *start =
        learn_find(&x->l, LEARN_READ, x->at.workspace, LEARN_ANY, 0);
    struct learn_entry e = {
        .kind = LEARN_WRITE,
        .what = learn_above(a, path),
        .message = "what it made there was lost in the sandbox's own memory",
        .is_dir = true,
    };

    if (start && path_is_within(path, x->at.workspace) &&
        (strcmp(path, x->at.workspace) != 0 ||
         strcmp(text_of(a, record, "operation"), "look") != 0))
        start->last = x->round;
    if (is_removed(x, record, path))
        e.message = "a file that is granted in it was to be removed or renamed";
    else if (!is_lost || !is_lost->truth)
        return;
    if (!e.what || !is_of_host(e.what) || !learn_is_path(e.what) ||
        learn_wide(e.what, &x->at))
        return;
    if (!learn_find(&x->l, e.kind, e.what, LEARN_ANY, 0))
        learn_judge(x, &e);
    (void)enter(x, &e, record, true);
}

void learn_take_connection(struct learning *x, const struct json *record)
{
    struct arena *a = x->l.arena;
    const char *address = text_of(a, record, "address"),
               *what = text_of(a, record, "what");
    struct learn_entry e = {
        .kind = LEARN_NET,
        .proto = proto_of(a, record),
        .port = (uint16_t)number_of(record, "port"),
        .what = address,
        .message = "it was connected to",
    };

    if (strcmp(text_of(a, record, "state"), "allowed") != 0 || !address[0] ||
        (strcmp(what, "connect") != 0 && strcmp(what, "flow") != 0))
        return;
    if (e.proto == LEARN_ICMP)
        e.port = 0;
    e.left_out = why_special(address);
    use(x, &e, record);
}

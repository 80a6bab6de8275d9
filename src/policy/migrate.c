/* migrate.c - see migrate.h.
 *
 * The tree of the document is changed where the contracts differ, and what
 * comes out is parsed in its new contract: what this file does not know of
 * cannot get through. */
#include "policy/migrate.h"

#include <string.h>

#include "policy/migrate_parts.h"

void migrate_note(struct migration *m, bool is_lost, const char *path,
                  const char *text)
{
    struct migrated *out = m->out;

    m->tree.failed |= !path;
    out->nlost += is_lost;
    if (out->nnotes == MIGRATE_NOTES)
        out->nmore++;
    else
        out->note[out->nnotes++] = (struct migrate_note){ path, text, is_lost };
}

/* One spelling of each name. */
static void convert_names(struct migration *m)
{
    struct json *c = tree_find(m->doc, "containment");

    tree_set_string(tree_find(m->doc, "version"), contract_name(m->to));
    if (c && json_is(c, "appcontainer"))
        tree_set_string(c, "processcontainer");
    if (c && json_is(c, "macos_sandbox"))
        tree_set_string(c, "seatbelt");
}

/* Both names of a section have rows of their own in the old contracts, so
 * that the notes must tell which one was there. */
static void convert_seatbelt(struct migration *m, struct json *section,
                             const char *path)
{
    struct json *method = tree_cut(section, "launchMethod");

    if (method && !json_is(method, "exec"))
        migrate_note(m, true, path,
                     "the workload is executed; there is no other way now");
}

static void convert_container(struct migration *m)
{
    static const char *const names[] = { "processContainer", "appContainer" };
    static const char *const known[] = { "none", "parameters", "display",
                                         "all" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct json *ui = tree_find(tree_find(m->doc, names[i]), "ui");
        struct json *v = tree_find(ui, "systemSettings");
        bool is_known = !v || m->to == CONTRACT_1_0_0;

        for (size_t k = 0; k < ARRAY_LEN(known) && !is_known; k++)
            is_known = json_is(v, known[k]);
        if (is_known)
            continue;
        (void)tree_cut(ui, "systemSettings");
        migrate_note(
            m, true,
            arena_printf(m->tree.arena, "%s.ui.systemSettings", names[i]),
            "expected one of 'none', 'parameters', 'display' and "
            "'all'; left out, which means 'none'");
    }
    tree_rename(m->doc, "appContainer", "processContainer");
}

/* What 0.8.0-alpha keeps below `experimental`. */
static void lift_experimental(struct migration *m)
{
    static const struct {
        const char *from, *to;
    } moves[] = {
        { "telemetry", "telemetry" },
        { "test", "test" },
        { "windows_sandbox", "windowsSandbox" },
        { "wslc", "wslc" },
        { "seatbelt", "seatbelt" },
        { "isolation_session", "isolationSession" },
    };
    struct json *from = tree_cut(m->doc, "experimental");

    if (!from)
        return;
    convert_seatbelt(m, tree_find(from, "seatbelt"),
                     "experimental.seatbelt.launchMethod");
    for (size_t i = 0; i < ARRAY_LEN(moves); i++) {
        tree_put(m->doc, moves[i].to, tree_cut(from, moves[i].from));
    }
}

/* Sections that do nothing, and that 1.0.0 does not have.  Windows Sandbox
 * itself it does not have either, which the last look finds. */
static void drop_inert(struct migration *m)
{
    if (m->to != CONTRACT_1_0_0)
        return;
    if (tree_cut(m->doc, "test"))
        migrate_note(m, false,
                     m->from->contract == CONTRACT_0_8_0_ALPHA
                         ? "experimental.test"
                         : "test",
                     "without effect, and left out");
}

static void convert(struct migration *m)
{
    convert_names(m);
    convert_container(m);
    convert_seatbelt(m, tree_find(m->doc, "seatbelt"), "seatbelt.launchMethod");
    convert_seatbelt(m, tree_find(m->doc, "macos_sandbox"),
                     "macos_sandbox.launchMethod");
    tree_rename(m->doc, "macos_sandbox", "seatbelt");
    lift_experimental(m);
    drop_inert(m);
    if (tree_cut(m->doc, "correlationVector"))
        migrate_note(m, true, "correlationVector",
                     "no later contract has a mark of the caller");
}

/* The new text must be a request.  Its places mean nothing to the reader of
 * the old one. */
static int check(const struct migration *m, const struct buf *text,
                 struct err *e)
{
    scoped(arena_drop) struct arena a = { .limit = (size_t)256 << 20 };
    struct request *r;

    if (request_parse(&a, text->data, text->len, &r, e) == 0)
        return 0;
    e->line = 0;
    e->column = 0;
    err_ctx(e, "cannot be said in contract '%s'", contract_name(m->to));
    if (m->to == CONTRACT_1_0_0)
        err_hint(e, "--to 1.1.0+c1 has more words");
    return -1;
}

static int migrate_to(struct migration *m, const char *text, size_t len,
                      struct buf *out, struct err *e)
{
    struct migrated *notes = m->out;

    *notes = (struct migrated){ .contract = m->to };
    m->tree.failed = false;
    if (json_parse(m->tree.arena, text, len, &m->doc, e) < 0)
        return -1;
    convert(m);
    if (migrate_network(m, e) < 0)
        return -1;
    json_print(out, m->doc);
    if (m->tree.failed || out->failed)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    return check(m, out, e);
}

int migrate_request(struct arena *a, const char *text, size_t len,
                    enum contract to, struct buf *out, struct migrated *m,
                    struct err *e)
{
    struct migration work = { .tree.arena = a, .out = m, .to = to };
    struct request *from;
    struct err first;

    if (request_parse(a, text, len, &from, e) < 0)
        return -1;
    work.from = from;
    if (to != CONTRACT_NONE)
        return migrate_to(&work, text, len, out, e);
    work.to = CONTRACT_1_0_0;
    if (migrate_to(&work, text, len, out, &first) == 0 && m->nlost == 0)
        return 0;
    buf_drop(out);
    out->failed = false;
    work.to = CONTRACT_1_1_0_C1;
    return migrate_to(&work, text, len, out, e);
}

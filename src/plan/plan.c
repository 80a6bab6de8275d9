/* plan.c - building and printing plans. */
#include "plan/plan.h"

#include <inttypes.h>
#include <string.h>

#include "base/limit.h"

int plan_add(struct plan *p, struct arena *a, struct step s, struct err *e)
{
    if (p->nsteps == PLAN_MAX_STEPS)
        return err_set(e, ERR_POLICY_VALIDATION,
                       "the policy needs more than %u set-up steps",
                       PLAN_MAX_STEPS);
    if (p->nsteps == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 128;
        struct step *grown = arena_array(a, cap, sizeof(*grown));

        if (!grown)
            return err_set(e, ERR_BACKEND_ERROR, "out of memory for the plan");
        if (p->nsteps)
            memcpy(grown, p->step, p->nsteps * sizeof(*grown));
        p->step = grown;
        p->cap = cap;
    }
    if (s.text && s.text_len == 0)
        s.text_len = strlen(s.text);
    p->step[p->nsteps++] = s;
    return 0;
}

const char *step_name(enum step_kind kind)
{
    switch (kind) {
#define X(num, id, name, path, text)                                           \
    case STEP_##id:                                                            \
        return name;
        STEP_KINDS(X)
#undef X
    case STEP_NONE:
    case STEP_END:
        break;
    }
    return "?";
}

static void print_flags(uint32_t flags, struct buf *out)
{
    static const char *const names[] = { "ro",    "noexec", "optional",
                                         "dir",   "create", "soft",
                                         "by-fd", "layer",  "last",
                                         "group", "copy",   "ours" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (flags & 1u << i)
            buf_printf(out, " %s", names[i]);
}

static void print_numbers(const struct step *s, struct buf *out)
{
    switch (s->kind) {
    case STEP_ROOT:
        buf_printf(out, " bytes=%" PRIu64 " inodes=%" PRIu64, s->num[0],
                   s->num[1]);
        break;
    case STEP_DIR:
    case STEP_FILE:
        buf_printf(out, " mode=%04" PRIo64, s->num[0]);
        break;
    case STEP_BIND:
    case STEP_WATCH:
    case STEP_RUNSC:
    case STEP_IMAGE:
    case STEP_KEPT:
        if (s->num[1])
            buf_printf(out, " object=%" PRIx64 ":%" PRIu64, s->num[0],
                       s->num[1]);
        break;
    case STEP_LANDLOCK:
        buf_printf(out, " rights=%#" PRIx64, s->num[0]);
        break;
    case STEP_RLIMIT:
        buf_printf(out, " resource=%" PRIu64 " value=%" PRIu64, s->num[0],
                   s->num[1]);
        break;
    case STEP_LIMIT:
        if (s->num[0] < LIMIT_COUNT) {
            buf_printf(out, " %s ", limit_rows[s->num[0]].name);
            limit_print((enum limit)s->num[0], s->num[1], out);
        }
        break;
    case STEP_LISTEN:
        buf_printf(out, " port=%" PRIu64, s->num[0]);
        break;
    case STEP_NONE:
    case STEP_SYMLINK:
    case STEP_DEVICE:
    case STEP_DEVPTS:
    case STEP_PROC:
    case STEP_MASK:
    case STEP_HOLLOW:
    case STEP_PIN:
    case STEP_HOSTNAME:
    case STEP_SYSCTL:
    case STEP_ABSENT:
    case STEP_FILTER:
    case STEP_CWD:
    case STEP_ENV:
    case STEP_ARG:
    case STEP_RULES:
    case STEP_RUNTIME:
    case STEP_RUNTIME_ARG:
    case STEP_OVERLAY:
    case STEP_RECORD:
    case STEP_SHOWN:
    case STEP_CAPTURE:
    case STEP_NAMED:
    case STEP_END:
        break;
    }
}

static void print_ways(uint32_t flags, struct buf *out)
{
    buf_puts(out, flags & PLAN_NET_EGRESS ? " egress" : "");
    buf_puts(out, flags & PLAN_NET_ICMP ? " icmp" : "");
    buf_puts(out, flags & PLAN_NET_DIAL ? " dial" : "");
}

static bool is_shown_by_size(enum step_kind kind)
{
    return kind == STEP_FILTER || kind == STEP_FILE || kind == STEP_RULES;
}

static bool is_shown_with_source(enum step_kind kind)
{
    return kind == STEP_BIND || kind == STEP_DEVICE || kind == STEP_OVERLAY ||
           kind == STEP_NAMED;
}

void plan_print(const struct plan *p, struct buf *out)
{
    for (size_t i = 0; i < p->nsteps; i++) {
        const struct step *s = &p->step[i];

        buf_puts(out, step_name(s->kind));
        if (s->path) {
            buf_putc(out, ' ');
            buf_shown(out, s->path);
        }
        if (is_shown_by_size(s->kind)) {
            buf_printf(out, " (%zu bytes)", s->text_len);
            if (s->kind == STEP_RULES)
                print_ways(p->flags, out);
        } else if (s->text) {
            buf_puts(out, is_shown_with_source(s->kind) ? " <- " : " ");
            buf_shown(out, s->text);
        }
        print_numbers(s, out);
        print_flags(s->flags, out);
        buf_putc(out, '\n');
    }
}

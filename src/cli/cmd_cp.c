/* cmd_cp.c - mxc cp: files into a started session, and out of it. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/session.h"
#include "session/copy.h"
#include "supervise/supervise.h"
#include "sys/beside.h"

/* What came out of a session without being told otherwise. */
#define USUAL_MOST (4ull << 30)

struct side {
    const char *path; /* inside, or on the host */
    char id[SESSION_ID_MAX];
    bool is_inside;
};

static const struct {
    enum unpack_note_kind kind;
    const char *name, *words;
} notes[] = {
    { NOTE_DEVICE, "device", "devices, pipes and sockets were left out" },
    { NOTE_LINK, "link", "symbolic links that lead out of it were left out" },
    { NOTE_SETUID, "setuid", "setuid and setgid bits were taken away" },
};

/* --- what was asked for ----------------------------------------------------
 */

static void take_side(const char *word, struct side *out)
{
    const char *path = session_id_split(word, out->id);

    out->is_inside = path != NULL;
    out->path = path ? path : word;
}

static int take_sides(const struct cli *c, struct side *from, struct side *to,
                      struct err *e)
{
    if (c->nwords != 2) {
        err_set(e, ERR_MALFORMED_REQUEST, "cp: %s",
                c->nwords < 2 ? "an operand is missing" : "too many operands");
        return err_hint(e, "mxc cp SRC ID:DST, or mxc cp ID:SRC DST");
    }
    take_side(c->word[0], from);
    take_side(c->word[1], to);
    if (from->is_inside == to->is_inside) {
        err_set(e, ERR_MALFORMED_REQUEST,
                from->is_inside ? "cp: both are in a session"
                                : "cp: neither is in a session");
        return from->is_inside
                   ? err_hint(e, "mxc cp ID:SRC - | mxc cp - ID:DST")
                   : err_hint(e, "one of them is ID:PATH; `mxc ps` lists the "
                                 "ids");
    }
    if (from->path[0] && to->path[0])
        return 0;
    err_set(e, ERR_MALFORMED_REQUEST, "cp: a path is empty");
    return err_hint(e, "ID:PATH; 'ID:.' is where commands start");
}

/* A tar stream instead of files, which no terminal is for. */
static int take_stream(const char *path, int fd, struct copy_job *j,
                       struct err *e)
{
    if (strcmp(path, "-") != 0) {
        j->outside = path;
        return 0;
    }
    j->stream = fd;
    if (!isatty(fd))
        return 0;
    err_set(e, ERR_MALFORMED_REQUEST, "cp: a tar stream is not for a terminal");
    return err_hint(e, fd == STDIN_FILENO ? "tar -cf - FILE | mxc cp - ID:DIR"
                                          : "mxc cp ID:SRC - >FILE.tar");
}

/* --- the answer ------------------------------------------------------------
 */

static void print_note(const char *words, const char *count, const char *first)
{
    struct buf b = { .max = 2048 };

    buf_puts(&b, "mxc: note: ");
    buf_shown(&b, words);
    buf_puts(&b, count);
    buf_shown(&b, first);
    buf_putc(&b, '\n');
    cli_print(stderr, &b);
    buf_drop(&b);
}

static void put_note(struct buf *b, size_t i, const struct unpack_note *n)
{
    char count[48];

    (void)snprintf(count, sizeof(count), ": %" PRIu64 ", such as ", n->count);
    print_note(notes[i].words, count, n->first);
    buf_printf(b,
               "%s{\"kind\":\"%s\",\"message\":\"%s\",\"count\":%" PRIu64
               ",\"first\":",
               b->data[b->len - 1] == '[' ? "" : ",", notes[i].name,
               notes[i].words, n->count);
    buf_json(b, n->first);
    buf_putc(b, '}');
}

static int answer(const struct cli *c, const struct copy_job *j,
                  const struct copy_result *r, struct err *e)
{
    scoped(buf_drop) struct buf b = { .max = 16 * 1024 };

    if (r->note[0])
        print_note(r->note, "", "");
    if (j->is_out && j->outside) {
        buf_printf(&b,
                   "\"entries\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"notes\":[",
                   r->told.entries, r->told.bytes);
        for (size_t i = 0; i < ARRAY_LEN(notes); i++)
            if (r->told.note[notes[i].kind].count)
                put_note(&b, i, &r->told.note[notes[i].kind]);
        buf_puts(&b, "]");
    }
    if (b.failed)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    return cli_answer(c, b.data ? b.data : "", e);
}

static int take_job(const struct cli *c, struct copy_job *j, const char **id,
                    struct err *e)
{
    static struct side from, to;

    if (take_sides(c, &from, &to, e) < 0)
        return -1;
    *id = from.is_inside ? from.id : to.id;
    *j = (struct copy_job){ .is_out = from.is_inside,
                            .inside = from.is_inside ? from.path : to.path,
                            .stream = -1,
                            .max_bytes =
                                c->max_size ? c->max_size : USUAL_MOST };
    if (c->max_size && (!j->is_out || strcmp(to.path, "-") == 0)) {
        err_set(e, ERR_MALFORMED_REQUEST,
                "cp: --max-size is for files that come out of a session");
        return err_hint(e, j->is_out ? "head -c takes less of a stream"
                                     : "what goes in is limited by the policy");
    }
    return j->is_out ? take_stream(to.path, STDOUT_FILENO, j, e)
                     : take_stream(from.path, STDIN_FILENO, j, e);
}

static int copy(const struct cli *c, struct copy_job *j, const char *id,
                struct copy_result *r, struct err *e)
{
    static const char remedy[] = "keep bin/ and libexec/ together when moving "
                                 "mxc";
    struct session_dir d = SESSION_DIR_NONE;
    char program[PATH_MAX];
    int done;

    if (beside_find("copy", "mxc-copy", remedy, program, e) < 0 ||
        session_dir_open(c->flags.runtime, id, false, &d, e) < 0)
        return -1;
    j->program = program;
    j->signals = cli_take_signals(e);
    done = j->signals < 0 ? -1 : session_copy(&d, j, r, e);
    j->program = NULL;
    drop_fd(&j->signals);
    session_dir_close(&d);
    return done < 0 ? -1 : answer(c, j, r, e);
}

static int run(struct cli *c)
{
    struct copy_result *r = arena_alloc(&c->arena, sizeof(*r));
    struct err e = { 0 };
    struct copy_job j;
    const char *id;

    if (!r) {
        err_set(&e, ERR_BACKEND_ERROR, "out of memory");
        return cli_fail_phase(c, &e, CLI_REFUSED);
    }
    if (take_job(c, &j, &id, &e) < 0)
        return cli_fail_phase(c, &e, CLI_USAGE);
    if (copy(c, &j, id, r, &e) == 0)
        return CLI_OK;
    return cli_fail_phase(c, &e, r->signal ? 128 + r->signal : CLI_REFUSED);
}

int cmd_cp(int argc, char **argv)
{
    struct cli c = { 0 };
    int r;

    supervise_ignore_signals();
    r = cli_parse(&c, command_find("cp"), argc, argv);
    if (r < 0)
        r = run(&c);
    cli_free(&c);
    return r;
}

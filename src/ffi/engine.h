/* engine.h - libmxc, as this library uses it.
 *
 * libmxc and MXC's interface have functions of the same names, so one file,
 * engine.c, sees the first, and the others the second. */
#ifndef MXC_FFI_ENGINE_H
#define MXC_FFI_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct engine;

enum engine_how {
    ENGINE_RUNS = 0,
    ENGINE_EXITED, /* or died of a signal: exit_code is 128 + signal */
    ENGINE_TIMED_OUT,
    ENGINE_KILLED,
    ENGINE_NEVER_BEGAN, /* exit_code 126 or 127; the error says why */
    ENGINE_FAILED       /* or mxc stopped it; the error says why */
};

struct engine_end {
    enum engine_how how;
    int32_t exit_code;
    struct err why; /* NEVER_BEGAN, FAILED */
};

struct engine_start {
    const char *backend; /* NULL: as the request says */
    uint16_t rows;       /* 0: three pipes, else a terminal */
    uint16_t columns;
    bool is_attached; /* a terminal that is the caller's; of a session alone */
};

struct engine_output {
    struct engine_end end;
    char *out; /* these three are the caller's to free(3) */
    size_t out_len;
    char *err;
    size_t err_len;
    uint64_t lost; /* bytes beyond the limit, both streams */
    char *json;
};

void engine_output_drop(struct engine_output *o);

/* All: 0, or -1 and *e. */
int engine_run(const char *request, size_t len, const char *backend,
               struct engine_output *out, struct err *e);
int engine_spawn(const char *request, size_t len,
                 const struct engine_start *how, struct engine **out,
                 struct err *e);
int engine_wait(struct engine *g, int timeout_ms, struct engine_end *out,
                struct err *e);
int engine_kill(struct engine *g, struct err *e);
int engine_resize(struct engine *g, uint16_t rows, uint16_t columns,
                  struct err *e);

/* A phase, done or (`dry`) only looked at; the caller's to free(3). */
int engine_lifecycle(const char *request, size_t len, bool dry, char **response,
                     struct err *e);

/* A command of a session. */
int engine_exec(const char *request, size_t len, const struct engine_start *how,
                struct engine **out, struct err *e);
int engine_exec_run(const char *request, size_t len, struct engine_output *out,
                    struct err *e);

/* What the host can do: `mxc doctor --json`; free(3). */
int engine_probe(char **json, struct err *e);

/* Our end of stream 0, 1 or 2, once; -1 when there is none. */
int engine_take(struct engine *g, int stream);
int engine_wait_fd(const struct engine *g);
uint32_t engine_pid(const struct engine *g);
const char *engine_result(struct engine *g); /* the engine's; or NULL */
void engine_destroy(struct engine *g);

#endif

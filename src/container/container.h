/* container.h - containers that are kept: what a run of the backend lxc wrote,
 * for the next run of the same name (lifecycle.destroyOnExit: false).
 *
 *   KEY/           KEY is the SHA-256 of the name, which may be any text
 *     record       what it is, JSON; written last
 *     upper/       what differs from the image's root
 *     work/        overlayfs's
 *   KEY.new/       being made: no workload of it has begun
 *   KEY.gone/      being removed, or in its last run
 *
 * All of it belongs to one user, who alone may enter it.  Directories appear
 * and go by rename(2), whole.  Who runs, makes or removes a container holds
 * the lock of its directory (flock(2)). */
#ifndef MXC_CONTAINER_CONTAINER_H
#define MXC_CONTAINER_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/sha256.h"
#include "sys/store.h"

enum { CONTAINER_NAME_MAX = 4096, CONTAINER_RECORD_MAX = 1 << 20 };

/* What one that is being made is called behind its path. */
#define CONTAINER_NEW ".new"

struct container {
    const char *name;
    const char *image;   /* as it was called */
    const char *digest;  /* of the image; SHA-256 */
    const char *network; /* the rules that are kept with it, or NULL */
    uint64_t created_ms;
    const char *record; /* all of this, as it is written */
    const char *path;
    uint64_t dev, ino; /* of its directory */
};

/* --- looking: in the arena, changes nothing ------------------------------- */

/* Where a container of that name is, or would be. */
int container_path(struct arena *a, const struct store_place *at,
                   const char *name, const char **out, struct err *e);

/* 1: there is none of that name. */
int container_find(struct arena *a, const struct store_place *at,
                   const char *name, struct container *out, struct err *e);

/* All that can be read, by name.  *damaged: how many cannot. */
int container_list(struct arena *a, const struct store_place *at,
                   struct container **out, size_t *n, size_t *damaged,
                   struct err *e);

/* What is written of one: fills out->record. */
int container_print(struct arena *a, struct container *c, struct err *e);

/* --- changing ------------------------------------------------------------- */

/* Make the empty directory that all of them will be in: what is there no
 * sandbox can make (api/own_places.c). */
int container_make_store(const struct store_place *at, struct err *e);

/* Remove one and what runs that were killed left: 1 where there is none.  One
 * that runs is refused. */
int container_remove(const struct store_place *at, const char *name,
                     struct err *e);

/* One that is locked by a run. */
struct container_hold {
    int store; /* the directory around it */
    int dir;   /* -1: none is held */
    char key[SHA256_HEX];
    bool is_new;
    bool ends; /* with this run */
    bool has_begun;
};

#define CONTAINER_HOLD_NONE                                                    \
    {                                                                          \
        .store = -1, .dir = -1                                                 \
    }

/* What a run wants of the container at `path`. */
struct container_want {
    const char *path;
    const char *found; /* the record that it was planned with; "": none */
    uint64_t dev, ino;
    const char *record; /* to be written when the workload begins, or NULL */
    bool ends;
};

/* Lock it, or make it beside its place where none was found.  One that another
 * run has, or that is not what was planned with, is refused. */
int container_hold(const struct container_want *w, struct container_hold *out,
                   struct err *e);

/* The workload is about to begin: from now on it is there, or is gone. */
int container_begin(const struct container_want *w, struct container_hold *h,
                    struct err *e);

/* The run is over: what shall not stay is removed. */
int container_release(struct container_hold *h, struct err *e);

#endif

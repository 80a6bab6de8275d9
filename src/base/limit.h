/* limit.h - what a sandbox can be kept from using up: one row for each. */
#ifndef MXC_BASE_LIMIT_H
#define MXC_BASE_LIMIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* X(id, name of contract, name of command line, unit, least, what it bounds).
 * The least is what a sandbox needs for itself before anything runs in it. */
#define LIMITS(X)                                                              \
    X(MEMORY, "memoryBytes", "memory", BYTES, 1 << 20,                         \
      "memory of all processes")                                               \
    X(SWAP, "swapBytes", "swap", BYTES, 0, "swap of all processes")            \
    X(PIDS, "pids", "processes", COUNT_OF, 1,                                  \
      "processes and threads at one time")                                     \
    X(CPU_SHARE, "cpuPercent", "cpu-share", PERCENT, 1,                        \
      "processor time, as a share")                                            \
    X(CPU_TIME, "cpuTimeMs", "cpu-time", MS, 1,                                \
      "processor time of all processes")                                       \
    X(SILENCE, "idleOutputMs", "silence", MS, 1, "time without any output")    \
    X(FILES, "openFiles", "files", COUNT_OF, 32,                               \
      "open descriptors of one process")                                       \
    X(FILE_SIZE, "fileSizeBytes", "file-size", BYTES, 4096,                    \
      "size of one file")                                                      \
    X(SCRATCH, "scratchBytes", "scratch", BYTES, 128 << 10,                    \
      "bytes in the private root")                                             \
    X(SCRATCH_FILES, "scratchInodes", "scratch-files", COUNT_OF, 256,          \
      "files in the private root")                                             \
    X(WRITTEN, "writtenBytes", "written", BYTES, 1,                            \
      "bytes added to each writable path")                                     \
    X(WRITTEN_FILES, "writtenInodes", "written-files", COUNT_OF, 1,            \
      "files added to each writable path")                                     \
    X(OUTPUT, "outputBytes", "output", BYTES, 1, "bytes of output")            \
    X(CONNECTIONS, "connections", "connections", COUNT_OF, 1,                  \
      "network connections at one time")                                       \
    X(NETWORK, "networkBytes", "network", BYTES, 1, "bytes over the network")

enum limit {
#define X(id, name, word, unit, least, what) LIMIT_##id,
    LIMITS(X)
#undef X
        LIMIT_COUNT
};

#define LIMIT_BIT(l) (1u << (l))

enum limit_unit {
    LIMIT_BYTES = 0,
    LIMIT_COUNT_OF, /* of things */
    LIMIT_PERCENT,  /* of one processor */
    LIMIT_MS
};

struct limit_row {
    const char *name; /* in a request */
    const char *word; /* on a command line */
    enum limit_unit unit;
    uint64_t least;
    const char *what;
};

extern const struct limit_row limit_rows[LIMIT_COUNT];

/* Those that one command can have lower, by their word on a command line: the
 * resource of getrlimit(2), and the word of one; -1, NULL: there is none. */
int limit_resource(const char *word);
const char *limit_word(uint64_t resource);

/* By either name; LIMIT_COUNT: there is none. */
enum limit limit_find(const char *name, size_t len);

/* A value as people write it ("512M", "64", "50%", "10s"): 0, or -EINVAL,
 * -ERANGE.  0 is a value for swap alone. */
int limit_value(enum limit l, const char *text, uint64_t *out);

/* The value with its unit: "536870912 bytes", "50 %". */
void limit_print(enum limit l, uint64_t value, struct buf *out);

#endif

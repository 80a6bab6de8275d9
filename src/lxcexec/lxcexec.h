/* lxcexec.h - MXC 1.0.1's Linux command line on our engine.
 *
 * What is compatible here is what a program can depend on: flags, exit codes,
 * which stream something goes to, the first words of a line.  docs/
 * compatibility.md lists where we differ, and why. */
#ifndef MXC_LXCEXEC_LXCEXEC_H
#define MXC_LXCEXEC_LXCEXEC_H

#include "api/prepare.h"
#include "base/buf.h"
#include "supervise/net_report.h"
#include "supervise/supervise.h"

/* Statuses that are not the workload's.  DOOR_FAILED is MXC's -1. */
enum { DOOR_OK = 0, DOOR_REFUSED = 1, DOOR_USAGE = 2, DOOR_FAILED = 255 };

/* What a command line said. */
struct args {
    const char *path;
    const char *config;
    const char *config_base64;
    const char *container;
    const char *log_file;
    const char *runtimes; /* of --setup-hyperlight, the first list */
    bool setup;
    bool force;
    bool debug;
    bool delete;
    bool experimental;
    bool lists_backends;
    bool dry_run;
};

/* Returns -1 to go on, else the status to end with: help was printed, or the
 * command line was wrong. */
int args_parse(struct args *a, char **argv);

/* Where the lines about a run go: into a file, and with --debug to standard
 * error; without it they are kept for whoever shows them at the end. */
struct log {
    int fd; /* -1: none */
    bool debug;
    struct buf kept;
};

/* A file that cannot be opened is a warning. */
void log_open(struct log *l, const char *path);
void log_line(struct log *l, const char *fmt, ...) printf_like(2, 3);
/* Into the file alone. */
void log_file_line(const struct log *l, const char *fmt, ...) printf_like(2, 3);

/* One run, from the command line to its end. */
struct door {
    struct args args;
    struct arena arena;
    struct log log;
    const char *text;
    size_t len;
    struct request *request;
    struct prepared prepared;
    struct plan_view plan;
    void *packed;
    size_t packed_len;
    char launcher[PATH_MAX];
    uint64_t start_ms;
    char *const *environment;
};

/* The caller's variable "NAME="; NULL where there is none. */
const char *door_variable(const struct door *d, const char *name);

/* delete.c */
int delete_container(const struct door *d);

/* acquire.c: the request's text, from where the arguments say. */
int acquire(struct door *d, struct err *e);

/* backends.c */
int list_backends(void);
int refuse_setup(const struct args *a);
/* Why this containment is not to be had, or NULL; *out is its room. */
const char *unavailable(enum containment c, bool experimental, char out[160]);

/* hash.c: the event that names the policy, one line of JSON. */
void policy_event(const struct request *r, struct buf *out);

/* render.c: all of it for people, and the one line for programs. */
void say(int fd, const struct buf *b);
/* What was asked for, to standard output: the status, or DOOR_FAILED where
 * it could not be written. */
int answer(const struct buf *b, int status);
void say_text(int fd, const char *fmt, ...) printf_like(2, 3);
void say_parse_error(const struct log *l, const struct err *e);
void say_failure(const struct err *e);
void say_json(const struct err *e);
void say_warnings(struct log *l, const struct policy *p,
                  const struct net_report *net);
void log_header(struct log *l, const struct request *r);
/* Message and place in one line. */
void one_line(struct buf *out, const struct err *e);

#endif

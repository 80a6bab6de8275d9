/* parts.h - what the files of the broker share; not for others.
 *
 * Conventions inside the broker: leaf functions return a descriptor or 0, or
 * -errno.  A call handler returns 0 (answer: success), -errno (answer: that
 * error) or ANSWERED. */
#ifndef MXC_BROKER_PARTS_H
#define MXC_BROKER_PARTS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>

#include "base/scoped.h"
#include "broker/broker.h"
#include "sys/watched.h"

enum { MAX_LINKS = 40, MAX_HELPERS = 16, MAX_SOCKETS = 512 };

/* The answer has been sent, or a helper will send it. */
enum { ANSWERED = 1 };

struct absent {
    int dir;           /* O_PATH, shared by those with one dir */
    const char **part; /* components below dir */
    size_t nparts;
};

struct socket_record {
    int fd; /* O_PATH: keeps the inode number taken */
    dev_t dev;
    ino_t ino;
};

struct helper {
    int pidfd;    /* -1: free */
    int listener; /* not owned */
    uint64_t id;  /* the notification that it answers */
};

enum { CALLS = 512 };

/* Paths of a call, and what a program leads to. */
enum { SIGHTS = 6 };
_Static_assert(SIGHTS > (int)WATCHED_PATHS, "room for interpreters");

struct report;

struct broker {
    struct report *report; /* NULL: none is wanted */
    bool creates;
    bool unix_sockets;
    bool is_narrowed; /* who is served now may less than the broker */
    struct absent *absent;
    size_t nabsent;
    const char **name; /* every component of every absent, sorted */
    size_t nnames;
    char *text; /* where the components are stored */
    dev_t *private_dev;
    size_t nprivate;
    int root; /* O_PATH of "/" */
    int proc; /* O_PATH of "/proc" */
    int diag; /* NETLINK_SOCK_DIAG, or -1 */
    unsigned diag_seq;
    int listener; /* the one that is set up, not owned */
    struct socket_record sock[MAX_SOCKETS];
    size_t nsock;
    size_t prune_at; /* so many of them are looked at again */
    struct helper helper[MAX_HELPERS];
    void *request; /* struct seccomp_notif, of the kernel's size */
    size_t request_size;
};

/* The task whose call is being decided. */
struct caller {
    struct broker *b;
    int listener;
    uint64_t id;
    pid_t tid;
    pid_t tgid;     /* 0: not asked yet */
    unsigned links; /* symlinks followed so far */
    bool via_proc;  /* a path led through /proc */
};

/* ioctl(2) with the request as the kernel takes it: musl's is an int. */
static inline long notif_ioctl(int fd, unsigned long request, void *arg)
{
    return syscall(SYS_ioctl, fd, request, arg);
}

/* caller.c: reading the caller.  Everything read is only worth something
 * when caller_waits says yes afterwards. */
bool caller_waits(const struct caller *c);
int caller_path(const struct caller *c, uint64_t addr, char out[PATH_MAX]);
int caller_sockaddr(const struct caller *c, uint64_t addr, uint64_t len,
                    struct sockaddr_storage *out);
pid_t caller_tgid(struct caller *c);
int caller_umask(const struct caller *c, mode_t *out);
/* The name of its process; "" where that cannot be known. */
void caller_name(const struct caller *c, char out[16]);
/* An O_PATH descriptor of the caller's working directory or descriptor. */
int caller_cwd(const struct caller *c);
int caller_base(const struct caller *c, int dirfd, const char *path);
/* The caller's own open file (pidfd_getfd(2)). */
int caller_file(struct caller *c, int fd);
/* O_PATH of the caller's controlling terminal. */
int caller_tty(const struct caller *c);
/* Whether a signal waits that the caller handles. */
bool caller_has_signal(const struct caller *c);

/* walk.c: paths.  Where the last component of a path stands, or (for the
 * caller's own /proc/PID/fd/N) the thing itself. */
struct place {
    int parent; /* O_PATH directory, or -1 */
    int object; /* O_PATH, or -1 */
    bool slash; /* the path ended with one */
    char name[NAME_MAX + 1];
    char arg[NAME_MAX + 2]; /* the name, with the slash */
};

#define PLACE_NONE                                                             \
    {                                                                          \
        .parent = -1, .object = -1                                             \
    }

void place_drop(struct place *p);
int walk_parent(struct caller *c, int base, const char *path,
                struct place *out);
/* Replace *p by where its link (an O_PATH descriptor) leads. */
int walk_link(struct caller *c, struct place *p, int link);
/* An O_PATH descriptor of what the path names. */
int walk_object(struct caller *c, int base, const char *path, bool follow);
void proc_self_fd(int fd, char out[32]);

/* absent.c: the rule on denied paths that do not exist. */
enum verdict { FREE = 0, ON_THE_WAY, DENIED };

int absent_init(struct broker *b, const struct broker_config *c, struct err *e);
void absent_fini(struct broker *b);
/* Whether any absent path has a component of this name, wherever. */
bool absent_has_name(const struct broker *b, const char *name);
enum verdict absent_verdict(const struct broker *b, int parent,
                            const char *name);

/* create.c, open.c, unix.c: the calls; a[] as in the *at form. */
int do_open(struct caller *c, const uint64_t a[]);
int do_mkdir(struct caller *c, const uint64_t a[]);
int do_mknod(struct caller *c, const uint64_t a[]);
int do_link(struct caller *c, const uint64_t a[]);
int do_symlink(struct caller *c, const uint64_t a[]);
int do_rename(struct caller *c, const uint64_t a[]);
int do_bind(struct caller *c, const uint64_t a[]);
int do_connect(struct caller *c, const uint64_t a[]);

/* sockets.c: which socket inodes are the sandbox's own. */
int sockets_init(struct broker *b, const struct broker_config *c,
                 struct err *e);
void sockets_fini(struct broker *b);
bool sockets_on_private(const struct broker *b, dev_t dev);
bool sockets_allowed(const struct broker *b, const struct stat *st);
/* 0 or -ENOMEM when no further one can be kept. */
int sockets_reserve(struct broker *b);
/* Record the inode at parent/name if it is what the socket was bound to. */
void sockets_record(struct broker *b, int sock, int parent, const char *name);

/* helper.c: calls that wait. */
struct job {
    enum { JOB_OPEN, JOB_CONNECT } kind;
    int fd;    /* O_PATH to reopen, or the socket */
    int flags; /* of open(2) */
    struct sockaddr_storage addr;
    socklen_t len;
};

void helpers_init(struct broker *b);
/* Reap those that ended, kill those whose caller is gone. */
void helpers_tend(struct broker *b);
void helpers_fini(struct broker *b);
/* ANSWERED, or -errno. */
int helper_start(struct caller *c, const struct job *j);

/* report.c: what is refused and used, for who wants to know. */
int report_init(struct broker *b, const struct broker_config *c, struct err *e);
void report_fini(struct broker *b);

/* What the filter by itself would say to a call. */
uint32_t report_verdict(const struct broker *b, int nr, const uint64_t args[6]);

/* A call that is about to go on: would it be refused? */
void report_look(struct caller *c, int nr, const uint64_t args[6]);

/* Before and after a call that the broker carries out; 0 or errno. */
void report_begin(struct caller *c, int nr, const uint64_t args[6]);
void report_end(struct caller *c, int sys);

/* A call that was answered with an errno by the filter's verdict. */
void report_refused(struct caller *c, int nr, int sys);

/* foresee.c: one path of a call that is yet to be carried out. */
struct sight {
    const char *call;
    enum watch_how how;
    int flags;
    uint32_t owner[2]; /* user and group that it shall have */
    int base;          /* where a relative path begins */
    enum watch_op op;  /* by foresee */
    int sys;           /* 0, or what it will be refused with */
    char path[PATH_MAX];
};

/* What the kernel will say, 0 for yes; fills in op. */
int foresee(struct sight *s);
/* An O_PATH descriptor of what a path leads to, by no link of /proc. */
int sight_hold(int base, const char *path, int flags);
/* Do two names of one call, the last of which is made, lie in different mounts?
 * Then it is EXDEV, for the kernel, before anything else of both. */
bool sights_are_apart(const struct sight *old, const struct sight *made);
/* The path from the root, without "//" and ".", and ".." as the kernel goes up.
 * *is_on_way: not that, but the directory before a "..", which is not found.
 * False: it is not known. */
bool sight_name(const struct sight *s, char out[PATH_MAX], bool *is_on_way);
/* The same of what it leads to, as the kernel follows links.  False and errno:
 * ENOENT, ENOTDIR and EINVAL, where it is the call that fails. */
bool sight_resolve(const struct sight *s, char out[PATH_MAX]);

/* told.c: what was told, and how often it has happened since. */
struct told;

struct told *told_create(broker_tell *tell, size_t keys, bool is_patient);
void told_destroy(struct told *t);
/* Once more.  True: it is to be told now, by told_tell. */
bool told_count(struct told *t, uint64_t key, bool is_allowed);
/* One of which nothing else is known. */
void told_lose(struct told *t, bool is_allowed);
/* One that was counted. */
void told_tell(struct told *t, struct broker_seen *r);
/* All that waits; at most so long in all.  What finds no room is lost. */
void told_settle(struct told *t, int most_ms);
/* All that waits, as far as there is room. */
void told_refresh(struct told *t);
bool told_is_stale(const struct told *t);

/* broker.c: answering. */
void answer(int listener, uint64_t id, int error);
/* Give the file to the caller and close our descriptor of it; ANSWERED, or
 * -errno and *fd is still open. */
int answer_fd(const struct caller *c, int *fd, bool cloexec);

#endif

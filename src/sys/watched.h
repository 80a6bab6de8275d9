/* watched.h - the system calls that a report of refusals looks at: those that
 * name a path, and what each is about to do with it.  Plain data; the filter
 * hands them to the broker, the broker judges them by this table. */
#ifndef MXC_SYS_WATCHED_H
#define MXC_SYS_WATCHED_H

enum watch_op {
    WATCH_READ = 1,
    WATCH_WRITE,
    WATCH_CREATE,
    WATCH_DELETE,
    WATCH_EXEC,
    WATCH_LOOK, /* at what there is, and not into it */
    WATCH_CONNECT,
    WATCH_NODE,  /* of a device, made nowhere */
    WATCH_OWNER, /* that the sandbox does not have */
    WATCH_CALL   /* no path: the call itself is refused */
};

/* How the last of the numbers below is read. */
enum watch_how {
    HOW_LOOK = 1, /* at it, whatever it is */
    HOW_LINK,     /* at it, and not behind a link */
    HOW_STAT,     /* AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH */
    HOW_ACCESS,   /* R_OK and so on */
    HOW_OPEN,     /* O_* */
    HOW_CREAT,
    HOW_WRITE,
    HOW_ATTRIBUTE, /* its mode, owner, times or the like, which takes no leave
                    * to write; AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH */
    HOW_LINK_ATTRIBUTE,
    HOW_OWNER, /* user and group stand behind the path, or the descriptor */
    HOW_LINK_OWNER,
    HOW_ENTER,
    HOW_MAKE, /* what is not there */
    HOW_NODE, /* the same, of that mode */
    HOW_BIND, /* the same: the path in a socket's address, and its length */
    HOW_PUT,  /* or in the place of what is there */
    HOW_REMOVE,
    HOW_EXEC,
    HOW_CONNECT /* the path in a socket's address, and its length */
};

enum { WATCH_CWD = -1, WATCH_NO = -1 };

/* Numbers of arguments: of the directory (or WATCH_CWD), of the path, and of
 * flags (or WATCH_NO).  Without a path it is about what the descriptor is. */
struct watched {
    const char *name;
    enum watch_how how;
    signed char dir, path, flags;
};

/* The row of a call, by its name; NULL: it is not watched.  One with two paths
 * is two: the row behind it has the same name, and the name that is made. */
const struct watched *watched_call(const char *name);

enum { WATCHED_PATHS = 2 };

/* "read", "create", ... */
const char *watch_op_name(enum watch_op op);

/* The filter lets pass an execve(2) of our own, since who would judge it waits
 * for its end: it is the one with a certain number in the sixth register, of
 * which the call takes three.  This stands in for it in a plan; init puts one
 * in its place that is drawn for the run (seccomp_filter_mark). */
#define WATCH_OWN_EXEC 0x6d78632d6f776e21ull

#endif

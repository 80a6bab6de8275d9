/* crowd.h - so many busy processes in a sandbox that the host notices.
 *
 * fork(2), execve(2), mmap(2) and exit(2) lock each file that is mapped, libc's
 * among them, and a process of the host that maps the same file waits behind
 * those that wait for it here.  Who is given the lock must get a processor
 * before it can use it, and give it on: beside hundreds of others that are busy
 * too, each of them with a turn of some milliseconds, that takes a second, and
 * a queue of them takes as long as they like.  How many there are is bounded;
 * what a processor does for them in which order no interface tells it.
 *
 * So the busy ones of a crowd are stopped for a moment, again and again, as by
 * SIGSTOP: whoever is in the kernel goes on to its edge, on processors that
 * have nothing else to do, and the queues are empty. */
#ifndef MXC_LAUNCH_CROWD_H
#define MXC_LAUNCH_CROWD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CROWD_MAX = 2048 }; /* of these no more are stopped */

struct crowd {
    int proc;       /* "/proc"; -1: nobody is looked at */
    unsigned most;  /* busy processes, up to a crowd */
    int64_t due_ms; /* when to look, or to let go on */
    bool is_paused; /* all are, by somebody else */
    bool is_halted; /* these are: */
    unsigned nbusy;
    pid_t busy[CROWD_MAX];
};

/* -1 in `proc` where it cannot be looked at: policy denies /proc. */
void crowd_begin(struct crowd *c);

/* Until crowd_tend has something to do, as poll(2) takes it. */
int crowd_patience(const struct crowd *c);

/* Of init alone: the others of its namespace are meant. */
void crowd_tend(struct crowd *c);

/* Before a signal of somebody else's is delivered: they go on, so that a stop
 * is theirs and not this one's.  From SIGSTOP to SIGCONT nobody is looked at.
 */
void crowd_signal(struct crowd *c, int number);

/* Is it stopped here, and by nobody else? */
bool crowd_halts(const struct crowd *c, pid_t pid);

#endif

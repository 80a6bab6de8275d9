/* proc_list.h - the processes of the sandbox, read without an allocation: init
 * makes none once the workload runs. */
#ifndef MXC_LAUNCH_PROC_LIST_H
#define MXC_LAUNCH_PROC_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* Each entry of that directory, /proc or the task/ of a process, whose name is
 * a number from `first` on: false is enough. */
void proc_each(int dir, int first,
               bool (*each)(void *context, const char *name), void *context);

/* What a file of a few hundred bytes holds; false: it cannot be read. */
bool proc_read(int dir, const char *path, char *text, size_t size);

/* The state in the text of a stat file, or 0 (proc_pid_stat(5)). */
char proc_state(const char *text);

#endif

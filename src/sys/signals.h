/* signals.h - signals that come from a descriptor (signalfd(2)) instead of by
 * a handler: from then on they are blocked, and no others. */
#ifndef MXC_SYS_SIGNALS_H
#define MXC_SYS_SIGNALS_H

#include <stdbool.h>

/* Does it ask a program to end, or make it? */
bool signals_is_end(int number);

/* Those that ask, and can be taken.  The descriptor, or -errno. */
int signals_take_ends(void);

/* Those, and what else somebody may send to a command by way of us. */
int signals_take_passed(void);

#endif

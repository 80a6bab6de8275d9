/* capture.h - the record of what was refused, as a file of the caller's
 * (processContainer.captureDenials.outputPath of a request). */
#ifndef MXC_SUPERVISE_CAPTURE_H
#define MXC_SUPERVISE_CAPTURE_H

#include "base/outcome.h"
#include "plan/plan.h"

struct net_report;

struct capture {
    const char *path; /* NULL: none is wanted; of the plan */
    const char *name; /* its last component */
    int dir;          /* that it is to be in, or -1 */
    bool is_written;
    int exit_code;
    uint64_t total;
    bool is_cut;    /* there were more than are listed, or may have been */
    struct err err; /* why there is no file */
};

/* Before the run: the directory must be there, and no directory of the file's
 * name. */
int capture_open(const struct plan_view *plan, struct capture *out,
                 struct err *e);

/* After it: all of the file or none, in place of what had its name.  What had
 * it is replaced and not followed, for an earlier workload may have made it. */
void capture_write(struct capture *c, const struct result *r,
                   const struct net_report *net);

/* A member ,"outputMetadata":{...} of a result, where a record was wanted. */
void capture_json(const struct capture *c, struct buf *out);

#endif

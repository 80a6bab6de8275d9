/* tell.h - records to the supervisor: what was decided, and what failed. */
#ifndef MXC_GATEWAY_TELL_H
#define MXC_GATEWAY_TELL_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/proto.h"

struct gw;
struct target;

struct gateway_record *tell_begin(struct gateway_record *r,
                                  enum gateway_kind kind,
                                  enum gateway_what what,
                                  const struct target *t);
/* Is there something that there was no room for?  And tell it, if there is
 * now. */
bool tell_is_owing(const struct gw *g);
void tell_owed(struct gw *g);
void tell(struct gw *g, const struct gateway_record *r);
void tell_verdict(struct gw *g, enum gateway_what what, enum net_proto proto,
                  const struct target *t, const struct net_verdict *v,
                  uint32_t id);
void tell_refused(struct gw *g, enum gateway_what what, enum gateway_why why,
                  const struct target *t, int sys, const char *other);
void tell_failed(const struct err *e);
/* A bound of the gateway's own. */
void tell_limit(struct gw *g, const char *what);
/* A limit of the policy's: told in any case, if later. */
void tell_reached(struct gw *g, enum limit which);

#endif

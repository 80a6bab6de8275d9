/* check.h - rules between the fields of a request. */
#ifndef MXC_CONTRACT_CHECK_H
#define MXC_CONTRACT_CHECK_H

#include "contract/request.h"

/* Pure; e->where names the field, e->line stays 0. */
int check_request(const struct request *r, struct err *e);

#endif

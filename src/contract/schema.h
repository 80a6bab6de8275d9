/* schema.h - what the tables say, for editors, other languages and fuzzers. */
#ifndef MXC_CONTRACT_SCHEMA_H
#define MXC_CONTRACT_SCHEMA_H

#include "base/buf.h"
#include "contract/request.h"

/* JSON Schema (draft 2020-12) of every request of a contract, with a newline
 * at the end.  It accepts all that request_parse accepts; rules between
 * fields are not in it. */
void contract_schema(enum contract c, struct buf *out);

/* Every name and word of all contracts, as a libFuzzer dictionary. */
void contract_fuzz_dictionary(struct buf *out);

#endif

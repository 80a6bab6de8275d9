/* names.h - names in messages: shown safely, listed, and guessed. */
#ifndef MXC_CONTRACT_NAMES_H
#define MXC_CONTRACT_NAMES_H

#include "contract/table.h"

#define SHOWN_MAX 96

/* Text of a request for a message: hidden characters escaped, and cut to
 * SHOWN_MAX bytes.  Returns out. */
const char *shown(char out[SHOWN_MAX], const char *text, size_t len);

#define LISTED_MAX 384

/* "'a', 'b', 'c'": the names that exist in this contract.  Returns out. */
const char *listed_fields(char out[LISTED_MAX], const struct field *f,
                          enum contract c);
const char *listed_choices(char out[LISTED_MAX], const struct choice *list,
                           enum contract c);

/* The field or choice that was probably meant, or NULL. */
const char *meant_field(const struct field *f, enum contract c,
                        const char *name, size_t len);
const char *meant_choice(const struct choice *list, enum contract c,
                         const char *name, size_t len);

#endif

/* format.h - rules for the text of single fields. */
#ifndef MXC_CONTRACT_FORMAT_H
#define MXC_CONTRACT_FORMAT_H

#include "contract/table.h"

extern const struct format format_command; /* not empty */
extern const struct format format_path;    /* not blank, no '"' */
extern const struct format format_cidr;
extern const struct format format_host; /* the letters; policy/net.h the rest */
extern const struct format format_capability; /* of a ProcessContainer */
extern const struct format format_peer;       /* allowedProxyPeer */
extern const struct format format_file;       /* absolute, POSIX or Windows */
extern const struct format format_limit;      /* name of a limit */

#endif

/*
 * trusted: set_real_ip_from, the addresses whose word about a client's address counts; the same for http,
 * stream and mail.
 */
#ifndef SCRIPT_TRUSTED_H
#define SCRIPT_TRUSTED_H

#include "base/array.h"
#include "config/directive.h"
#include "net/address.h"

struct trusted {
    ARRAY(struct cidr) networks;       /* family AF_UNIX: unix sockets */
};

extern const struct type type_trusted;

bool trusted_has(const struct trusted *t, const struct peer *p);

#endif

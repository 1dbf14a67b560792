/*
 * access_rules: allow and deny, the same for http and stream: networks in order, the first that holds the
 * address decides.
 */
#ifndef CONFIG_ACCESS_RULES_H
#define CONFIG_ACCESS_RULES_H

#include "base/array.h"
#include "config/directive.h"
#include "net/address.h"

struct access_rule {
    struct cidr network;               /* family AF_UNSPEC: all; AF_UNIX: unix sockets */
    bool deny;
};

struct access_rules {
    ARRAY(struct access_rule) rules;
};

/* Both fill one struct access_rules: their rows name the same field. */
extern const struct type type_access_rule;
/* The .data of the two rows. */
extern const bool access_allow, access_deny;

enum access_answer { ACCESS_UNDECIDED, ACCESS_ALLOWED, ACCESS_DENIED };

enum access_answer access_rules_check(const struct access_rules *rules, const struct peer *p);

#endif

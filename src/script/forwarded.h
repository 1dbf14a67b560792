/*
 * forwarded: who a request comes from, where proxies that are trusted wrote it into a header such as
 * X-Forwarded-For.  Believes no address that is not vouched for by a trusted one behind it.
 */
#ifndef SCRIPT_FORWARDED_H
#define SCRIPT_FORWARDED_H

#include "net/address.h"

struct forwarded {
    const struct cidr *trusted;
    unsigned count;
    bool recursive;        /* go on while the address found is itself trusted */
};

/*
 * Follows one line, "client, proxy1, proxy2", from its end: while *p is trusted, the next address takes
 * its place (with its port, if one is there; 0 otherwise).  true: the whole line was followed, and a
 * line before this one may be; false: the walk is at its end, *p is the answer.
 */
bool forwarded_follow(const struct forwarded *f, struct str line, struct peer *p);

#endif

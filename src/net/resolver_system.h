/*
 * resolver_system: the files by which a machine says how names are looked up there: resolv.conf and hosts.
 * They are looked at once a second at most, and read again when they have changed.
 */
#ifndef NET_RESOLVER_SYSTEM_H
#define NET_RESOLVER_SYSTEM_H

#include "net/address.h"

enum { SYSTEM_SEARCH_MAX = 8, SYSTEM_SERVERS_MAX = 8 };

struct system_names {
    struct address servers[SYSTEM_SERVERS_MAX];
    unsigned server_count;             /* at least 1 */
    struct str search[SYSTEM_SEARCH_MAX];
    unsigned search_count;
    unsigned ndots;                    /* a name with fewer dots is searched for first */
};

/* What resolv.conf says now; *changed: it is not what it was at the last call. */
const struct system_names *system_names(bool *changed);
/* Addresses of a name in hosts: how many, at most `max`. */
unsigned system_hosts_find(struct str name, struct peer *found, unsigned max);

/* For tests. */
void system_names_parse(struct str text, struct system_names *names);

#endif

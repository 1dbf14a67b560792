/*
 * resolver_lookup: how one name becomes its addresses: the asking, chains of aliases, the list of domains
 * to search, the targets of a service.  What comes out is kept by resolver.c.
 */
#ifndef NET_RESOLVER_LOOKUP_H
#define NET_RESOLVER_LOOKUP_H

#include "net/resolver.h"
#include "net/resolver_ask.h"

/* What a name stands for; shared, unchanging. */
struct found {
    unsigned references;
    unsigned count;
    struct str name;                   /* of RESOLVE_NAME; behind the items */
    struct resolved items[];
};

static inline struct found *found_ref(struct found *f)
{
    f->references++;
    return f;
}
void found_unref(struct found *f);     /* may be NULL */
/* Without items and name so far, with room for them.  NULL: no memory. */
struct found *found_new(unsigned count, size_t name_len);

struct lookup_name {
    struct dns_name name;
    bool absolute;                     /* ended in a dot: no domain is added */
};

struct service_target;

struct lookup {
    struct resolver *resolver;         /* for the targets of a service */
    struct name_servers *servers;
    const struct resolver_conf *conf;
    bool system;                       /* search and hosts count */
    enum resolve_kind kind;
    struct lookup_name asked;
    struct dns_name name;              /* that is being asked for: an alias, with a domain */
    unsigned aliases, candidate;
    uint32_t ttl;                      /* seconds, over the chain */
    struct ask *ask;
    bool abandoned;                    /* nobody waits for it */
    struct service_target *targets;
    unsigned target_count;
    /* what came of it: */
    unsigned code;
    struct found *found;
    uint64_t valid;                    /* ms */
    void (*done)(void *owner);         /* it may be freed there */
    void *owner;
};

/* What is known without asking: from hosts.  false: ask. */
bool lookup_at_once(struct lookup *l);
/* `done` is called from the loop, never from here.  false: no memory. */
bool lookup_begin(struct lookup *l);
/* Whether anybody waits for it: otherwise what has been sent may be answered yet, and that is all. */
void lookup_abandon(struct lookup *l, bool abandoned);
/* What it holds; the struct is the caller's. */
void lookup_fini(struct lookup *l);

/* For the targets of a service: as resolve_start(), but the engine is not kept alive by it. */
struct resolve *resolve_start_inner(struct resolver *r, const struct dns_name *name,
                                    void (*wake)(void *owner), void *owner);

#endif

/*
 * resolver: what names stand for, asked of name servers without waiting.  An engine belongs to a
 * configuration of name servers, not to a generation: two `resolver` lines that say the same share it, and
 * what it knows, also over a reload.  Simultaneous questions about one name are one.
 *
 * Answers are kept for their TTL (or as valid= says), failures are not kept.  Not for use by more than one
 * thread.
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include "event/timer.h"
#include "net/address.h"

struct resolver;

struct resolver_conf {
    const struct address *servers;     /* with their ports */
    unsigned count;
    uint64_t valid;                    /* ms that answers are kept; 0: their TTL */
    bool ipv4, ipv6;                   /* addresses of which kind are asked for */
};

/* The engine of that configuration, with one more reference; nothing is opened before it is asked.
 * NULL: no memory. */
struct resolver *resolver_get(const struct resolver_conf *conf);
/* The one of this machine: resolv.conf and hosts, read again when they change. */
struct resolver *resolver_system(void);
struct resolver *resolver_ref(struct resolver *r);
void resolver_unref(struct resolver *r);       /* may be NULL */

enum resolve_kind {
    RESOLVE_ADDRESSES,                 /* A and AAAA */
    RESOLVE_SERVICE,                   /* SRV, and the addresses of its targets */
    RESOLVE_NAME,                      /* PTR: the name asked for is an address */
};

enum { RESOLVE_TIMED_OUT = 110 };      /* beyond enum dns_code; as nginx logs it */

struct resolved {
    struct peer peer;                  /* the port is that of SRV, or 0 */
    uint16_t priority, weight;         /* of SRV */
};

struct resolve_answer {
    unsigned code;                     /* 0: good; enum dns_code, or RESOLVE_TIMED_OUT */
    const struct resolved *items;
    unsigned count;
    unsigned first;                    /* which is to be used first, for turns among those who ask */
    struct str name;                   /* of RESOLVE_NAME */
    uint64_t valid;                    /* ms that this may be used; of failures: until it is worth asking */
};

struct resolve;

/*
 * Asks for a name ("www.example.com", or an address, which is its own answer).  `timeout` in ms; 0 waits
 * as long as it takes.  The answer may be there at once; otherwise wake(owner) is called, once, from the
 * loop.  End it with resolve_end(), at any time.  NULL: no memory.
 */
struct resolve *resolve_start(struct resolver *r, enum resolve_kind kind, struct str name,
                              uint64_t timeout, void (*wake)(void *owner), void *owner);
/* NULL: not yet.  Valid until resolve_end(). */
const struct resolve_answer *resolve_answer(const struct resolve *q);
void resolve_end(struct resolve *q);

/* "Host not found", for logs: "x could not be resolved (3: Host not found)". */
const char *resolve_code_text(unsigned code);

/* For tests: reads these files, not those of /etc. */
void resolver_system_files(const char *resolv_conf, const char *hosts);

#endif

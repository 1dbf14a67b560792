/*
 * networks: which value an IP address has, of up to millions of networks or ranges.  They are laid out
 * once as a row of borders in order of address, each with the value that holds from there on, so that a
 * look-up is a search in two small steps.  IPv4 is the part ::ffff:0:0/96 of IPv6: one table has both.
 */
#ifndef SCRIPT_NETWORKS_H
#define SCRIPT_NETWORKS_H

#include "base/array.h"
#include "net/address.h"

/* An address as a number. */
struct ip {
    uint64_t high, low;
};

struct ip ip_of(const struct peer *p);
struct ip ip_of_v4(uint32_t address);          /* host order */

static inline bool ip_less(struct ip a, struct ip b)
{
    return a.high < b.high || (a.high == b.high && a.low < b.low);
}

static inline bool ip_eq(struct ip a, struct ip b)
{
    return a.high == b.high && a.low == b.low;
}

static inline bool ip_is_v4(struct ip a)
{
    return a.high == 0 && a.low >> 32 == 0xffff;
}

struct network {
    struct ip first, last;
    uint32_t value;        /* 0: what no network has */
    uint32_t rank;         /* of the networks around an address the highest rank counts */
    uint32_t order;        /* and of those the latest; also the place in the caller's own list */
};

/* The addresses of a CIDR, and its length of prefix (of 128 bits) as rank. */
void network_of_cidr(struct network *n, const struct cidr *c);

enum {
    NETWORKS_STEP = 16,    /* borders in four lines of the processor's cache */
    NETWORKS_LEVELS = 9,   /* enough for 2 to the 33rd borders */
};

/* A row of borders; level 0 has them all, each further one every STEPth of the row below. */
struct network_level {
    const struct ip *list;
    unsigned count;
};

struct networks {
    const struct ip *borders;
    const uint32_t *values;            /* values[i] holds from borders[i] on */
    unsigned count, level_count;
    struct network_level levels[NETWORKS_LEVELS];
};

/* By first address, larger ones first, then by order. */
void networks_sort(struct network *list, unsigned count);
/* Lays out a sorted list in `a`. */
void networks_build(struct networks *n, struct arena *a, const struct network *list, unsigned count);
/* 0 where no network is. */
uint32_t networks_find(const struct networks *n, struct ip address);

#endif

/*
 * stats: what a worker is doing, counted in memory that all processes see.  Each worker writes its
 * own slot and reads all of them: no lock, and no line of cache that two write.
 */
#ifndef BASE_STATS_H
#define BASE_STATS_H

#include <stdatomic.h>
#include <stdint.h>

enum stat {
    STAT_ACCEPTED,         /* connections taken */
    STAT_HANDLED,          /* of those, the ones that were served */
    STAT_REQUESTS,
    STAT_READING,          /* connections now: reading a request's head */
    STAT_WRITING,          /* serving a request */
    STAT_WAITING,          /* idle */
    STATS,
};

/* 64 bytes and more: a cache line is nobody else's. */
struct stats_slot {
    _Atomic uint64_t values[STATS];
    uint64_t pad[8 - STATS];
};

/* The slot that this process counts in; one of its own until stats_share(). */
extern struct stats_slot *stats_own;

/* `count` slots, of which number `own` is this process's. */
void stats_share(struct stats_slot *slots, unsigned count, unsigned own);
/* A worker is gone: what it was doing is not done any more; what it has done stays counted. */
void stats_retire(struct stats_slot *slot);
/* Over all slots. */
uint64_t stats_sum(enum stat what);

/* Only the slot's own process writes it: an ordinary addition, in one piece for those who read. */
static inline void stats_add(enum stat what, int change)
{
    _Atomic uint64_t *value = &stats_own->values[what];

    atomic_store_explicit(value,
                          atomic_load_explicit(value, memory_order_relaxed) + (uint64_t)change,
                          memory_order_relaxed);
}

#endif

/*
 * stats: see stats.h.
 */
#include "base/stats.h"

static struct stats_slot single;
static struct stats_slot *all = &single;
static unsigned slot_count = 1;

struct stats_slot *stats_own = &single;

void stats_share(struct stats_slot *slots, unsigned count, unsigned own)
{
    all = slots;
    slot_count = count;
    stats_own = &slots[own];
}

void stats_retire(struct stats_slot *slot)
{
    for (unsigned i = STAT_READING; i < STATS; i++)
        atomic_store_explicit(&slot->values[i], 0, memory_order_relaxed);
}

uint64_t stats_sum(enum stat what)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < slot_count; i++)
        sum += atomic_load_explicit(&all[i].values[what], memory_order_relaxed);
    return sum;
}

/*
 * shared: see shared.h.
 */
#include "process/shared.h"

#include <stdatomic.h>
#include <sys/mman.h>

#include "base/stats.h"
#include "event/connection.h"
#include "net/listen.h"

struct shared {
    struct connection_counters counters;
    char pad[64 - sizeof(struct connection_counters)];
    struct listen_share shares[SHARED_SLOTS];
    struct stats_slot stats[SHARED_SLOTS];
};

static struct shared *shared;
static bool taken[SHARED_SLOTS];       /* the master's own knowledge */

bool shared_init(void)
{
    int flags = MAP_SHARED | MAP_ANONYMOUS;
    void *at = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, flags, -1, 0);

    if (at == MAP_FAILED)
        return false;
    shared = at;
    atomic_store(&shared->counters.next_number, 1);
    return true;
}

unsigned shared_take_slot(void)
{
    for (unsigned i = 0; i < SHARED_SLOTS; i++) {
        if (!taken[i]) {
            taken[i] = true;
            return i;
        }
    }
    return SHARED_NO_SLOT;
}

void shared_give_slot(unsigned slot)
{
    taken[slot] = false;
    atomic_store(&shared->shares[slot].alive, 0);
    atomic_store(&shared->shares[slot].connections, 0);
    stats_retire(&shared->stats[slot]);
}

void shared_use(unsigned slot, unsigned workers)
{
    /* Slots are given out from the lowest; twice as many are in use while all are being replaced. */
    unsigned count = 2 * workers + 2;

    if (count <= slot)
        count = slot + 1;
    if (count > SHARED_SLOTS)
        count = SHARED_SLOTS;
    connection_share_counters(&shared->counters);
    listen_share_with(shared->shares, count, slot);
    stats_share(shared->stats, SHARED_SLOTS, slot);
}

void shared_set_accepting(unsigned slot, bool on)
{
    atomic_store(&shared->shares[slot].alive, on);
}

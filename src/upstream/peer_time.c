/*
 * peer_time: see peer_time.h.
 */
#include "upstream/peer_time.h"

#include "base/clock.h"
#include "upstream/balance.h"

enum {
    SHARE = 4,             /* a new answer is one part of so many of the average */
    POINT = 16,            /* averages are kept in parts of a millisecond */
    GRAIN_MS = 20,         /* times that differ by less are alike */
};

/* Seconds beyond the peer's fail_timeout in which nobody has asked it. */
static unsigned idle_seconds(const struct upstream_peer *peer)
{
    time_t idle = clock_seconds() - peer->state->selected - peer->fail_timeout;

    return idle <= 0 ? 0 : idle > 31 ? 31 : (unsigned)idle;
}

void peer_time_note(const struct upstream_peer *peer, enum peer_time_kind kind, uint64_t ms)
{
    uint32_t *average = &peer->state->times[kind];
    uint64_t sample = (ms < UINT32_MAX / POINT ? ms : UINT32_MAX / POINT - 1) * POINT + 1;

    *average = (uint32_t)(*average ? ((uint64_t)*average * (SHARE - 1) + sample) / SHARE : sample);
}

void peer_time_note_failure(const struct upstream_peer *peer, uint64_t ms)
{
    for (unsigned kind = PEER_TIME_HEADER; kind <= PEER_TIME_LAST_BYTE; kind++) {
        if (ms > peer->state->times[kind] / POINT)
            peer_time_note(peer, (enum peer_time_kind)kind, ms);
    }
}

/* How long those who wait have waited so far, in the mean. */
static uint64_t waited_ms(const struct upstream_peer_state *state)
{
    uint64_t sum = clock_ms() * state->conns - state->starts;

    return state->conns && (int64_t)sum > 0 ? sum / state->conns : 0;
}

/* In grains, 1 for a quick one: halved for each second that nobody has asked it. */
static uint64_t time_of(const struct upstream_peer *peer, unsigned kind)
{
    const struct upstream_peer_state *state = peer->state;
    uint64_t ms = state->times[kind & ~(unsigned)PEER_TIME_INFLIGHT] / POINT >> idle_seconds(peer);

    if (kind & PEER_TIME_INFLIGHT) {
        uint64_t waited = waited_ms(state);
        ms = waited > ms ? waited : ms;
    }
    return ms / GRAIN_MS + 1;
}

static double load_of(const struct upstream_peer *peer, unsigned kind)
{
    return (double)time_of(peer, kind) * ((double)peer->state->conns + 1) /
           (double)balance_weight(peer);
}

int peer_time_compare(const struct upstream_peer *a, const struct upstream_peer *b, unsigned kind)
{
    double left = load_of(a, kind), right = load_of(b, kind);

    return left < right ? -1 : left > right;
}

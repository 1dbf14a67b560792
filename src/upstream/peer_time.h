/*
 * peer_time: how long a peer takes to answer, as an average in which a new answer counts for some part.
 * A peer that nobody asks any more is thought better of as time goes by, so that it gets another try.
 */
#ifndef UPSTREAM_PEER_TIME_H
#define UPSTREAM_PEER_TIME_H

#include "upstream/upstream.h"

/* What is waited for. */
enum peer_time_kind { PEER_TIME_HEADER, PEER_TIME_LAST_BYTE };

/* Of enum peer_time_kind, or with PEER_TIME_INFLIGHT: answers that are still awaited count too. */
enum { PEER_TIME_INFLIGHT = 2 };

/* An answer took `ms`. */
void peer_time_note(const struct upstream_peer *peer, enum peer_time_kind kind, uint64_t ms);
/* None came in that time: counts where it was longer than answers take, so that who is silent is not thought
 * quick. */
void peer_time_note_failure(const struct upstream_peer *peer, uint64_t ms);
/* Less than 0: `a` is quicker and less busy for its weight. */
int peer_time_compare(const struct upstream_peer *a, const struct upstream_peer *b, unsigned kind);

#endif

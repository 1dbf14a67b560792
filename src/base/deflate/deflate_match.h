/*
 * deflate_match: the two ways to find what the text repeats.  Each turns text from d->pos on into
 * symbols, until `stop` is reached (or passed by a match that began before it) or the symbols are
 * full.
 */
#ifndef BASE_DEFLATE_DEFLATE_MATCH_H
#define BASE_DEFLATE_DEFLATE_MATCH_H

#include "base/deflate/deflate_state.h"

/* Looks at the last place with the same hash, and nowhere else; level 1. */
void deflate_fast(struct deflate *d, uint32_t stop);
/* Its table holds places in the buffer, which move by `by`. */
void deflate_fast_slide(struct deflate *d, uint32_t by);

/* Follows chains of positions with the same hash; levels 2 to 9. */
void deflate_chain(struct deflate *d, uint32_t stop);

/* Where four bytes go in a table of 1 << bits entries. */
static inline uint32_t deflate_hash(uint32_t word, unsigned bits)
{
    return word * UINT32_C(0x9e3779b1) >> (32 - bits);
}

static inline uint32_t deflate_least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* The index in the buffer from which on fewer than four bytes are left. */
static inline uint32_t deflate_words(const struct deflate *d)
{
    return d->end < MATCH_MIN ? 0 : d->end - (MATCH_MIN - 1);
}

#endif

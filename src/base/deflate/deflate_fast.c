/*
 * deflate_fast: see deflate_match.h.
 *
 * The table holds, by the hash of five bytes, where in the buffer they stood last.  What is found
 * there is compared with the text in any case, so that an entry may be stale or empty (0).  To go
 * by five bytes, though four are a match, finds fewer but longer ones: less to write, and sooner
 * done.
 */
#include "base/deflate/deflate_match.h"

/* May read bytes behind the text: they spoil no more than this entry. */
static inline uint32_t hash_of(const unsigned char *text, unsigned bits)
{
    return (uint32_t)((word_load64(text) << 24) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - bits));
}

/* Goes up to `stop`, for which there is room among the symbols, as no byte makes more than one. */
static void match_up_to(struct deflate *d, uint32_t stop, uint32_t words)
{
    const unsigned char *buffer = d->buffer, *text = buffer + d->pos, *text_end = buffer + stop;
    struct deflate_symbol *symbol = d->symbols + d->symbol_count;
    uint32_t *counts = d->counts;
    uint16_t *head = d->head;
    uint32_t window = d->window;
    unsigned bits = d->hash_bits;

    while (text < text_end) {
        uint32_t word = word_load32(text), pos = (uint32_t)(text - buffer);
        uint16_t *slot = &head[hash_of(text, bits)];
        const unsigned char *old = buffer + *slot;
        uint32_t dist = (uint32_t)(text - old);
        *slot = (uint16_t)pos;
        if (word_load32(old) != word || dist - 1 >= window) {
            *symbol++ = (struct deflate_symbol){ *text, 0 };
            counts[*text++]++;
            continue;
        }
        unsigned max = deflate_least(MATCH_MAX, d->end - pos);
        unsigned len = word_match(old, text, MATCH_MIN, max);
        deflate_match(symbol, counts, len, dist);
        symbol += 2;
        if (pos + len <= words) {
            head[hash_of(text + 1, bits)] = (uint16_t)(pos + 1);
            head[hash_of(text + len - 1, bits)] = (uint16_t)(pos + len - 1);
        }
        text += len;
    }
    d->pos = (uint32_t)(text - buffer);
    d->symbol_count = (uint32_t)(symbol - d->symbols);
}

void deflate_fast(struct deflate *d, uint32_t stop)
{
    uint32_t words = deflate_words(d);

    stop = deflate_least(stop, words);
    while (d->pos < stop && d->symbol_count < d->symbol_room)
        match_up_to(d, deflate_least(stop, d->pos + (d->symbol_room - d->symbol_count)), words);
}

void deflate_fast_slide(struct deflate *d, uint32_t by)
{
    for (uint32_t i = 0; i < UINT32_C(1) << d->hash_bits; i++)
        d->head[i] = (uint16_t)(d->head[i] < by ? 0 : d->head[i] - by);
}

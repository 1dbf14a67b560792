/*
 * deflate_fast: see deflate_match.h.
 */
#include "base/deflate/deflate_match.h"

#ifndef PAIR
#define PAIR 1
#endif
void deflate_fast(struct deflate *d, uint32_t stop)
{
    const unsigned char *buffer = d->buffer, *text = buffer + d->pos;
    uint32_t words = d->end < 4 ? 0 : d->end - 3;
    uint32_t *table = d->pairs;
    uint32_t *symbol = d->symbols + d->symbol_count, *counts = d->counts;
    unsigned shift = 32 - d->hash_bits;
    uint32_t window = d->window;

    stop = deflate_least(stop, words);
    if (stop > d->pos + (d->symbol_room - d->symbol_count))
        stop = d->pos + (d->symbol_room - d->symbol_count);
    const unsigned char *text_end = buffer + stop;
    while (text < text_end) {
        uint32_t word = word_load32(text);
        uint32_t *slot = &table[word * UINT32_C(0x9e3779b1) >> shift];
        uint32_t pair = *slot;
        *slot = pair << 16 | (uint32_t)(text - buffer);
        const unsigned char *old = buffer + (pair & 0xffff);
        if (word_load32(old) != word) {
#if PAIR
            old = buffer + (pair >> 16);
            if (word_load32(old) != word) {
#endif
            literal:
                *symbol++ = *text;
                counts[*text++]++;
                continue;
#if PAIR
            }
#endif
        }
        uint32_t dist = (uint32_t)(text - old), pos = (uint32_t)(text - buffer);
        if (dist - 1 >= window)
            goto literal;
        unsigned len = word_match(old, text, 4, deflate_least(MATCH_MAX, d->end - pos));
        deflate_match(symbol, counts, len, dist);
        symbol += 2;
        if (pos + 1 < words) {
            slot = &table[word_load32(text + 1) * UINT32_C(0x9e3779b1) >> shift];
            *slot = *slot << 16 | (pos + 1);
        }
        text += len;
    }
    d->pos = (uint32_t)(text - buffer);
    d->symbol_count = (uint32_t)(symbol - d->symbols);
}

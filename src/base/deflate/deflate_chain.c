/*
 * deflate_chain: see deflate_match.h.
 */
#include "base/deflate/deflate_match.h"

struct match {
    unsigned len;
    uint32_t dist;
};

/* Makes the text at pos, of which four bytes are there, known.  Returns what was known before. */
static inline uint16_t insert(struct deflate *d, uint32_t pos, uint32_t word)
{
    uint32_t at = d->origin + pos;
    uint16_t *head = &d->head[deflate_hash(word, d->hash_bits)], before = *head;

    d->prev[at & (d->window - 1)] = before;
    *head = (uint16_t)at;
    return before;
}

/* The longest match at pos that is longer than `least`, else one of length 0.  It is called twice
 * and at every other byte: as a function of its own it costs a tenth more. */
__attribute__((always_inline)) static inline struct match find(struct deflate *d, uint32_t pos,
                                                               unsigned least)
{
    const unsigned char *text = d->buffer + pos;
    uint32_t word = word_load32(text), at = d->origin + pos;
    uint32_t place = insert(d, pos, word), dist = (uint16_t)(at - place), before = 0;
    uint32_t mask = d->window - 1;
    const uint16_t *prev = d->prev;
    uint32_t reach = deflate_least(pos, d->window);
    unsigned max = deflate_least(MATCH_MAX, d->end - pos);
    unsigned nice = deflate_least(d->level->nice, max);
    unsigned chain = least >= d->level->good ? d->level->chain / 4u : d->level->chain;
    unsigned best = least < MATCH_MIN ? MATCH_MIN - 1 : least;
    struct match found = { 0, 0 };

    if (best >= max)
        return found;
    /* An entry that was overwritten leads to a place that is no farther: the chain ends there. */
    while (dist > before && dist <= reach) {
        const unsigned char *old = text - dist;
        unsigned tail = best + 1 - MATCH_MIN;
        if (word_load32(old + tail) == word_load32(text + tail) && word_load32(old) == word) {
            unsigned len = word_match(old, text, MATCH_MIN, max);
            if (len > best) {
                best = len;
                found = (struct match){ len, dist };
                if (len >= nice)
                    break;
            }
        }
        if (--chain == 0)
            break;
        before = dist;
        place = prev[place & mask];
        dist = (uint16_t)(at - place);
    }
    return found;
}

void deflate_chain(struct deflate *d, uint32_t stop)
{
    uint32_t words = deflate_words(d);

    stop = deflate_least(stop, words);
    while (d->pos < stop && d->symbol_count < d->symbol_room) {
        struct match m = find(d, d->pos, 0);
        uint32_t known = d->pos + 1;
        if (m.len == 0) {
            deflate_literal(d, d->buffer[d->pos++]);
            continue;
        }
        while (m.len < d->level->lazy && d->pos + 1 < words &&
               d->symbol_count + 1 < d->symbol_room) {
            struct match next = find(d, known++, m.len);
            if (next.len <= m.len)
                break;
            m = next;
            deflate_literal(d, d->buffer[d->pos++]);
        }
        deflate_match(d->symbols + d->symbol_count, d->counts, m.len, m.dist);
        d->symbol_count += 2;
        d->pos += m.len;
        uint32_t until = deflate_least(d->pos, words);
        for (; known < until; known++)
            insert(d, known, word_load32(d->buffer + known));
    }
}

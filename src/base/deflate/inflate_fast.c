/*
 * inflate_fast: see inflate_block.h.
 */
#include "base/deflate/inflate_block.h"
#include "base/deflate/word.h"

enum { WORDS_READ = 16 };  /* bytes of input that one round may look at */

/* Copies len bytes within the buffer, and up to seven more. */
static inline void copy_words(unsigned char *to, uint32_t dist, uint32_t len)
{
    const unsigned char *from = to - dist;
    unsigned char *end = to + len;

    if (dist >= 8) {
        do {
            word_store64(to, word_load64(from));
            to += 8;
            from += 8;
        } while (to < end);
    } else if (dist == 1) {
        memset(to, *from, len);
    } else {
        do
            *to++ = *from++;
        while (to < end);
    }
}

/* Bits of the input, 56 at least after refill(). */
struct reader {
    const unsigned char *in;
    uint64_t bits;
    unsigned count;
};

/* The word that is read always begins with the first byte of which no bit is there yet. */
static inline void refill(struct reader *r)
{
    r->bits |= word_load64(r->in) << r->count;
    r->in += (63 - r->count) >> 3;
    r->count |= 56;
}

static inline void skip(struct reader *r, unsigned count)
{
    r->bits >>= count;
    r->count -= count;
}

static inline uint32_t peek(const struct reader *r, const uint32_t *table, unsigned root)
{
    return table[r->bits & ((1u << root) - 1)];
}

/* The next entry, behind a link if there is one; not skipped yet. */
static inline uint32_t follow(struct reader *r, const uint32_t *table, uint32_t entry,
                              unsigned root)
{
    if (!(entry & TABLE_LINK))
        return entry;
    skip(r, root);
    return inflate_second(table, entry, r->bits);
}

/* Gives back the bytes that were read ahead, but for those that an earlier call brought. */
static void give_back(struct inflate *i, struct inflate_io *io, struct reader *r)
{
    unsigned ahead = r->count >> 3;

    if (ahead > (size_t)(r->in - io->in))
        ahead = (unsigned)(r->in - io->in);
    r->in -= ahead;
    r->count -= 8 * ahead;
    i->bits = r->bits & ((UINT64_C(1) << r->count) - 1);
    i->bit_count = r->count;
    io->in_len -= (size_t)(r->in - io->in);
    io->in = r->in;
}

void inflate_fast(struct inflate *i, struct inflate_io *io)
{
    const unsigned char *in_end = io->in + io->in_len;
    const uint32_t *litlen = i->litlen, *dists = i->dist;
    unsigned char *out = i->buffer + i->pos, *full = i->buffer + i->capacity;
    struct reader r = { io->in, i->bits, i->bit_count };

    while (in_end - r.in >= WORDS_READ && out < full) {
        refill(&r);
        uint32_t entry = peek(&r, litlen, LITLEN_ROOT);
        for (unsigned n = 0; n < 3 && entry & TABLE_LITERAL; n++) {
            skip(&r, entry & TABLE_BITS);
            *out++ = (unsigned char)(entry >> TABLE_VALUE);
            entry = peek(&r, litlen, LITLEN_ROOT);
        }
        if (entry & TABLE_LITERAL)
            continue;
        refill(&r);
        struct reader before = r;
        entry = follow(&r, litlen, entry, LITLEN_ROOT);
        if (entry & TABLE_LITERAL) {
            skip(&r, entry & TABLE_BITS);
            *out++ = (unsigned char)(entry >> TABLE_VALUE);
            continue;
        }
        uint32_t len = inflate_value(entry, r.bits);
        skip(&r, entry & TABLE_BITS);
        uint32_t match = follow(&r, dists, peek(&r, dists, DIST_ROOT), DIST_ROOT);
        uint32_t dist = inflate_value(match, r.bits);
        skip(&r, match & TABLE_BITS);
        if (((entry | match) & (TABLE_END | TABLE_BAD)) || dist > i->window ||
            dist > (size_t)(out - i->buffer)) {
            r = before;
            break;
        }
        copy_words(out, dist, len);
        out += len;
    }
    i->pos = (uint32_t)(out - i->buffer);
    give_back(i, io, &r);
}

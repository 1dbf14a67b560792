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

void inflate_fast(struct inflate *i, struct inflate_io *io)
{
    const unsigned char *in = io->in, *in_end = io->in + io->in_len;
    const uint32_t *litlen = i->litlen, *dists = i->dist;
    unsigned char *out = i->buffer + i->pos, *full = i->buffer + i->capacity;
    uint64_t bits = i->bits;
    unsigned count = i->bit_count;

    while (in_end - in >= WORDS_READ && out < full) {
        bits |= word_load64(in) << count;
        in += (63 - count) >> 3;
        count |= 56;

        uint32_t entry = litlen[bits & ((1u << LITLEN_ROOT) - 1)];
        if (entry & TABLE_LITERAL) {
            bits >>= entry & 63;
            count -= entry & 63;
            *out++ = (unsigned char)(entry >> TABLE_VALUE);
            entry = litlen[bits & ((1u << LITLEN_ROOT) - 1)];
            if (entry & TABLE_LITERAL) {
                bits >>= entry & 63;
                count -= entry & 63;
                *out++ = (unsigned char)(entry >> TABLE_VALUE);
                entry = litlen[bits & ((1u << LITLEN_ROOT) - 1)];
                if (entry & TABLE_LITERAL) {
                    bits >>= entry & 63;
                    count -= entry & 63;
                    *out++ = (unsigned char)(entry >> TABLE_VALUE);
                    continue;
                }
            }
            bits |= word_load64(in) << count;
            in += (63 - count) >> 3;
            count |= 56;
        }
        uint64_t saved = bits;
        unsigned saved_count = count;
        if (entry & TABLE_LINK) {
            unsigned second = entry >> TABLE_CODE_BITS & 15;
            bits >>= LITLEN_ROOT;
            count -= LITLEN_ROOT;
            entry = litlen[(entry >> TABLE_VALUE) + (bits & ((1u << second) - 1))];
            if (entry & TABLE_LITERAL) {
                bits >>= entry & 63;
                count -= entry & 63;
                *out++ = (unsigned char)(entry >> TABLE_VALUE);
                continue;
            }
        }
        uint64_t from = bits & ((UINT64_C(1) << (entry & 63)) - 1);
        uint32_t len = (entry >> TABLE_VALUE) + (uint32_t)(from >> (entry >> TABLE_CODE_BITS & 15));
        bits >>= entry & 63;
        count -= entry & 63;
        uint32_t match = dists[bits & ((1u << DIST_ROOT) - 1)];
        if (match & TABLE_LINK) {
            unsigned second = match >> TABLE_CODE_BITS & 15;
            bits >>= DIST_ROOT;
            count -= DIST_ROOT;
            match = dists[(match >> TABLE_VALUE) + (bits & ((1u << second) - 1))];
        }
        from = bits & ((UINT64_C(1) << (match & 63)) - 1);
        uint32_t dist = (match >> TABLE_VALUE) +
                        (uint32_t)(from >> (match >> TABLE_CODE_BITS & 15));
        bits >>= match & 63;
        count -= match & 63;
        if (((entry | match) & (TABLE_END | TABLE_BAD)) || dist > i->window ||
            dist > (size_t)(out - i->buffer)) {
            bits = saved;
            count = saved_count;
            break;
        }
        copy_words(out, dist, len);
        out += len;
    }
    /* Gives back the bytes that were read ahead, but for those that an earlier call brought. */
    unsigned ahead = count >> 3;
    if (ahead > (size_t)(in - io->in))
        ahead = (unsigned)(in - io->in);
    in -= ahead;
    count -= 8 * ahead;
    i->bits = bits & ((UINT64_C(1) << count) - 1);
    i->bit_count = count;
    i->pos = (uint32_t)(out - i->buffer);
    io->in_len -= (size_t)(in - io->in);
    io->in = in;
}

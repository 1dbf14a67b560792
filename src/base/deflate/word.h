/*
 * word: eight bytes at a time, for the compressor and the decompressor.  Bytes are put together by
 * hand so that no byte order is assumed; compilers make one load or store of it.
 */
#ifndef BASE_DEFLATE_WORD_H
#define BASE_DEFLATE_WORD_H

#include <stdint.h>
#include <string.h>

#include "base/os_bits.h"

static inline uint32_t word_load32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t word_load64(const unsigned char *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

static inline void word_store64(unsigned char *p, uint64_t value)
{
    p[0] = (unsigned char)value;
    p[1] = (unsigned char)(value >> 8);
    p[2] = (unsigned char)(value >> 16);
    p[3] = (unsigned char)(value >> 24);
    p[4] = (unsigned char)(value >> 32);
    p[5] = (unsigned char)(value >> 40);
    p[6] = (unsigned char)(value >> 48);
    p[7] = (unsigned char)(value >> 56);
}

/* How many bytes a and b have in common, `len` of which are known; at most `max`.  May read up to
 * eight bytes past max. */
static inline unsigned word_match(const unsigned char *a, const unsigned char *b, unsigned len,
                                  unsigned max)
{
    while (len < max) {
        uint64_t difference = word_load64(a + len) ^ word_load64(b + len);
        if (difference) {
            len += os_bits_zeros(difference) >> 3;
            return len < max ? len : max;
        }
        len += 8;
    }
    return max;
}

#endif

/*
 * murmur2: see murmur2.h.
 */
#include "base/digest/murmur2.h"

enum { MULTIPLIER = 0x5bd1e995, SHIFT = 24 };

uint32_t murmur2(struct str data)
{
    const unsigned char *p = (const unsigned char *)data.data;
    uint32_t hash = (uint32_t)data.len;
    size_t left = data.len;

    for (; left >= 4; left -= 4, p += 4) {
        uint32_t word = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                        (uint32_t)p[3] << 24;
        word *= MULTIPLIER;
        word ^= word >> SHIFT;
        hash = hash * MULTIPLIER ^ word * MULTIPLIER;
    }
    for (size_t i = left; i > 0; i--)
        hash ^= (uint32_t)p[i - 1] << 8 * (i - 1);
    if (left > 0)
        hash *= MULTIPLIER;
    hash ^= hash >> 13;
    hash *= MULTIPLIER;
    return hash ^ hash >> 15;
}

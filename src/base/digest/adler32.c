/*
 * adler32: see adler32.h.
 */
#include "base/digest/adler32.h"

enum {
    MODULUS = 65521,
    RUN = 5536,    /* bytes after which the sums still fit; a multiple of BLOCK */
    BLOCK = 16,
};

uint32_t adler32_add(uint32_t sum, struct str data)
{
    const unsigned char *p = (const unsigned char *)data.data;
    uint32_t low = sum & 0xffff, high = sum >> 16;

    while (data.len > 0) {
        size_t run = data.len < RUN ? data.len : RUN;
        data.len -= run;
        for (; run >= BLOCK; run -= BLOCK, p += BLOCK) {
            uint32_t plain = 0, weighted = 0;
            for (uint32_t i = 0; i < BLOCK; i++) {
                plain += p[i];
                weighted += (BLOCK - i) * p[i];
            }
            high += BLOCK * low + weighted;
            low += plain;
        }
        for (; run > 0; run--) {
            low += *p++;
            high += low;
        }
        low %= MODULUS;
        high %= MODULUS;
    }
    return high << 16 | low;
}

uint32_t adler32_of(struct str data)
{
    return adler32_add(1, data);
}

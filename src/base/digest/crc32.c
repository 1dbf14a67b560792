/*
 * crc32: see crc32.h.
 *
 * Without help from the processor, four checksums run side by side, each over every fourth word, so
 * that none waits for another's table; a byte of a word is looked up in a table that carries it
 * over all four words at once.
 */
#include "base/digest/crc32.h"

#include <stdatomic.h>

#include "base/digest/crc32_clmul.h"
#include "base/digest/crc_table.h"

enum {
    LANES = 4,
    STEP = LANES * 8,
    CLMUL_MIN = 128,  /* bytes from which on it is worth while */
};

/* What becomes of a byte over the next byte. */
static const uint32_t by_byte[256] =
    CRC_TABLE(0x77073096, 0xee0e612c, 0x076dc419, 0x0edb8832,
              0x1db71064, 0x3b6e20c8, 0x76dc4190, 0xedb88320);

/* What becomes of byte j of a word over STEP - j bytes. */
static const uint32_t by_step[8][256] = {
    CRC_TABLE(0xf1da05aa, 0x38c50d15, 0x718a1a2a, 0xe3143454,
              0x1d596ee9, 0x3ab2ddd2, 0x7565bba4, 0xeacb7748),
    CRC_TABLE(0x0ee7e8d1, 0x1dcfd1a2, 0x3b9fa344, 0x773f4688,
              0xee7e8d10, 0x078c1c61, 0x0f1838c2, 0x1e307184),
    CRC_TABLE(0x3c60e308, 0x78c1c610, 0xf1838c20, 0x38761e01,
              0x70ec3c02, 0xe1d87804, 0x18c1f649, 0x3183ec92),
    CRC_TABLE(0x6307d924, 0xc60fb248, 0x576e62d1, 0xaedcc5a2,
              0x86c88d05, 0xd6e01c4b, 0x76b13ed7, 0xed627dae),
    CRC_TABLE(0x01b5fd1d, 0x036bfa3a, 0x06d7f474, 0x0dafe8e8,
              0x1b5fd1d0, 0x36bfa3a0, 0x6d7f4740, 0xdafe8e80),
    CRC_TABLE(0x6e8c1b41, 0xdd183682, 0x61416b45, 0xc282d68a,
              0x5e74ab55, 0xbce956aa, 0xa2a3ab15, 0x9e36506b),
    CRC_TABLE(0xe71da697, 0x154a4b6f, 0x2a9496de, 0x55292dbc,
              0xaa525b78, 0x8fd5b0b1, 0xc4da6723, 0x52c5c807),
    CRC_TABLE(0xa58b900e, 0x9066265d, 0xfbbd4afb, 0x2c0b93b7,
              0x5817276e, 0xb02e4edc, 0xbb2d9bf9, 0xad2a31b3),
};

static uint64_t load64(const unsigned char *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

static uint32_t step(uint64_t word)
{
    return by_step[0][word & 255] ^ by_step[1][word >> 8 & 255] ^ by_step[2][word >> 16 & 255] ^
           by_step[3][word >> 24 & 255] ^ by_step[4][word >> 32 & 255] ^
           by_step[5][word >> 40 & 255] ^ by_step[6][word >> 48 & 255] ^ by_step[7][word >> 56];
}

static uint32_t add_bytes(uint32_t crc, const unsigned char *p, size_t len)
{
    for (; len > 0; len--)
        crc = crc >> 8 ^ by_byte[(crc ^ *p++) & 255];
    return crc;
}

/* At least two steps' worth. */
static uint32_t add_steps(uint32_t crc, const unsigned char *p, size_t steps)
{
    uint64_t lane[LANES] = { crc };

    for (; steps > 1; steps--, p += STEP) {
        lane[0] = step(lane[0] ^ load64(p));
        lane[1] = step(lane[1] ^ load64(p + 8));
        lane[2] = step(lane[2] ^ load64(p + 16));
        lane[3] = step(lane[3] ^ load64(p + 24));
    }
    crc = 0;
    for (unsigned i = 0; i < LANES; i++)
        crc = add_bytes(crc ^ (uint32_t)lane[i], p + 8 * i, 8);
    return crc;
}

/* Asked once: a processor does not change, and to ask it is slow. */
static bool multiplies(void)
{
    static atomic_int answer;  /* 0: not asked yet */
    int known = atomic_load_explicit(&answer, memory_order_relaxed);

    if (known == 0) {
        known = crc32_clmul_here() ? 1 : -1;
        atomic_store_explicit(&answer, known, memory_order_relaxed);
    }
    return known > 0;
}

uint32_t crc32_add(uint32_t crc, struct str data)
{
    const unsigned char *p = (const unsigned char *)data.data;
    size_t steps = data.len / STEP;

    crc = ~crc;
    if (data.len >= CLMUL_MIN && multiplies()) {
        unsigned char rest[16];
        steps = data.len / CLMUL_STEP;
        crc32_clmul(crc, p, steps, rest);
        crc = add_bytes(0, rest, sizeof rest);
        p += steps * CLMUL_STEP;
        data.len -= steps * CLMUL_STEP;
    } else if (steps > 1) {
        crc = add_steps(crc, p, steps);
        p += steps * STEP;
        data.len -= steps * STEP;
    }
    return ~add_bytes(crc, p, data.len);
}

uint32_t crc32_of(struct str data)
{
    return crc32_add(0, data);
}

/*
 * sha256: see sha256.h.
 */
#include "base/digest/sha256.h"

enum { ROUNDS = 64 };

/* FIPS 180-4, 4.2: of the cube roots of the first primes. */
static const uint32_t constants[ROUNDS] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

#define BIG_0(x) (digest_rotate32(x, 30) ^ digest_rotate32(x, 19) ^ digest_rotate32(x, 10))
#define BIG_1(x) (digest_rotate32(x, 26) ^ digest_rotate32(x, 21) ^ digest_rotate32(x, 7))
#define SMALL_0(x) (digest_rotate32(x, 25) ^ digest_rotate32(x, 14) ^ (x) >> 3)
#define SMALL_1(x) (digest_rotate32(x, 15) ^ digest_rotate32(x, 13) ^ (x) >> 10)
#define CHOICE(x, y, z) ((((y) ^ (z)) & (x)) ^ (z))
#define MAJORITY(x, y, z) (((x) & (y)) | (((x) | (y)) & (z)))
#define STEP(a, b, c, d, e, f, g, h, i)                                                            \
    (h) += BIG_1(e) + CHOICE(e, f, g) + constants[round + (i)] + word[i];                          \
    (d) += (h);                                                                                    \
    (h) += BIG_0(a) + MAJORITY(a, b, c)
#define EIGHT(i)                                                                                   \
    STEP(a, b, c, d, e, f, g, h, i);                                                               \
    STEP(h, a, b, c, d, e, f, g, (i) + 1);                                                         \
    STEP(g, h, a, b, c, d, e, f, (i) + 2);                                                         \
    STEP(f, g, h, a, b, c, d, e, (i) + 3);                                                         \
    STEP(e, f, g, h, a, b, c, d, (i) + 4);                                                         \
    STEP(d, e, f, g, h, a, b, c, (i) + 5);                                                         \
    STEP(c, d, e, f, g, h, a, b, (i) + 6);                                                         \
    STEP(b, c, d, e, f, g, h, a, (i) + 7)

/* The next 16 words of the schedule, in the place of the last. */
static void schedule(uint32_t *word)
{
    for (unsigned i = 0; i < 16; i++)
        word[i] += SMALL_1(word[(i + 14) % 16]) + word[(i + 9) % 16] + SMALL_0(word[(i + 1) % 16]);
}

static void add_block(uint32_t *state, const unsigned char *p)
{
    uint32_t word[16];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];

    for (unsigned i = 0; i < 16; i++)
        word[i] = digest_load_big32(p + 4 * i);
    for (unsigned round = 0;;) {
        EIGHT(0);
        EIGHT(8);
        round += 16;
        if (round == ROUNDS)
            break;
        schedule(word);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

static void add(void *state, const unsigned char *p, size_t blocks)
{
    for (; blocks > 0; blocks--, p += 64)
        add_block(state, p);
}

static const struct digest_kind kind = { 64, 8, true, add };

void sha256_init(struct sha256 *h)
{
    static const uint32_t initial[] = {
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    };

    memcpy(h->state, initial, sizeof initial);
    h->block.len = 0;
}

void sha256_update(struct sha256 *h, struct str data)
{
    digest_block_update(&h->block, &kind, h->state, data);
}

void sha256_final(struct sha256 *h, unsigned char out[SHA256_SIZE])
{
    digest_block_final(&h->block, &kind, h->state);
    for (unsigned i = 0; i < sizeof h->state / sizeof *h->state; i++)
        digest_store_big32(out + 4 * i, h->state[i]);
}

void sha256(struct str data, unsigned char out[SHA256_SIZE])
{
    struct sha256 h;

    sha256_init(&h);
    sha256_update(&h, data);
    sha256_final(&h, out);
}

/*
 * sha1: see sha1.h.
 */
#include "base/digest/sha1.h"

/* FIPS 180-4, 4.1.1 and 6.1.3: the schedule is kept as a ring of 16 words. */
#define CHOICE(x, y, z) ((((y) ^ (z)) & (x)) ^ (z))
#define PARITY(x, y, z) ((x) ^ (y) ^ (z))
#define MAJORITY(x, y, z) (((x) & (y)) | (((x) | (y)) & (z)))
#define NEXT(i)                                                                                    \
    (word[(i) % 16] = digest_rotate32(word[((i) + 13) % 16] ^ word[((i) + 8) % 16] ^               \
                                          word[((i) + 2) % 16] ^ word[(i) % 16],                   \
                                      1))
#define FIRST(i) (word[i] = digest_load_big32(p + 4 * (i)))
#define STEP(f, k, a, b, c, d, e, w)                                                               \
    (e) += digest_rotate32(a, 5) + f(b, c, d) + (k) + (w);                                         \
    (b) = digest_rotate32(b, 30)
#define FIVE(f, k, i, get)                                                                         \
    STEP(f, k, a, b, c, d, e, get(i));                                                             \
    STEP(f, k, e, a, b, c, d, get((i) + 1));                                                       \
    STEP(f, k, d, e, a, b, c, get((i) + 2));                                                       \
    STEP(f, k, c, d, e, a, b, get((i) + 3));                                                       \
    STEP(f, k, b, c, d, e, a, get((i) + 4))
#define TWENTY(f, k, i)                                                                            \
    FIVE(f, k, i, NEXT);                                                                           \
    FIVE(f, k, (i) + 5, NEXT);                                                                     \
    FIVE(f, k, (i) + 10, NEXT);                                                                    \
    FIVE(f, k, (i) + 15, NEXT)

static void add_block(uint32_t *state, const unsigned char *p)
{
    uint32_t word[16];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];

    FIVE(CHOICE, 0x5a827999, 0, FIRST);
    FIVE(CHOICE, 0x5a827999, 5, FIRST);
    FIVE(CHOICE, 0x5a827999, 10, FIRST);
    STEP(CHOICE, 0x5a827999, a, b, c, d, e, FIRST(15));
    STEP(CHOICE, 0x5a827999, e, a, b, c, d, NEXT(16));
    STEP(CHOICE, 0x5a827999, d, e, a, b, c, NEXT(17));
    STEP(CHOICE, 0x5a827999, c, d, e, a, b, NEXT(18));
    STEP(CHOICE, 0x5a827999, b, c, d, e, a, NEXT(19));
    TWENTY(PARITY, 0x6ed9eba1, 20);
    TWENTY(MAJORITY, 0x8f1bbcdc, 40);
    TWENTY(PARITY, 0xca62c1d6, 60);
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

static void add(void *state, const unsigned char *p, size_t blocks)
{
    for (; blocks > 0; blocks--, p += 64)
        add_block(state, p);
}

static const struct digest_kind kind = { 64, 8, true, add };

void sha1_init(struct sha1 *h)
{
    static const uint32_t initial[] = {
        0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0,
    };

    memcpy(h->state, initial, sizeof initial);
    h->block.len = 0;
}

void sha1_update(struct sha1 *h, struct str data)
{
    digest_block_update(&h->block, &kind, h->state, data);
}

void sha1_final(struct sha1 *h, unsigned char out[SHA1_SIZE])
{
    digest_block_final(&h->block, &kind, h->state);
    for (unsigned i = 0; i < sizeof h->state / sizeof *h->state; i++)
        digest_store_big32(out + 4 * i, h->state[i]);
}

void sha1(struct str data, unsigned char out[SHA1_SIZE])
{
    struct sha1 h;

    sha1_init(&h);
    sha1_update(&h, data);
    sha1_final(&h, out);
}

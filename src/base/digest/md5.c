/*
 * md5: see md5.h.
 */
#include "base/digest/md5.h"

/* RFC 1321, 3.4. */
#define F(x, y, z) ((((y) ^ (z)) & (x)) ^ (z))
#define G(x, y, z) (((x) & (z)) | ((y) & ~(z)))
#define H(x, y, z) ((x) ^ (y) ^ (z))
#define I(x, y, z) ((y) ^ ((x) | ~(z)))
#define STEP(f, a, b, c, d, k, t, by)                                                              \
    (a) = (b) + digest_rotate32((a) + f(b, c, d) + word[(k) % 16] + (t), by)
#define FOUR(f, k, step, s1, s2, s3, s4, t1, t2, t3, t4)                                           \
    STEP(f, a, b, c, d, k, t1, s1);                                                                \
    STEP(f, d, a, b, c, (k) + (step), t2, s2);                                                     \
    STEP(f, c, d, a, b, (k) + 2 * (step), t3, s3);                                                 \
    STEP(f, b, c, d, a, (k) + 3 * (step), t4, s4)

static void add_block(uint32_t *state, const unsigned char *p)
{
    uint32_t word[16], a = state[0], b = state[1], c = state[2], d = state[3];

    for (unsigned i = 0; i < 16; i++, p += 4)
        word[i] = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                  (uint32_t)p[3] << 24;
    FOUR(F, 0, 1, 7, 12, 17, 22,
         0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee);
    FOUR(F, 4, 1, 7, 12, 17, 22,
         0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501);
    FOUR(F, 8, 1, 7, 12, 17, 22,
         0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be);
    FOUR(F, 12, 1, 7, 12, 17, 22,
         0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821);
    FOUR(G, 1, 5, 5, 9, 14, 20,
         0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa);
    FOUR(G, 5, 5, 5, 9, 14, 20,
         0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8);
    FOUR(G, 9, 5, 5, 9, 14, 20,
         0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed);
    FOUR(G, 13, 5, 5, 9, 14, 20,
         0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a);
    FOUR(H, 5, 3, 4, 11, 16, 23,
         0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c);
    FOUR(H, 1, 3, 4, 11, 16, 23,
         0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70);
    FOUR(H, 13, 3, 4, 11, 16, 23,
         0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05);
    FOUR(H, 9, 3, 4, 11, 16, 23,
         0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665);
    FOUR(I, 0, 7, 6, 10, 15, 21,
         0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039);
    FOUR(I, 12, 7, 6, 10, 15, 21,
         0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1);
    FOUR(I, 8, 7, 6, 10, 15, 21,
         0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1);
    FOUR(I, 4, 7, 6, 10, 15, 21,
         0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391);
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

static void add(void *state, const unsigned char *p, size_t blocks)
{
    for (; blocks > 0; blocks--, p += 64)
        add_block(state, p);
}

static const struct digest_kind kind = { 64, 8, false, add };

void md5_init(struct md5 *h)
{
    static const uint32_t initial[] = {
        0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
    };

    memcpy(h->state, initial, sizeof initial);
    h->block.len = 0;
}

void md5_update(struct md5 *h, struct str data)
{
    digest_block_update(&h->block, &kind, h->state, data);
}

void md5_final(struct md5 *h, unsigned char out[MD5_SIZE])
{
    digest_block_final(&h->block, &kind, h->state);
    for (unsigned i = 0; i < MD5_SIZE; i++)
        out[i] = (unsigned char)(h->state[i / 4] >> i % 4 * 8);
}

void md5(struct str data, unsigned char out[MD5_SIZE])
{
    struct md5 h;

    md5_init(&h);
    md5_update(&h, data);
    md5_final(&h, out);
}

/*
 * digest_block: cuts a stream into the blocks that a hash function works on, and pads the last one.
 * For md5, sha1, sha256 and sha512.
 */
#ifndef BASE_DIGEST_DIGEST_BLOCK_H
#define BASE_DIGEST_DIGEST_BLOCK_H

#include "base/str.h"

enum { DIGEST_BLOCK_MAX = 128 };

struct digest_block {
    uint64_t len;  /* bytes so far */
    unsigned char data[DIGEST_BLOCK_MAX];
};

/* What differs from one hash function to another. */
struct digest_kind {
    size_t size;         /* of a block: 64 or 128 */
    size_t length_size;  /* bytes that the stream's length takes in the padding: 8 or 16 */
    bool big_endian;     /* that length */
    void (*add)(void *state, const unsigned char *p, size_t blocks);
};

void digest_block_update(struct digest_block *b, const struct digest_kind *kind, void *state,
                         struct str data);
void digest_block_final(struct digest_block *b, const struct digest_kind *kind, void *state);

static inline uint32_t digest_rotate32(uint32_t v, unsigned by)
{
    return v << by | v >> (32 - by);
}

static inline uint64_t digest_rotate64(uint64_t v, unsigned by)
{
    return v << by | v >> (64 - by);
}

static inline uint32_t digest_load_big32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static inline void digest_store_big32(unsigned char *p, uint32_t v)
{
    p[0] = (unsigned char)(v >> 24);
    p[1] = (unsigned char)(v >> 16);
    p[2] = (unsigned char)(v >> 8);
    p[3] = (unsigned char)v;
}

#endif

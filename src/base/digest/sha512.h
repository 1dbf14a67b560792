/*
 * sha512: SHA-512 (FIPS 180-4).
 */
#ifndef BASE_DIGEST_SHA512_H
#define BASE_DIGEST_SHA512_H

#include "base/digest/digest_block.h"

enum { SHA512_SIZE = 64 };

struct sha512 {
    uint64_t state[8];
    struct digest_block block;
};

void sha512(struct str data, unsigned char out[SHA512_SIZE]);

void sha512_init(struct sha512 *h);
void sha512_update(struct sha512 *h, struct str data);
/* Ends it; h holds nothing of use then. */
void sha512_final(struct sha512 *h, unsigned char out[SHA512_SIZE]);

#endif

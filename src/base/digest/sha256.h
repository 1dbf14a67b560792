/*
 * sha256: SHA-256 (FIPS 180-4).
 */
#ifndef BASE_DIGEST_SHA256_H
#define BASE_DIGEST_SHA256_H

#include "base/digest/digest_block.h"

enum { SHA256_SIZE = 32 };

struct sha256 {
    uint32_t state[8];
    struct digest_block block;
};

void sha256(struct str data, unsigned char out[SHA256_SIZE]);

void sha256_init(struct sha256 *h);
void sha256_update(struct sha256 *h, struct str data);
/* Ends it; h holds nothing of use then. */
void sha256_final(struct sha256 *h, unsigned char out[SHA256_SIZE]);

#endif

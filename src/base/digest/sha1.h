/*
 * sha1: SHA-1 (FIPS 180-4), where a protocol asks for it; collisions can be made.
 */
#ifndef BASE_DIGEST_SHA1_H
#define BASE_DIGEST_SHA1_H

#include "base/digest/digest_block.h"

enum { SHA1_SIZE = 20 };

struct sha1 {
    uint32_t state[5];
    struct digest_block block;
};

void sha1(struct str data, unsigned char out[SHA1_SIZE]);

void sha1_init(struct sha1 *h);
void sha1_update(struct sha1 *h, struct str data);
/* Ends it; h holds nothing of use then. */
void sha1_final(struct sha1 *h, unsigned char out[SHA1_SIZE]);

#endif

/*
 * md5: MD5 (RFC 1321), where a format asks for it; it is no protection against anybody.
 */
#ifndef BASE_DIGEST_MD5_H
#define BASE_DIGEST_MD5_H

#include "base/digest/digest_block.h"

enum { MD5_SIZE = 16 };

struct md5 {
    uint32_t state[4];
    struct digest_block block;
};

void md5(struct str data, unsigned char out[MD5_SIZE]);

void md5_init(struct md5 *h);
void md5_update(struct md5 *h, struct str data);
/* Ends it; h holds nothing of use then. */
void md5_final(struct md5 *h, unsigned char out[MD5_SIZE]);

#endif

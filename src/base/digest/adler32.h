/*
 * adler32: the checksum of zlib's format (RFC 1950, 8).
 */
#ifndef BASE_DIGEST_ADLER32_H
#define BASE_DIGEST_ADLER32_H

#include "base/str.h"

uint32_t adler32_of(struct str data);

/* The same over what was before, whose sum is `sum` (1 for nothing), and `data`. */
uint32_t adler32_add(uint32_t sum, struct str data);

#endif

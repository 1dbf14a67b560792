/*
 * crc32: the cyclic redundancy check of gzip (RFC 1952, 8), PNG and Ethernet.
 */
#ifndef BASE_DIGEST_CRC32_H
#define BASE_DIGEST_CRC32_H

#include "base/str.h"

/* Not named crc32: zlib exports that name, and some library may bring zlib along. */
uint32_t crc32_of(struct str data);

/* The same over what was before, whose sum is `crc` (0 for nothing), and `data`. */
uint32_t crc32_add(uint32_t crc, struct str data);

#endif

/*
 * crc32c: Castagnoli's CRC (RFC 9260, appendix A), as in version 2 of the PROXY protocol.
 */
#ifndef BASE_DIGEST_CRC32C_H
#define BASE_DIGEST_CRC32C_H

#include "base/str.h"

uint32_t crc32c(struct str data);

/* The same over what was before, whose sum is `crc` (0 for nothing), and `data`. */
uint32_t crc32c_add(uint32_t crc, struct str data);

#endif

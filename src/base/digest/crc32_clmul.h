/*
 * crc32_clmul: the CRC by multiplication of polynomials, for which x86 has an instruction.
 * On other processors it is never there.
 */
#ifndef BASE_DIGEST_CRC32_CLMUL_H
#define BASE_DIGEST_CRC32_CLMUL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CLMUL_STEP = 64,  /* bytes that are done at once */
};

/* Whether this processor has it. */
bool crc32_clmul_here(void);

/* Goes on from the register `crc` (not inverted) over `steps` times CLMUL_STEP bytes, once at
 * least. What is left to do is the CRC, from an empty register, of the 16 bytes put in `rest`. */
void crc32_clmul(uint32_t crc, const unsigned char *p, size_t steps, unsigned char rest[16]);

#endif

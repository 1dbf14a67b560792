/*
 * os_bits: what processors have an instruction for and C has no word for.
 */
#ifndef BASE_OS_BITS_H
#define BASE_OS_BITS_H

#include <stdint.h>

/* How many of the low bits are 0, up to the first that is not; the word itself is not 0. */
static inline unsigned os_bits_zeros(uint64_t word)
{
    return (unsigned)__builtin_ctzll(word);
}

#endif

/*
 * deflate_huffman: prefix codes of limited length from counts, for the compressor.
 */
#ifndef BASE_DEFLATE_DEFLATE_HUFFMAN_H
#define BASE_DEFLATE_DEFLATE_HUFFMAN_H

#include <stdint.h>

enum {
    HUFFMAN_MAX_SYMBOLS = 288,
    HUFFMAN_MAX_BITS = 15,
};

/* Lengths of an optimal code (nearly so where `max_bits` cuts it) for `n` symbols; 0 for those that
 * do not occur.  At least two get a code, so that it is complete.  A count is less than 2^16. */
void deflate_huffman_lengths(const uint32_t *counts, unsigned n, unsigned max_bits,
                             uint8_t *lengths);

/* The codes that follow from the lengths (RFC 1951, 3.2.2), first bit lowest. */
void deflate_huffman_codes(const uint8_t *lengths, unsigned n, uint16_t *codes);

#endif

/*
 * inflate_table: tables that decode a prefix code, from the lengths of its codes.
 */
#ifndef BASE_DEFLATE_INFLATE_TABLE_H
#define BASE_DEFLATE_INFLATE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * An entry is found by the next `root` bits of input, or, where those lead to a longer code, in a
 * second table by the bits that follow.  From bit 0: 8 bits, how many bits of input the entry
 * stands for, extra bits included (in a second table: without the root's); 4 bits, how many of
 * these are the code's alone (a link: by how many bits the second table is searched); the kind, one
 * bit or, of a length or distance, none; from bit 16 the literal, the base of the length or
 * distance, or where the second table begins.
 */
enum {
    TABLE_BITS = 63,           /* what of the first field can be set */
    TABLE_CODE_BITS = 8,
    TABLE_LITERAL = 1 << 12,
    TABLE_LINK = 1 << 13,
    TABLE_END = 1 << 14,
    TABLE_BAD = 1 << 15,
    TABLE_VALUE = 16,

    LITLEN_ROOT = 10,
    LITLEN_ENTRIES = 1334,     /* the most that 286 codes of at most 15 bits can need */
    DIST_ROOT = 8,
    DIST_ENTRIES = 402,        /* the same for 30 codes */
    LENGTHS_ROOT = 7,
    LENGTHS_ENTRIES = 128,
};

/* The length or distance that an entry and the bits it was found by give. */
static inline uint32_t inflate_value(uint32_t entry, uint64_t bits)
{
    uint64_t known = bits & ((UINT64_C(1) << (entry & TABLE_BITS)) - 1);

    return (entry >> TABLE_VALUE) + (uint32_t)(known >> (entry >> TABLE_CODE_BITS & 15));
}

/* The entry in the second table that a link leads to, by the bits after the root's. */
static inline uint32_t inflate_second(const uint32_t *table, uint32_t link, uint64_t bits)
{
    unsigned searched = link >> TABLE_CODE_BITS & 15;

    return table[(link >> TABLE_VALUE) + (bits & ((UINT64_C(1) << searched) - 1))];
}

enum inflate_code { CODE_LENGTHS, CODE_LITLEN, CODE_DIST };

/* False if the lengths make no code: too many codes, or too few, unless it is a single one of one
 * bit or, of distances, none at all. */
bool inflate_table(enum inflate_code code, const uint8_t *lengths, unsigned n, uint32_t *table);

#endif

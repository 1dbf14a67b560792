/*
 * inflate_table: see inflate_table.h.
 */
#include "base/deflate/inflate_table.h"

#include <string.h>

enum { MAX_BITS = 15, MAX_CODES = 288 };

static const uint16_t length_base[29] = { 3,  4,  5,  6,  7,  8,  9,  10, 11,  13,
                                          15, 17, 19, 23, 27, 31, 35, 43, 51,  59,
                                          67, 83, 99, 115, 131, 163, 195, 227, 258 };

static uint32_t length_entry(unsigned symbol)
{
    unsigned extra = symbol < 8 || symbol == 28 ? 0 : (symbol - 4) >> 2;

    return symbol >= 29 ? TABLE_BAD : (uint32_t)length_base[symbol] << TABLE_VALUE | extra;
}

static uint32_t dist_entry(unsigned symbol)
{
    unsigned extra = symbol < 4 ? 0 : (symbol >> 1) - 1;
    uint32_t base = symbol < 4 ? symbol + 1 : ((2 + (symbol & 1)) << extra) + 1;

    return symbol >= 30 ? TABLE_BAD : base << TABLE_VALUE | extra;
}

/* The entry of a symbol without its code's length. */
static uint32_t entry_of(enum inflate_code code, unsigned symbol)
{
    if (code == CODE_DIST)
        return dist_entry(symbol);
    if (code == CODE_LENGTHS || symbol < 256)
        return (uint32_t)symbol << TABLE_VALUE | TABLE_LITERAL;
    return symbol == 256 ? TABLE_END : length_entry(symbol - 257);
}

/* A code's bits are read first bit lowest: the next code in that order. */
static unsigned next_reversed(unsigned code, unsigned bits)
{
    unsigned bit = 1u << (bits - 1);

    while (code & bit) {
        code ^= bit;
        bit >>= 1;
    }
    return code | bit;
}

/* How many bits a second table needs that begins with a code of `bits` bits: until it is full. */
static unsigned second_bits(const unsigned *count, unsigned bits, unsigned root)
{
    unsigned size = bits - root;
    unsigned filled = count[bits];

    while (filled < 1u << size && size + root < MAX_BITS) {
        size++;
        filled = 2 * filled + count[size + root];
    }
    return size;
}

static bool complete(enum inflate_code code, const unsigned *count, unsigned codes)
{
    int left = 1;

    for (unsigned bits = 1; bits <= MAX_BITS; bits++) {
        left = 2 * left - (int)count[bits];
        if (left < 0)
            return false;
    }
    if (left == 0)
        return true;
    return code != CODE_LENGTHS &&
           ((codes == 1 && count[1] == 1) || (codes == 0 && code == CODE_DIST));
}

/* Sorts the symbols that have a code by its length, then by value; returns how many they are. */
static unsigned sort_symbols(const uint8_t *lengths, unsigned n, unsigned *count, uint16_t *sorted)
{
    unsigned place[MAX_BITS + 2];

    memset(count, 0, (MAX_BITS + 1) * sizeof *count);
    for (unsigned i = 0; i < n; i++)
        count[lengths[i]]++;
    count[0] = 0;
    place[1] = 0;
    for (unsigned bits = 1; bits <= MAX_BITS; bits++)
        place[bits + 1] = place[bits] + count[bits];
    for (unsigned i = 0; i < n; i++) {
        if (lengths[i])
            sorted[place[lengths[i]]++] = (uint16_t)i;
    }
    return place[MAX_BITS + 1];
}

bool inflate_table(enum inflate_code code, const uint8_t *lengths, unsigned n, uint32_t *table)
{
    static const uint8_t roots[] = { LENGTHS_ROOT, LITLEN_ROOT, DIST_ROOT };
    unsigned root = roots[code], count[MAX_BITS + 1], size = 1u << root;
    uint16_t sorted[MAX_CODES];
    unsigned codes = sort_symbols(lengths, n, count, sorted);
    unsigned reversed = 0, used = size, link = 0, second = 0;

    if (!complete(code, count, codes))
        return false;
    if (codes < 2) {
        for (unsigned i = 0; i < size; i++)
            table[i] = TABLE_BAD | 1;
    }
    for (unsigned i = 0; i < codes; i++) {
        unsigned bits = lengths[sorted[i]], own = bits, base = 0, end = size;
        if (bits > root) {
            if (second == 0 || (reversed & (size - 1)) != link) {
                link = reversed & (size - 1);
                base = used;
                second = second_bits(count, bits, root);
                used += 1u << second;
                table[link] = base << TABLE_VALUE | TABLE_LINK | second << TABLE_CODE_BITS | root;
            }
            base = table[link] >> TABLE_VALUE;
            own = bits - root;
            end = 1u << second;
        }
        uint32_t entry = entry_of(code, sorted[i]) + (own | own << TABLE_CODE_BITS);
        for (unsigned at = own == bits ? reversed : reversed >> root; at < end; at += 1u << own)
            table[base + at] = entry;
        count[bits]--;
        if (i + 1 < codes)
            reversed = next_reversed(reversed, bits);
    }
    return true;
}

/*
 * deflate_huffman: see deflate_huffman.h.
 */
#include "base/deflate/deflate_huffman.h"

#include <string.h>

enum { MAX_DEPTH = 32 };  /* of a tree of fewer than 2^16 leaves in all, with some to spare */

/* One pass of a radix sort by the byte of the key at `shift`. */
static void sort_by_byte(const uint32_t *from, uint32_t *to, unsigned n, unsigned shift)
{
    uint32_t place[256] = { 0 }, sum = 0;

    for (unsigned i = 0; i < n; i++)
        place[from[i] >> shift & 255]++;
    for (unsigned i = 0; i < 256; i++) {
        uint32_t count = place[i];
        place[i] = sum;
        sum += count;
    }
    for (unsigned i = 0; i < n; i++)
        to[place[from[i] >> shift & 255]++] = from[i];
}

/* Leaves in `keys`: the symbols that occur, as count << 16 | symbol, the rarest first. */
static unsigned sorted_leaves(const uint32_t *counts, unsigned n, uint32_t *keys)
{
    uint32_t spare[HUFFMAN_MAX_SYMBOLS] = { 0 };
    uint32_t all = 0;
    unsigned used = 0;

    for (unsigned i = 0; i < n; i++) {
        spare[used] = counts[i] << 16 | i;
        used += counts[i] != 0;
        all |= counts[i];
    }
    sort_by_byte(spare, keys, used, 16);
    if (all >> 8) {
        memcpy(spare, keys, used * sizeof *keys);
        sort_by_byte(spare, keys, used, 24);
    }
    return used;
}

/* Huffman's algorithm with two queues, the leaves and the inner nodes, both in order of weight.
 * Sets leaves[d] to the number of leaves at depth d. */
static void build_tree(const uint32_t *keys, unsigned n, uint16_t *leaves)
{
    uint32_t weight[HUFFMAN_MAX_SYMBOLS + 1];
    uint16_t parent[HUFFMAN_MAX_SYMBOLS];
    uint8_t depth[HUFFMAN_MAX_SYMBOLS];
    uint16_t inner[MAX_DEPTH] = { 0 };
    unsigned leaf = 0, node = 0;

    for (unsigned made = 0; made + 1 < n; made++) {
        uint32_t sum = 0;
        for (unsigned side = 0; side < 2; side++) {
            if (node == made || (leaf < n && keys[leaf] >> 16 <= weight[node])) {
                sum += keys[leaf++] >> 16;
            } else {
                parent[node] = (uint16_t)made;
                sum += weight[node++];
            }
        }
        weight[made] = sum;
    }
    depth[n - 2] = 0;
    inner[0] = 1;
    for (unsigned i = n - 2; i-- > 0;) {
        depth[i] = (uint8_t)(depth[parent[i]] + 1);
        inner[depth[i]]++;
    }
    leaves[0] = 0;
    for (unsigned d = 1; d < MAX_DEPTH; d++)
        leaves[d] = (uint16_t)(2 * inner[d - 1] - inner[d]);
}

/* Brings what is deeper than `max` up to it.  That overfills the code; to make room, a leaf of a
 * higher level becomes a node of two leaves, one of which is taken from the lowest level. */
static void limit_depth(uint16_t *leaves, unsigned max)
{
    uint32_t space = 0;

    for (unsigned d = MAX_DEPTH - 1; d > max; d--) {
        leaves[max] = (uint16_t)(leaves[max] + leaves[d]);
        leaves[d] = 0;
    }
    for (unsigned d = 1; d <= max; d++)
        space += (uint32_t)leaves[d] << (max - d);
    for (; space > UINT32_C(1) << max; space--) {
        unsigned d = max - 1;
        while (!leaves[d])
            d--;
        leaves[d]--;
        leaves[d + 1] = (uint16_t)(leaves[d + 1] + 2);
        leaves[max]--;
    }
}

void deflate_huffman_lengths(const uint32_t *counts, unsigned n, unsigned max_bits,
                             uint8_t *lengths)
{
    uint32_t keys[HUFFMAN_MAX_SYMBOLS];
    uint16_t leaves[MAX_DEPTH];
    unsigned used = sorted_leaves(counts, n, keys);

    memset(lengths, 0, n);
    if (used < 2) {
        unsigned only = used ? keys[0] & 0xffff : 0;
        lengths[only] = 1;
        lengths[only == 0] = 1;
        return;
    }
    build_tree(keys, used, leaves);
    limit_depth(leaves, max_bits);
    for (unsigned bits = max_bits, i = 0; bits > 0; bits--) {
        for (unsigned left = leaves[bits]; left > 0; left--)
            lengths[keys[i++] & 0xffff] = (uint8_t)bits;
    }
}

static unsigned reverse16(unsigned v)
{
    v = (v & 0x5555) << 1 | (v >> 1 & 0x5555);
    v = (v & 0x3333) << 2 | (v >> 2 & 0x3333);
    v = (v & 0x0f0f) << 4 | (v >> 4 & 0x0f0f);
    return (v & 0x00ff) << 8 | v >> 8;
}

void deflate_huffman_codes(const uint8_t *lengths, unsigned n, uint16_t *codes)
{
    unsigned count[HUFFMAN_MAX_BITS + 1] = { 0 }, next[HUFFMAN_MAX_BITS + 1];
    unsigned code = 0;

    for (unsigned i = 0; i < n; i++)
        count[lengths[i]]++;
    count[0] = 0;
    for (unsigned bits = 1; bits <= HUFFMAN_MAX_BITS; bits++) {
        code = (code + count[bits - 1]) << 1;
        next[bits] = code;
    }
    next[0] = 0;
    for (unsigned i = 0; i < n; i++) {
        unsigned bits = lengths[i];
        codes[i] = 0;
        if (bits != 0)
            codes[i] = (uint16_t)(reverse16(next[bits]++) >> (16 - bits));
    }
}

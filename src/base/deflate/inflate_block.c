/*
 * inflate_block: see inflate_block.h.
 */
#include "base/deflate/inflate_block.h"

#include <string.h>

static bool read_block(struct inflate *i, struct inflate_io *io)
{
    static const enum inflate_stage stages[] = { STAGE_STORED_LEN, STAGE_SYMBOLS, STAGE_COUNTS };

    if (i->last) {
        i->stage = STAGE_TRAILER;
        return true;
    }
    if (!inflate_need(i, io, 3))
        return false;
    i->last = inflate_take(i, 1);
    unsigned type = inflate_take(i, 2);
    if (type == 3) {
        inflate_fail(i, "unknown type of block");
        return true;
    }
    i->stage = stages[type];
    if (type == 1 && !i->fixed) {
        memset(i->lengths, 8, 144);
        memset(i->lengths + 144, 9, 256 - 144);
        memset(i->lengths + 256, 7, 280 - 256);
        memset(i->lengths + 280, 8, LITLEN_MAX - 280);
        inflate_table(CODE_LITLEN, i->lengths, LITLEN_MAX, i->litlen);
        memset(i->lengths, 5, DIST_MAX);
        inflate_table(CODE_DIST, i->lengths, DIST_MAX, i->dist);
        i->fixed = true;
    }
    return true;
}

static bool read_stored_len(struct inflate *i, struct inflate_io *io)
{
    unsigned skip = i->bit_count & 7;

    if (!inflate_need(i, io, skip + 32))
        return false;
    inflate_take(i, skip);
    uint32_t len = inflate_take(i, 16), complement = inflate_take(i, 16);
    if ((len ^ complement) != 0xffff) {
        inflate_fail(i, "length of a stored block does not match its complement");
        return true;
    }
    i->stored_left = len;
    i->stage = STAGE_STORED;
    return true;
}

static bool read_stored(struct inflate *i, struct inflate_io *io)
{
    size_t len = i->stored_left;

    if (len > i->capacity - i->pos)
        len = i->capacity - i->pos;
    if (len > io->in_len)
        len = io->in_len;
    if (len > 0) {
        memcpy(i->buffer + i->pos, io->in, len);
        io->in += len;
        io->in_len -= len;
        i->pos += (uint32_t)len;
        i->stored_left -= (uint32_t)len;
    }
    if (i->stored_left == 0)
        i->stage = STAGE_BLOCK;
    return i->stored_left == 0 || i->pos == i->capacity;
}

static bool read_counts(struct inflate *i, struct inflate_io *io)
{
    if (!inflate_need(i, io, 14))
        return false;
    i->litlen_count = inflate_take(i, 5) + 257;
    i->dist_count = inflate_take(i, 5) + 1;
    i->code_count = inflate_take(i, 4) + 4;
    i->lengths_at = 0;
    i->fixed = false;
    memset(i->lengths, 0, LENGTHS_MAX);
    i->stage = STAGE_CODE_LENGTHS;
    if (i->litlen_count > 286 || i->dist_count > 30)
        inflate_fail(i, "too many codes");
    return true;
}

static bool read_code_lengths(struct inflate *i, struct inflate_io *io)
{
    static const uint8_t order[LENGTHS_MAX] = { 16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                11, 4,  12, 3, 13, 2, 14, 1, 15 };

    for (; i->lengths_at < i->code_count; i->lengths_at++) {
        if (!inflate_need(i, io, 3))
            return false;
        i->lengths[order[i->lengths_at]] = (uint8_t)inflate_take(i, 3);
    }
    i->lengths_at = 0;
    i->stage = STAGE_LENGTHS;
    /* The distances' table serves: it is built only after the lengths have been read. */
    if (!inflate_table(CODE_LENGTHS, i->lengths, LENGTHS_MAX, i->dist))
        inflate_fail(i, "lengths of codes are not a complete code");
    return true;
}

static void build_tables(struct inflate *i)
{
    i->stage = STAGE_SYMBOLS;
    if (i->lengths[256] == 0)
        inflate_fail(i, "no code for the end of a block");
    else if (!inflate_table(CODE_LITLEN, i->lengths, i->litlen_count, i->litlen))
        inflate_fail(i, "literals and lengths are not a complete code");
    else if (!inflate_table(CODE_DIST, i->lengths + i->litlen_count, i->dist_count, i->dist))
        inflate_fail(i, "distances are not a complete code");
}

/* Writes a length, or a run of them, as the symbol says; false if that is too many. */
static bool add_lengths(struct inflate *i, unsigned symbol, unsigned extra)
{
    unsigned total = i->litlen_count + i->dist_count;
    unsigned run = symbol < 16 ? 1 : symbol == 18 ? 11 + extra : 3 + extra;
    unsigned value = symbol;

    if (symbol == 16 && i->lengths_at == 0)
        return false;
    if (symbol >= 16)
        value = symbol == 16 ? i->lengths[i->lengths_at - 1] : 0;
    if (run > total - i->lengths_at)
        return false;
    memset(i->lengths + i->lengths_at, (int)value, run);
    i->lengths_at += run;
    return true;
}

static bool read_lengths(struct inflate *i, struct inflate_io *io)
{
    while (i->lengths_at < i->litlen_count + i->dist_count) {
        uint32_t entry = i->dist[i->bits & ((1u << LENGTHS_ROOT) - 1)];
        unsigned symbol = entry >> TABLE_VALUE, bits = entry & TABLE_BITS;
        unsigned extra = symbol < 16 ? 0 : symbol == 18 ? 7 : symbol - 14;
        if (i->bit_count < bits + extra) {
            if (!inflate_need(i, io, i->bit_count + 1))
                return false;
            continue;
        }
        inflate_take(i, bits);
        if (!add_lengths(i, symbol, inflate_take(i, extra))) {
            inflate_fail(i, "repeated length of a code where there can be none");
            return true;
        }
    }
    build_tables(i);
    return true;
}

/* An entry of a table for the bits given, its length including that of a link. */
static uint32_t look_up(const uint32_t *table, unsigned root, uint64_t bits)
{
    uint32_t entry = table[bits & ((1u << root) - 1)];

    if (entry & TABLE_LINK) {
        entry = inflate_second(table, entry, bits >> root);
        entry += root + (root << TABLE_CODE_BITS);
    }
    return entry;
}

static void copy_match(struct inflate *i, uint32_t len, uint32_t dist)
{
    unsigned char *to = i->buffer + i->pos;

    i->pos += len;
    for (; len > 0; len--, to++)
        *to = to[-(ptrdiff_t)dist];
}

/* One symbol; false if not all of its bits are there. */
static bool decode_symbol(struct inflate *i)
{
    uint32_t entry = look_up(i->litlen, LITLEN_ROOT, i->bits);
    unsigned used = entry & TABLE_BITS;

    if (used > i->bit_count)
        return false;
    if (entry & TABLE_LITERAL) {
        i->buffer[i->pos++] = (unsigned char)(entry >> TABLE_VALUE);
    } else if (entry & TABLE_END) {
        i->stage = STAGE_BLOCK;
    } else if (entry & TABLE_BAD) {
        inflate_fail(i, "bits that are no literal or length");
    } else {
        uint32_t len = inflate_value(entry, i->bits);
        entry = look_up(i->dist, DIST_ROOT, i->bits >> used);
        uint32_t dist = inflate_value(entry, i->bits >> used);
        used += entry & TABLE_BITS;
        if (used > i->bit_count)
            return false;
        if (entry & TABLE_BAD)
            inflate_fail(i, "bits that are no distance");
        else if (dist > i->window || dist > i->pos)
            inflate_fail(i, "distance that leads too far back");
        else
            copy_match(i, len, dist);
    }
    inflate_take(i, used);
    return true;
}

static bool read_symbols(struct inflate *i, struct inflate_io *io)
{
    while (i->stage == STAGE_SYMBOLS && i->pos < i->capacity) {
        inflate_fast(i, io);
        /* What the fast path leaves: a byte at a time, so that none is read that isn't needed. */
        while (i->pos < i->capacity && !decode_symbol(i)) {
            if (!inflate_need(i, io, i->bit_count + 1))
                return false;
        }
    }
    return true;
}

bool inflate_block(struct inflate *i, struct inflate_io *io)
{
    switch (i->stage) {
    case STAGE_BLOCK:
        return read_block(i, io);
    case STAGE_STORED_LEN:
        return read_stored_len(i, io);
    case STAGE_STORED:
        return read_stored(i, io);
    case STAGE_COUNTS:
        return read_counts(i, io);
    case STAGE_CODE_LENGTHS:
        return read_code_lengths(i, io);
    case STAGE_LENGTHS:
        return read_lengths(i, io);
    default:
        return read_symbols(i, io);
    }
}

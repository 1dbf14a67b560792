/*
 * deflate: see deflate.h.  The stream's life, its framing and the buffer.
 */
#include "base/deflate/deflate.h"

#include "base/deflate/deflate_block.h"
#include "base/deflate/deflate_match.h"
#include "base/digest/adler32.h"
#include "base/digest/crc32.h"

/* The effort, as zlib graduates it: each level is at most as large and takes at most as long. */
static const struct deflate_level levels[10] = {
    [1] = { deflate_fast, 0, 0, 0, 0 },
    [2] = { deflate_chain, 0, 32, 16, 2 },
    [3] = { deflate_chain, 0, 32, 32, 4 },
    [4] = { deflate_chain, 4, 4, 16, 16 },
    [5] = { deflate_chain, 16, 8, 32, 32 },
    [6] = { deflate_chain, 16, 8, 128, 128 },
    [7] = { deflate_chain, 32, 8, 128, 256 },
    [8] = { deflate_chain, 128, 32, 258, 1024 },
    [9] = { deflate_chain, 258, 32, 258, 2560 },
};

enum {
    SYMBOLS_MIN = 1024,   /* if the length was said to be less, but is not, blocks are no smaller */
    CAPACITY_MIN = 2048,  /* of the buffer, so that it can always slide by more than LOOKAHEAD; at
                             most it is 65536, as deflate_fast() has indices of 16 bits */
};

/* Sizes that follow from the parameters. */
struct geometry {
    unsigned level, window_bits, hash_bits;
    uint32_t symbols, capacity;
    size_t head_entries, prev_entries;
};

static unsigned within(unsigned value, unsigned least, unsigned most)
{
    return value < least ? least : value > most ? most : value;
}

static struct geometry geometry_of(const struct deflate_params *p)
{
    struct geometry g;
    unsigned mem_level = within(p->mem_level, 1, 9);
    uint64_t length = p->length ? p->length : UINT64_MAX;

    g.level = within(p->level, 1, 9);
    bool fast = levels[g.level].match == deflate_fast;
    g.window_bits = within(p->window_bits, 9, 15);
    while (g.window_bits > 9 && length <= UINT64_C(1) << (g.window_bits - 1))
        g.window_bits--;
    g.hash_bits = within(mem_level + 7, 8, fast ? 13 : 15);
    while (g.hash_bits > 8 && length <= UINT64_C(1) << (g.hash_bits - 1))
        g.hash_bits--;
    g.symbols = UINT32_C(64) << mem_level;
    g.capacity = UINT32_C(2) << g.window_bits;
    if (length < g.symbols)
        g.symbols = length < SYMBOLS_MIN ? SYMBOLS_MIN : (uint32_t)length;
    if (length < g.capacity)
        g.capacity = (uint32_t)length;
    if (g.capacity < CAPACITY_MIN)
        g.capacity = CAPACITY_MIN;
    g.head_entries = (size_t)1 << g.hash_bits;
    g.prev_entries = fast ? 0 : (size_t)1 << g.window_bits;
    return g;
}

static size_t aligned(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

size_t deflate_memory(const struct deflate_params *p)
{
    struct geometry g = geometry_of(p);

    return aligned(sizeof(struct deflate)) + aligned(g.head_entries * sizeof(uint16_t)) +
           aligned(g.prev_entries * sizeof(uint16_t)) +
           aligned((g.symbols + SYMBOLS_MORE) * sizeof(struct deflate_symbol)) + g.capacity +
           BUFFER_PAD;
}

struct deflate *deflate_init(void *memory, const struct deflate_params *p)
{
    struct geometry g = geometry_of(p);
    struct deflate *d = memory;
    char *at = (char *)memory + aligned(sizeof *d);

    memset(d, 0, offsetof(struct deflate, symbols));
    d->format = p->format;
    d->level = &levels[g.level];
    d->level_number = g.level;
    d->window_bits = g.window_bits;
    d->window = UINT32_C(1) << g.window_bits;
    d->hash_bits = g.hash_bits;
    d->capacity = g.capacity;
    d->keep = deflate_least(d->window, g.capacity / 2);
    d->checksum = p->format == DEFLATE_ZLIB ? 1 : 0;

    d->head = (void *)at;
    memset(d->head, 0, g.head_entries * sizeof(uint16_t));
    at += aligned(g.head_entries * sizeof(uint16_t));
    d->prev = (void *)at;
    at += aligned(g.prev_entries * sizeof(uint16_t));
    d->symbols = (void *)at;
    d->symbol_room = g.symbols;
    at += aligned((g.symbols + SYMBOLS_MORE) * sizeof(struct deflate_symbol));
    d->buffer = (unsigned char *)at;
    memset(d->buffer, 0, BUFFER_PAD);

    d->bits = 0;
    d->bit_count = 0;
    d->spill_at = d->spill_len = 0;
    deflate_block_reset(d);
    return d;
}

static bool must_slide(const struct deflate *d)
{
    return d->end == d->capacity && d->end - d->pos <= LOOKAHEAD;
}

/* Whether the block may be better stored, and could no longer be when the buffer has slid. */
static bool must_store(const struct deflate *d)
{
    uint32_t len = d->pos - d->block_start;

    return !d->block_lost && len > d->keep && d->symbol_count > len - len / 8;
}

/* Forgets the oldest text, so that the buffer takes more. */
static void slide(struct deflate *d)
{
    uint32_t by = d->pos - d->keep;

    memmove(d->buffer, d->buffer + by, d->end - by);
    if (d->level->match == deflate_fast)
        deflate_fast_slide(d, by);
    d->pos -= by;
    d->end -= by;
    d->origin += by;
    if (d->block_start < by) {
        d->block_lost = true;
        d->block_start = 0;
    } else {
        d->block_start -= by;
    }
}

static void fill(struct deflate *d, struct deflate_io *io)
{
    size_t len = d->capacity - d->end;
    if (len > io->in_len)
        len = io->in_len;
    if (len == 0)
        return;
    memcpy(d->buffer + d->end, io->in, len);
    struct str data = { (const char *)io->in, len };
    if (d->format == DEFLATE_GZIP)
        d->checksum = crc32_add(d->checksum, data);
    else if (d->format == DEFLATE_ZLIB)
        d->checksum = adler32_add(d->checksum, data);
    d->total += (uint32_t)len;
    d->end += (uint32_t)len;
    memset(d->buffer + d->end, 0, BUFFER_PAD);
    io->in += len;
    io->in_len -= len;
    d->synced = false;
}

static void write_header(struct deflate *d, struct deflate_writer *w)
{
    unsigned fast = d->level_number == 1, best = d->level_number == 9;

    if (d->format == DEFLATE_GZIP) {
        deflate_put(d, w, 0x00088b1f, 32);  /* no flags */
        deflate_put(d, w, 0, 32);           /* no time */
        deflate_put(d, w, fast ? 4 : best ? 2 : 0, 8);
        deflate_put(d, w, 3, 8);            /* Unix */
    } else if (d->format == DEFLATE_ZLIB) {
        unsigned effort = fast ? 0 : d->level_number < 6 ? 1 : d->level_number == 6 ? 2 : 3;
        unsigned head = ((d->window_bits - 8) << 4 | 8) << 8 | effort << 6;
        head += 31 - head % 31;
        deflate_put(d, w, head >> 8 | (head & 255) << 8, 16);
    }
}

static void write_trailer(struct deflate *d, struct deflate_writer *w)
{
    deflate_put_align(d, w);
    if (d->format == DEFLATE_GZIP) {
        deflate_put(d, w, d->checksum, 32);
        deflate_put(d, w, d->total, 32);
    } else if (d->format == DEFLATE_ZLIB) {
        for (unsigned shift = 32; shift > 0; shift -= 8)
            deflate_put(d, w, d->checksum >> (shift - 8) & 255, 8);
    }
}

static void write_sync(struct deflate *d, struct deflate_writer *w)
{
    deflate_put(d, w, 0, 3);
    deflate_put_align(d, w);
    deflate_put(d, w, 0xffff0000, 32);
    d->synced = true;
}

/* Moves the spill out; false if some of it is left. */
static bool drain(struct deflate *d, struct deflate_io *io)
{
    size_t len = d->spill_len - d->spill_at;

    if (len > io->out_len)
        len = io->out_len;
    if (len > 0) {
        memcpy(io->out, d->spill + d->spill_at, len);
        io->out += len;
        io->out_len -= len;
        d->spill_at += (unsigned)len;
    }
    if (d->spill_at < d->spill_len)
        return false;
    d->spill_at = d->spill_len = 0;
    return true;
}

/* Copies a stored block's bytes; false if some are left. */
static bool copy_stored(struct deflate *d, struct deflate_io *io)
{
    size_t len = d->pos - d->block_start;

    if (len > io->out_len)
        len = io->out_len;
    if (len > 0)
        memcpy(io->out, d->buffer + d->block_start, len);
    io->out += len;
    io->out_len -= len;
    d->block_start += (uint32_t)len;
    return d->block_start == d->pos;
}

/* Takes input in and finds matches.  True if a block is to be written now. */
static bool collect(struct deflate *d, struct deflate_io *io, enum deflate_flush flush)
{
    for (;;) {
        if (io->in_len > 0 && must_slide(d)) {
            if (must_store(d))
                return true;
            slide(d);
        }
        fill(d, io);
        bool all = flush != DEFLATE_NO_FLUSH && io->in_len == 0;
        uint32_t stop = all ? d->end : d->end > LOOKAHEAD ? d->end - LOOKAHEAD : 0;
        d->level->match(d, stop);
        if (all) {
            while (d->pos < d->end && d->symbol_count < d->symbol_room)
                deflate_literal(d, d->buffer[d->pos++]);
        }
        if (d->symbol_count >= d->symbol_room)
            return true;
        if (io->in_len == 0)
            return all && (d->symbol_count > 0 || flush == DEFLATE_FINISH);
    }
}

static enum deflate_stage after_block(struct deflate *d)
{
    deflate_block_reset(d);
    return d->last ? STAGE_TRAILER : STAGE_MATCH;
}

/* Writes what the stage has to write, to w, which has room for a header. */
static void write_stage(struct deflate *d, struct deflate_writer *w)
{
    switch (d->stage) {
    case STAGE_HEADER:
        write_header(d, w);
        d->stage = STAGE_MATCH;
        break;
    case STAGE_MATCH:
        write_sync(d, w);
        break;
    case STAGE_BLOCK:
        d->stage = deflate_block_begin(d, w);
        break;
    case STAGE_SYMBOLS:
        if (deflate_block_symbols(d, w))
            d->stage = after_block(d);
        break;
    case STAGE_TRAILER:
        write_trailer(d, w);
        d->stage = STAGE_END;
        break;
    case STAGE_STORED:
    case STAGE_END:
        break;
    }
}

/* Writes to the caller's room if that is large enough for any header, else to the spill. */
static void write_some(struct deflate *d, struct deflate_io *io)
{
    if (io->out_len < SPILL_SIZE) {
        struct deflate_writer w = { d->spill, d->spill + sizeof d->spill };
        write_stage(d, &w);
        d->spill_len = (unsigned)(w.at - d->spill);
    } else {
        struct deflate_writer w = { io->out, io->out + io->out_len };
        write_stage(d, &w);
        io->out_len -= (size_t)(w.at - io->out);
        io->out = w.at;
    }
}

enum deflate_status deflate_run(struct deflate *d, struct deflate_io *io,
                                enum deflate_flush flush)
{
    for (;;) {
        if (!drain(d, io))
            return DEFLATE_NEED_OUTPUT;
        if (d->stage == STAGE_END)
            return DEFLATE_END;
        if (d->stage == STAGE_STORED) {
            if (!copy_stored(d, io))
                return DEFLATE_NEED_OUTPUT;
            d->stage = after_block(d);
        }
        if (d->stage == STAGE_MATCH) {
            if (collect(d, io, flush)) {
                d->last = flush == DEFLATE_FINISH && io->in_len == 0 && d->pos == d->end;
                d->stage = STAGE_BLOCK;
            } else if (flush != DEFLATE_SYNC || d->synced) {
                return DEFLATE_OK;
            }
        }
        write_some(d, io);
    }
}

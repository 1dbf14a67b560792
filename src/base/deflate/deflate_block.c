/*
 * deflate_block: see deflate_block.h.
 */
#include "base/deflate/deflate_block.h"

enum {
    TYPE_STORED = 0,
    TYPE_STATIC = 1,
    TYPE_DYNAMIC = 2,
    LENGTH_CODES = 19,        /* of the code that the codes' lengths are written in */
    LENGTH_CODE_BITS = 7,
    REPEAT_LAST = 16,         /* 3 to 6 times, 2 bits */
    REPEAT_ZERO = 17,         /* 3 to 10 times, 3 bits */
    REPEAT_ZERO_LONG = 18,    /* 11 to 138 times, 7 bits */
    STORED_MAX = 65535,
};

/* Of both codes, in the order of the symbols. */
struct lengths {
    uint8_t litlen[SYMBOL_DIST];
    uint8_t dist[DIST_CODES + 2];
};

/* A dynamic block's header before it is written. */
struct dynamic {
    unsigned litlen_used, dist_used, order_used;
    uint8_t lengths[LENGTH_CODES];       /* of the code for lengths */
    uint16_t codes[LENGTH_CODES];
    unsigned item_count;
    uint16_t items[LITLEN_CODES + DIST_CODES];  /* a code and, from bit 5, its extra bits */
    uint32_t cost;                       /* bits of the whole header */
};

static const uint8_t code_order[LENGTH_CODES] = { 16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                  11, 4,  12, 3, 13, 2, 14, 1, 15 };

static unsigned litlen_extra(unsigned symbol)
{
    return symbol < 265 || symbol == 285 ? 0 : (symbol - 261) >> 2;
}

static unsigned dist_extra(unsigned code)
{
    return code < 4 ? 0 : (code >> 1) - 1;
}

static unsigned item_extra(unsigned symbol)
{
    return symbol < REPEAT_LAST ? 0 : symbol == REPEAT_ZERO_LONG ? 7 : symbol - 14;
}

static void fixed_lengths(struct lengths *l)
{
    memset(l->litlen, 8, 144);
    memset(l->litlen + 144, 9, 256 - 144);
    memset(l->litlen + 256, 7, 280 - 256);
    memset(l->litlen + 280, 8, HUFFMAN_MAX_SYMBOLS - 280);
    memset(l->dist, 5, sizeof l->dist);
}

static uint32_t symbols_cost(const struct deflate *d, const struct lengths *l)
{
    uint32_t bits = 0;

    for (unsigned i = 0; i < 265; i++)
        bits += d->counts[i] * l->litlen[i];
    for (unsigned i = 265; i < LITLEN_CODES; i++)
        bits += d->counts[i] * (l->litlen[i] + litlen_extra(i));
    for (unsigned i = 0; i < DIST_CODES; i++)
        bits += d->counts[SYMBOL_DIST + i] * (l->dist[i] + dist_extra(i));
    return bits;
}

static void add_items(struct dynamic *h, uint32_t *counts, unsigned symbol, unsigned extra)
{
    h->items[h->item_count++] = (uint16_t)(symbol | extra << 5);
    counts[symbol]++;
    h->cost += item_extra(symbol);
}

/* Writes down one run of equal lengths. */
static void add_run(struct dynamic *h, uint32_t *counts, unsigned length, unsigned run)
{
    if (length != 0) {
        add_items(h, counts, length, 0);
        run--;
    }
    while (run >= 3) {
        unsigned symbol = length != 0 ? REPEAT_LAST : run > 10 ? REPEAT_ZERO_LONG : REPEAT_ZERO;
        unsigned least = symbol == REPEAT_ZERO_LONG ? 11 : 3;
        unsigned most = symbol == REPEAT_LAST ? 6 : symbol == REPEAT_ZERO ? 10 : 138;
        unsigned part = run < most ? run : most;
        add_items(h, counts, symbol, part - least);
        run -= part;
    }
    for (; run > 0; run--)
        add_items(h, counts, length, 0);
}

/* Puts the lengths of both codes in the form that the header has. */
static void dynamic_init(struct dynamic *h, const struct lengths *l)
{
    uint8_t all[LITLEN_CODES + DIST_CODES];
    uint32_t counts[LENGTH_CODES] = { 0 };

    h->litlen_used = LITLEN_CODES;
    while (h->litlen_used > 257 && !l->litlen[h->litlen_used - 1])
        h->litlen_used--;
    h->dist_used = DIST_CODES;
    while (h->dist_used > 1 && !l->dist[h->dist_used - 1])
        h->dist_used--;
    memcpy(all, l->litlen, h->litlen_used);
    memcpy(all + h->litlen_used, l->dist, h->dist_used);

    unsigned total = h->litlen_used + h->dist_used;
    h->item_count = 0;
    h->cost = 0;
    for (unsigned i = 0, run; i < total; i += run) {
        for (run = 1; i + run < total && all[i + run] == all[i]; run++)
            ;
        add_run(h, counts, all[i], run);
    }
    deflate_huffman_lengths(counts, LENGTH_CODES, LENGTH_CODE_BITS, h->lengths);
    deflate_huffman_codes(h->lengths, LENGTH_CODES, h->codes);
    h->order_used = LENGTH_CODES;
    while (h->order_used > 4 && !h->lengths[code_order[h->order_used - 1]])
        h->order_used--;
    h->cost += 5 + 5 + 4 + 3 * h->order_used;
    for (unsigned i = 0; i < LENGTH_CODES; i++)
        h->cost += counts[i] * h->lengths[i];
}

static void dynamic_write(struct deflate *d, struct deflate_writer *w, const struct dynamic *h)
{
    deflate_put(d, w, h->litlen_used - 257, 5);
    deflate_put(d, w, h->dist_used - 1, 5);
    deflate_put(d, w, h->order_used - 4, 4);
    for (unsigned i = 0; i < h->order_used; i++)
        deflate_put(d, w, h->lengths[code_order[i]], 3);
    for (unsigned i = 0; i < h->item_count; i++) {
        unsigned symbol = h->items[i] & 31, bits = h->lengths[symbol];
        uint32_t value = h->codes[symbol] | (uint32_t)(h->items[i] >> 5) << bits;
        deflate_put(d, w, value, bits + item_extra(symbol));
    }
}

static void set_codes(struct deflate *d, const struct lengths *l)
{
    uint16_t codes[SYMBOL_CODES];

    deflate_huffman_codes(l->litlen, SYMBOL_DIST, codes);
    deflate_huffman_codes(l->dist, DIST_CODES, codes + SYMBOL_DIST);
    for (unsigned i = 0; i < LITLEN_CODES; i++) {
        uint8_t bits = l->litlen[i], total = (uint8_t)(bits + litlen_extra(i));
        d->codes[i] = (struct deflate_code){ codes[i], bits, total };
    }
    for (unsigned i = 0; i < DIST_CODES; i++) {
        uint8_t bits = l->dist[i], total = (uint8_t)(bits + dist_extra(i));
        d->codes[SYMBOL_DIST + i] = (struct deflate_code){ codes[SYMBOL_DIST + i], bits, total };
    }
    d->codes[NO_SYMBOL] = (struct deflate_code){ 0, 0, 0 };
}

static enum deflate_stage begin_stored(struct deflate *d, struct deflate_writer *w, uint32_t len)
{
    deflate_put(d, w, (uint32_t)TYPE_STORED << 1 | d->last, 3);
    deflate_put_align(d, w);
    deflate_put(d, w, len | (len ^ 0xffff) << 16, 32);
    return STAGE_STORED;
}

enum deflate_stage deflate_block_begin(struct deflate *d, struct deflate_writer *w)
{
    struct lengths dynamic, fixed;
    struct dynamic header;
    uint32_t stored = d->pos - d->block_start;

    d->symbols[d->symbol_count++] = (struct deflate_symbol){ END_OF_BLOCK, 0 };
    d->counts[END_OF_BLOCK]++;
    d->symbol_at = 0;
    deflate_huffman_lengths(d->counts, LITLEN_CODES, HUFFMAN_MAX_BITS, dynamic.litlen);
    memset(dynamic.litlen + LITLEN_CODES, 0, HUFFMAN_MAX_SYMBOLS - LITLEN_CODES);
    deflate_huffman_lengths(d->counts + SYMBOL_DIST, DIST_CODES, HUFFMAN_MAX_BITS, dynamic.dist);
    memset(dynamic.dist + DIST_CODES, 0, 2);
    dynamic_init(&header, &dynamic);
    fixed_lengths(&fixed);

    uint32_t dynamic_cost = header.cost + symbols_cost(d, &dynamic);
    uint32_t fixed_cost = symbols_cost(d, &fixed);
    uint32_t least = dynamic_cost < fixed_cost ? dynamic_cost : fixed_cost;
    if (!d->block_lost && stored <= STORED_MAX && 8 * stored + 32 < least)
        return begin_stored(d, w, stored);
    if (fixed_cost <= dynamic_cost) {
        deflate_put(d, w, (uint32_t)TYPE_STATIC << 1 | d->last, 3);
        set_codes(d, &fixed);
    } else {
        deflate_put(d, w, (uint32_t)TYPE_DYNAMIC << 1 | d->last, 3);
        dynamic_write(d, w, &header);
        set_codes(d, &dynamic);
    }
    /* Fills the last pair up with nothing. */
    d->symbols[d->symbol_count] = (struct deflate_symbol){ NO_SYMBOL, 0 };
    return STAGE_SYMBOLS;
}

/* A symbol's bits, 28 at most. */
static inline uint64_t symbol_bits(const struct deflate_code *code, uint32_t extra)
{
    return code->code | extra << code->bits;
}

bool deflate_block_symbols(struct deflate *d, struct deflate_writer *w)
{
    const struct deflate_symbol *symbol = d->symbols + d->symbol_at;
    uint64_t bits = d->bits;
    unsigned count = d->bit_count;
    unsigned char *at = w->at;
    size_t pairs = (d->symbol_count - d->symbol_at + 1) / 2, room = (size_t)(w->end - at) / 8;

    /* Two at a time; with the bits of the byte that was begun, they are 63 at most. */
    if (pairs > room)
        pairs = room;
    for (const struct deflate_symbol *end = symbol + 2 * pairs; symbol < end; symbol += 2) {
        const struct deflate_code *first = &d->codes[symbol[0].code];
        const struct deflate_code *second = &d->codes[symbol[1].code];
        uint64_t value = symbol_bits(first, symbol[0].extra);
        value |= symbol_bits(second, symbol[1].extra) << first->total;
        bits |= value << count;
        count += first->total + second->total;
        word_store64(at, bits);
        at += count >> 3;
        bits >>= count & ~7u;
        count &= 7;
    }
    d->bits = bits;
    d->bit_count = count;
    d->symbol_at = (uint32_t)(symbol - d->symbols);
    w->at = at;
    return d->symbol_at >= d->symbol_count;
}

void deflate_block_reset(struct deflate *d)
{
    memset(d->counts, 0, sizeof d->counts);
    d->symbol_count = 0;
    d->block_start = d->pos;
    d->block_lost = false;
}

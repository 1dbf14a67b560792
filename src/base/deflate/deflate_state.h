/*
 * deflate_state: what the parts of the compressor share; not for others.
 *
 * Input is copied into `buffer`; a matcher (deflate_fast, deflate_chain) turns it into symbols;
 * deflate_block writes the symbols as a block when their array is full or a flush asks for it.
 */
#ifndef BASE_DEFLATE_DEFLATE_STATE_H
#define BASE_DEFLATE_DEFLATE_STATE_H

#include <stdbool.h>

#include "base/deflate/deflate.h"
#include "base/deflate/deflate_huffman.h"
#include "base/deflate/word.h"

enum {
    MATCH_MIN = 4,              /* shorter ones hardly pay, and are not looked for */
    MATCH_MAX = 258,
    BUFFER_PAD = 16,            /* readable bytes past the input, for reading words */
    LOOKAHEAD = MATCH_MAX + 8,  /* a matcher stops this far from the end, unless flushing */
    END_OF_BLOCK = 256,
    LITLEN_CODES = 286,
    DIST_CODES = 30,
    SYMBOLS_MORE = 4,           /* a match goes past the end by one; the end of block; a filler */
    SPILL_SIZE = 640,           /* no header of a block or of a stream is longer */
};

/*
 * A symbol is a literal, a length or a distance, the last two always as a pair: its code, where
 * those of distances follow the others, and the value of its extra bits.  All three are written in
 * the same way, so that no branch depends on which it is.
 */
struct deflate_symbol {
    uint16_t code, extra;
};

enum {
    SYMBOL_DIST = 288,  /* the first code of a distance */
    NO_SYMBOL = SYMBOL_DIST + DIST_CODES,
    SYMBOL_CODES,
};

/* How a symbol is written: its code with the first bit lowest, the number of these bits, and the
 * same with the extra bits. */
struct deflate_code {
    uint16_t code;
    uint8_t bits, total;
};

enum deflate_stage {
    STAGE_HEADER,   /* the format's header is to be written */
    STAGE_MATCH,    /* symbols are being collected */
    STAGE_BLOCK,    /* a block's header is to be written */
    STAGE_SYMBOLS,  /* a block's symbols are being written */
    STAGE_STORED,   /* a stored block's bytes are being written */
    STAGE_TRAILER,  /* the last block is written */
    STAGE_END,
};

struct deflate_level {
    void (*match)(struct deflate *d, uint32_t stop);
    uint16_t lazy;   /* look for a better match after one shorter than this; 0: never */
    uint16_t good;   /* with one of this length, look only a quarter as far */
    uint16_t nice;   /* stop looking at this length */
    uint16_t chain;  /* candidates to look at */
};

struct deflate {
    enum deflate_format format;
    enum deflate_stage stage;
    const struct deflate_level *level;
    unsigned level_number, window_bits;
    bool last;           /* the block being written is the last one */
    bool synced;         /* nothing was added since the last sync */
    uint32_t checksum;
    uint32_t total;      /* bytes of input, modulo 2^32 */

    /* What was taken of the input.  Indices, not pointers: `pos` is the next byte to match. */
    unsigned char *buffer;
    uint32_t capacity, pos, end, block_start;
    bool block_lost;     /* the block's first bytes have left the buffer */
    uint32_t origin;     /* position of buffer[0] in the stream, modulo 2^32 */
    uint32_t window;     /* the farthest distance */
    uint32_t keep;       /* history that stays when the buffer slides */

    /* Of deflate_chain, positions in the stream modulo 2^16; of deflate_fast, indices.  Old entries
     * need no care: each is checked against the text. */
    uint16_t *head;
    uint16_t *prev;
    unsigned hash_bits;

    struct deflate_symbol *symbols;  /* SYMBOLS_MORE more than symbol_room */
    uint32_t symbol_count, symbol_room, symbol_at;
    uint32_t counts[SYMBOL_CODES];
    struct deflate_code codes[SYMBOL_CODES];

    uint64_t bits;       /* not yet written; fewer than 8 between calls */
    unsigned bit_count;
    unsigned spill_at, spill_len;
    unsigned char spill[SPILL_SIZE + 8];  /* written, for which there was no room */
};

/* Where bytes are being written: the caller's room, or the spill. */
struct deflate_writer {
    unsigned char *at, *end;
};

/* Appends at most 32 bits; eight bytes of room must be left. */
static inline void deflate_put(struct deflate *d, struct deflate_writer *w, uint32_t value,
                               unsigned count)
{
    d->bits |= (uint64_t)value << d->bit_count;
    d->bit_count += count;
    word_store64(w->at, d->bits);
    w->at += d->bit_count >> 3;
    d->bits >>= d->bit_count & ~7u;
    d->bit_count &= 7;
}

/* Fills the byte that was begun. */
static inline void deflate_put_align(struct deflate *d, struct deflate_writer *w)
{
    deflate_put(d, w, 0, -d->bit_count & 7);
}

extern const struct deflate_symbol deflate_lengths[MATCH_MAX + 1];
extern const uint8_t deflate_dist_code[512];
extern const uint16_t deflate_dist_mask[DIST_CODES];

/* The code of a distance, given one less than it. */
static inline uint32_t deflate_dist(uint32_t less)
{
    return deflate_dist_code[less < 256 ? less : 256 + (less >> 7)];
}

/* Writes two symbols, and counts them. */
static inline void deflate_match(struct deflate_symbol *symbols, uint32_t *counts, unsigned len,
                                 uint32_t dist)
{
    const struct deflate_symbol *length = &deflate_lengths[len];
    uint32_t less = dist - 1, code = deflate_dist(less);

    symbols[0].code = length->code;
    symbols[0].extra = length->extra;
    symbols[1].code = (uint16_t)(SYMBOL_DIST + code);
    symbols[1].extra = (uint16_t)(less & deflate_dist_mask[code]);
    counts[length->code]++;
    counts[SYMBOL_DIST + code]++;
}

static inline void deflate_literal(struct deflate *d, unsigned char c)
{
    d->symbols[d->symbol_count++] = (struct deflate_symbol){ c, 0 };
    d->counts[c]++;
}

#endif

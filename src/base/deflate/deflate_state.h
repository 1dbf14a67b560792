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
    MATCH_MIN = 3,
    MATCH_MAX = 258,
    BUFFER_PAD = 16,            /* readable bytes past the input, for reading words */
    LOOKAHEAD = MATCH_MAX + 8,  /* a matcher stops this far from the end, unless flushing */
    END_OF_BLOCK = 256,
    LITLEN_CODES = 286,
    DIST_CODES = 30,
    SPILL_SIZE = 640,           /* no header of a block or of a stream is longer */
};

/*
 * A symbol is a literal, a length or a distance, the last two always as a pair: its code, where
 * those of distances follow the others, and above it the value of its extra bits.  All three are
 * written in the same way, so that no branch depends on which it is.
 */
enum {
    SYMBOL_DIST = 288,  /* the first code of a distance */
    NO_SYMBOL = SYMBOL_DIST + DIST_CODES,
    SYMBOL_COUNT,
    SYMBOL_EXTRA = 10,
    SYMBOL_CODE = (1 << SYMBOL_EXTRA) - 1,
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

    /* Positions modulo 2^16.  Old entries need no care: each is checked against the text. */
    uint32_t *pairs;     /* of deflate_fast: two of them each, the newer one lower */
    uint16_t *head;      /* of deflate_chain, as head3 and prev */
    uint16_t *head3;
    uint16_t *prev;
    unsigned hash_bits;

    uint32_t *symbols;   /* two more than symbol_room, for the end of the block */
    uint32_t symbol_count, symbol_room, symbol_at;
    uint32_t counts[SYMBOL_COUNT];
    uint32_t codes[SYMBOL_COUNT];  /* how each is written: see deflate_block.c */

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

extern const uint16_t deflate_length_symbol[MATCH_MAX + 1];
extern const uint8_t deflate_dist_code[512];
extern const uint16_t deflate_dist_mask[DIST_CODES + 2];

static inline void deflate_literal(struct deflate *d, unsigned char c)
{
    d->symbols[d->symbol_count++] = c;
    d->counts[c]++;
}

/* Writes two symbols, and counts them. */
static inline void deflate_match(uint32_t *symbols, uint32_t *counts, unsigned len, uint32_t dist)
{
    uint32_t length = deflate_length_symbol[len], less = dist - 1;
    uint32_t code = deflate_dist_code[less < 256 ? less : 256 + (less >> 7)];

    symbols[0] = length;
    symbols[1] = (SYMBOL_DIST + code) | (less & deflate_dist_mask[code]) << SYMBOL_EXTRA;
    counts[length & SYMBOL_CODE]++;
    counts[SYMBOL_DIST + code]++;
}

#endif

/*
 * inflate_state: what the parts of the decompressor share; not for others.
 *
 * Output is decoded into `buffer`, behind the history that it may refer to, and copied to the
 * caller from there.  Whatever is read is taken at once or not at all: a symbol whose bits have not
 * all come stays in `bits`, and is looked at again when there are more.
 */
#ifndef BASE_DEFLATE_INFLATE_STATE_H
#define BASE_DEFLATE_INFLATE_STATE_H

#include <stdbool.h>

#include "base/deflate/inflate.h"
#include "base/deflate/inflate_table.h"

enum {
    COPY_MAX = 258,
    BUFFER_SLACK = COPY_MAX + 24,  /* what one round of inflate_fast() may write too much */
    LITLEN_MAX = 288,
    DIST_MAX = 32,
    LENGTHS_MAX = 19,
};

enum inflate_stage {
    STAGE_START,        /* of the format's header */
    STAGE_GZIP,         /* the fixed part of a gzip header */
    STAGE_EXTRA_LEN,
    STAGE_EXTRA,
    STAGE_NAME,
    STAGE_COMMENT,
    STAGE_HEADER_CRC,
    STAGE_BLOCK,        /* a block's header, up to its type */
    STAGE_STORED_LEN,
    STAGE_STORED,
    STAGE_COUNTS,       /* a dynamic block's three counts */
    STAGE_CODE_LENGTHS, /* the code that its codes are written in */
    STAGE_LENGTHS,      /* the codes' lengths */
    STAGE_SYMBOLS,
    STAGE_TRAILER,
    STAGE_SIZE,         /* the second half of gzip's trailer */
    STAGE_END,
    STAGE_BAD,
};

struct inflate {
    enum inflate_format format;
    enum inflate_stage stage;
    const char *error;

    uint64_t bits;              /* read and not yet used; those above bit_count are 0 */
    unsigned bit_count;

    unsigned header_flags;      /* of gzip */
    uint32_t header_crc;
    unsigned header_at;         /* bytes read, or left, of the header's present part */

    bool last;                  /* the present block is the last one */
    uint32_t stored_left;
    unsigned litlen_count, dist_count, code_count;  /* lengths in a dynamic block's header */
    unsigned lengths_at;        /* how many of them have been read */
    uint8_t lengths[LITLEN_MAX + DIST_MAX];
    bool fixed;                 /* the tables are those of the fixed code */
    uint32_t litlen[LITLEN_ENTRIES];
    uint32_t dist[DIST_ENTRIES];

    uint32_t checksum;
    uint32_t total;             /* bytes of output, modulo 2^32 */
    unsigned char *buffer;
    uint32_t window;            /* the farthest distance */
    uint32_t capacity;          /* decoding stops from here on; BUFFER_SLACK follows */
    uint32_t pos, drained;      /* written to the buffer, and handed on from it */
};

/* Reads until `count` bits are there, 56 at most; false if the input has no more. */
static inline bool inflate_need(struct inflate *i, struct inflate_io *io, unsigned count)
{
    while (i->bit_count < count) {
        if (io->in_len == 0)
            return false;
        i->bits |= (uint64_t)*io->in++ << i->bit_count;
        io->in_len--;
        i->bit_count += 8;
    }
    return true;
}

/* The next bits, of which inflate_need() made sure; 32 at most. */
static inline uint32_t inflate_take(struct inflate *i, unsigned count)
{
    uint32_t value = (uint32_t)(i->bits & ((UINT64_C(1) << count) - 1));

    i->bits >>= count;
    i->bit_count -= count;
    return value;
}

static inline void inflate_fail(struct inflate *i, const char *error)
{
    i->error = error;
    i->stage = STAGE_BAD;
}

#endif

/*
 * inflate_block: reads blocks (RFC 1951, 3.2.3 to 3.2.7).
 */
#ifndef BASE_DEFLATE_INFLATE_BLOCK_H
#define BASE_DEFLATE_INFLATE_BLOCK_H

#include "base/deflate/inflate_state.h"

/* Goes on with the present stage, one of STAGE_BLOCK to STAGE_SYMBOLS, until it ends or the buffer
 * is full; false if that needs more input. */
bool inflate_block(struct inflate *i, struct inflate_io *io);

/* Decodes symbols while there is plenty of input and room; the rest, and whatever is wrong, is left
 * to inflate_block(). */
void inflate_fast(struct inflate *i, struct inflate_io *io);

#endif

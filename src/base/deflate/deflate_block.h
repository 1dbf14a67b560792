/*
 * deflate_block: writes collected symbols as a block (RFC 1951, 3.2.3 to 3.2.7), in whichever of
 * its three forms is the shortest.
 */
#ifndef BASE_DEFLATE_DEFLATE_BLOCK_H
#define BASE_DEFLATE_DEFLATE_BLOCK_H

#include "base/deflate/deflate_state.h"

/* Adds the end of the block to the symbols, chooses a form and writes the header, at most
 * SPILL_SIZE bytes.  Returns the stage that writes the rest. */
enum deflate_stage deflate_block_begin(struct deflate *d, struct deflate_writer *w);

/* Writes as many symbols as there is room for, of which eight bytes stay unused; true if that is
 * all of them. */
bool deflate_block_symbols(struct deflate *d, struct deflate_writer *w);

/* Starts to collect anew, at the present place of the text. */
void deflate_block_reset(struct deflate *d);

#endif

/*
 * inflate: decompresses a stream (RFC 1951), bare or framed as zlib (RFC 1950) or gzip (RFC 1952),
 * whose checksum it verifies.
 *
 * The caller gives the memory, whose size follows from the parameters and never grows, and moves
 * the input and output along; any cut of either is right.  Nothing is allocated here.  How much
 * comes out is the caller's to bound: 1 byte can become 1032.
 */
#ifndef BASE_DEFLATE_INFLATE_H
#define BASE_DEFLATE_INFLATE_H

#include <stddef.h>
#include <stdint.h>

struct inflate;

enum inflate_format { INFLATE_RAW, INFLATE_ZLIB, INFLATE_GZIP };

enum inflate_status {
    INFLATE_NEED_INPUT,  /* all input was taken; if no more follows, the stream is cut off */
    INFLATE_NEED_OUTPUT, /* call again with more room */
    INFLATE_END,         /* the stream, or a member of gzip, is complete and all of it is written;
                            what of the input does not belong to it is left there */
    INFLATE_BAD,         /* see inflate_error(); what came before the error is written */
};

struct inflate_params {
    enum inflate_format format;
    unsigned window_bits; /* 8 to 15: a stream that looks farther back is bad */
};

/* Moved along by what was read and written; not kept between calls. */
struct inflate_io {
    const unsigned char *in;
    size_t in_len;
    unsigned char *out;
    size_t out_len;
};

/* Bytes of state that inflate_init() needs.  Parameters out of range are brought into it. */
size_t inflate_memory(const struct inflate_params *p);

/* Begins a stream in `memory`, aligned as by malloc, whatever it held before.  There is nothing to
 * close: the memory is free again at any time. */
struct inflate *inflate_init(void *memory, const struct inflate_params *p);

/* After END of gzip, a call with more input begins the next member (RFC 1952, 2.2). */
enum inflate_status inflate_run(struct inflate *i, struct inflate_io *io);

/* What is wrong with the stream; NULL if nothing was found to be. */
const char *inflate_error(const struct inflate *i);

#endif

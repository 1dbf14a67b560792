/*
 * deflate: compresses a stream (RFC 1951), bare or framed as zlib (RFC 1950) or gzip (RFC 1952).
 *
 * The caller gives the memory, whose size follows from the parameters and never grows, and moves
 * the input and output along; any cut of either is right.  Nothing is allocated here.
 */
#ifndef BASE_DEFLATE_DEFLATE_H
#define BASE_DEFLATE_DEFLATE_H

#include <stddef.h>
#include <stdint.h>

struct deflate;

enum deflate_format { DEFLATE_RAW, DEFLATE_ZLIB, DEFLATE_GZIP };

enum deflate_flush {
    DEFLATE_NO_FLUSH, /* collect input; output appears when a block is full */
    DEFLATE_SYNC,     /* all input so far becomes readable, and ends on a byte */
    DEFLATE_FINISH,   /* this is all; END follows */
};

enum deflate_status {
    DEFLATE_OK,          /* all input was taken and what the flush asks for is written */
    DEFLATE_NEED_OUTPUT, /* call again with more room and the same flush */
    DEFLATE_END,         /* the stream is complete and all of it is written */
};

struct deflate_params {
    enum deflate_format format;
    unsigned level;       /* 1 to 9 */
    unsigned window_bits; /* 9 to 15; nginx's gzip_window is 1 << window_bits */
    unsigned mem_level;   /* 1 to 9: size of a block and of the hash table, as gzip_hash */
    uint64_t length;      /* of the whole input if known, else 0: a small one takes less memory.
                             Only a hint: more or less input is compressed rightly, too. */
};

/* Moved along by what was read and written; not kept between calls. */
struct deflate_io {
    const unsigned char *in;
    size_t in_len;
    unsigned char *out;
    size_t out_len;
};

/* Bytes of state that deflate_init() needs.  Parameters out of range are brought into it. */
size_t deflate_memory(const struct deflate_params *p);

/* Begins a stream in `memory`, aligned as by malloc, whatever it held before.  There is nothing to
 * close: the memory is free again at any time. */
struct deflate *deflate_init(void *memory, const struct deflate_params *p);

enum deflate_status deflate_run(struct deflate *d, struct deflate_io *io,
                                enum deflate_flush flush);

#endif

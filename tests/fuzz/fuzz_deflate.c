/*
 * fuzz_deflate: any input, parameters, cut and flush give a stream that inflates to the same bytes.
 * The first eight bytes of the input choose, the rest is compressed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/deflate/deflate.h"
#include "base/deflate/inflate.h"

enum { CHOICES = 8 };

static void require(int condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "fuzz_deflate: %s\n", what);
        abort();
    }
}

/* Sizes of the pieces in which things come and go; 0 for all at once. */
static size_t piece_of(unsigned char choice, unsigned i)
{
    size_t size = choice & 63;

    return size == 0 ? SIZE_MAX : choice & 64 ? size + i % 7 : choice & 128 ? size * 50 : size;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Compresses to `out`, which has `room`; returns the length. */
static size_t pack(const struct deflate_params *p, const uint8_t *choice, const uint8_t *in,
                   size_t len, unsigned char *out, size_t room)
{
    void *memory = malloc(deflate_memory(p));
    struct deflate *d = deflate_init(memory, p);
    enum deflate_status status = DEFLATE_OK;
    size_t made = 0;

    for (unsigned i = 0; status != DEFLATE_END; i++) {
        size_t part = least(piece_of(choice[4], i), len);
        size_t give = least(piece_of(choice[5], i), room);
        enum deflate_flush flush = DEFLATE_NO_FLUSH;
        if (part == len)
            flush = DEFLATE_FINISH;
        else if (choice[6] && i % choice[6] == 0)
            flush = DEFLATE_SYNC;
        unsigned char *exact = malloc(give), *input = malloc(part);
        memcpy(input, in, part);
        struct deflate_io io = { input, part, exact, give };
        do {
            status = deflate_run(d, &io, flush);
            size_t got = give - io.out_len;
            require(got <= room, "more output than there can be");
            memcpy(out + made, exact, got);
            made += got;
            room -= got;
            give = least(give, room);
            io.out = exact;
            io.out_len = give;
            require(status != DEFLATE_NEED_OUTPUT || room > 0, "no end of output");
        } while (status == DEFLATE_NEED_OUTPUT);
        require(io.in_len == 0, "input was left");
        in += part;
        len -= part;
        free(input);
        free(exact);
    }
    free(memory);
    return made;
}

static void check(const struct deflate_params *p, const uint8_t *choice, const uint8_t *want,
                  size_t len, const unsigned char *packed, size_t size)
{
    static const enum inflate_format formats[] = { INFLATE_RAW, INFLATE_ZLIB, INFLATE_GZIP };
    struct inflate_params ip = { formats[p->format], p->window_bits };
    void *memory = malloc(inflate_memory(&ip));
    struct inflate *s = inflate_init(memory, &ip);
    unsigned char *out = malloc(len + 1);
    struct inflate_io io = { packed, 0, out, 0 };
    enum inflate_status status = INFLATE_NEED_INPUT;

    for (unsigned i = 0; status != INFLATE_END; i++) {
        if (status == INFLATE_NEED_INPUT) {
            require(io.in < packed + size, "the stream has no end");
            io.in_len = least(piece_of(choice[7], i), (size_t)(packed + size - io.in));
        } else {
            require(status == INFLATE_NEED_OUTPUT && io.out < out + len + 1, "the stream is bad");
        }
        if (io.out_len == 0)
            io.out_len = least(piece_of(choice[5], i), (size_t)(out + len + 1 - io.out));
        status = inflate_run(s, &io);
    }
    require(io.in == packed + size, "something follows the stream");
    require((size_t)(io.out - out) == len, "the length is wrong");
    require(len == 0 || memcmp(out, want, len) == 0, "the bytes are wrong");
    free(out);
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < CHOICES || size > 1 << 20)
        return 0;
    const uint8_t *in = data + CHOICES;
    size_t len = size - CHOICES;
    unsigned repeat = data[3] >> 2 & 15;
    uint8_t *text = malloc(len * (repeat + 1) + 1);
    for (unsigned i = 0; i <= repeat; i++)
        memcpy(text + i * len, in, len);
    len *= repeat + 1;

    struct deflate_params p = { (enum deflate_format)(data[0] % 3), data[1] % 9 + 1,
                                data[2] % 7 + 9, (data[2] >> 4) % 9 + 1, 0 };
    if (data[3] & 1)
        p.length = data[3] & 2 ? len : len / 3 + 1;
    /* A sync after each byte costs five bytes and the end of a block. */
    size_t room = len * 16 + 1000;
    unsigned char *packed = malloc(room);
    size_t made = pack(&p, data, text, len, packed, room);
    check(&p, data, text, len, packed, made);
    free(packed);
    free(text);
    return 0;
}

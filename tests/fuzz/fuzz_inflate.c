/*
 * fuzz_inflate: whatever is decompressed, nothing is touched out of bounds, each call makes
 * progress, and the cut of input and output changes nothing.  The first byte chooses format and
 * window, the second the pieces; the rest is the stream, several members of gzip if they follow
 * each other.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/deflate/inflate.h"

enum { MOST = 1 << 18 };  /* bytes of output to look at */

struct outcome {
    enum inflate_status status;
    size_t made, taken;
};

static void require(int condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "fuzz_inflate: %s\n", what);
        abort();
    }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static struct outcome unpack(const struct inflate_params *p, const uint8_t *in, size_t len,
                             unsigned char *out, size_t piece, size_t room)
{
    void *memory = malloc(inflate_memory(p));
    struct inflate *s = inflate_init(memory, p);
    struct outcome o = { INFLATE_NEED_INPUT, 0, 0 };

    for (;;) {
        size_t part = least(piece, len - o.taken), give = least(room, MOST - o.made);
        unsigned char *input = malloc(part), *exact = malloc(give);
        memcpy(input, in + o.taken, part);
        struct inflate_io io = { input, part, exact, give };
        o.status = inflate_run(s, &io);
        size_t taken = part - io.in_len, made = give - io.out_len;
        memcpy(out + o.made, exact, made);
        o.made += made;
        o.taken += taken;
        free(input);
        free(exact);
        require(o.status != INFLATE_NEED_INPUT || io.in_len == 0, "input was left");
        require(o.status != INFLATE_NEED_OUTPUT || io.out_len == 0, "room was left");
        require(o.status != INFLATE_BAD || inflate_error(s), "no error told");
        if (o.status == INFLATE_BAD || o.made == MOST || (o.taken == len && made == 0) ||
            (o.status == INFLATE_END && p->format != INFLATE_GZIP))
            break;
        require(taken > 0 || made > 0, "no progress");
    }
    free(memory);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char whole[MOST], pieces[MOST];

    if (size < 2)
        return 0;
    struct inflate_params p = { (enum inflate_format)(data[0] % 3), 8 + (data[0] >> 4) % 8 };
    size_t piece = (data[1] & 15) + 1, room = (size_t)1 << (data[1] >> 4);
    struct outcome a = unpack(&p, data + 2, size - 2, whole, SIZE_MAX, SIZE_MAX);
    struct outcome b = unpack(&p, data + 2, size - 2, pieces, piece, room);

    require(a.made == b.made && memcmp(whole, pieces, a.made) == 0, "pieces make a difference");
    if (a.made < MOST)
        require(a.status == b.status && (a.status == INFLATE_BAD || a.taken == b.taken),
                "pieces end differently");
    return 0;
}

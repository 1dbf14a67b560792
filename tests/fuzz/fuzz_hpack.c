/*
 * fuzz_hpack: blocks of a peer, read with much room, with little and with none: the dynamic tables stay
 * the same.  What was read is encoded anew and must come back as it was.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "http/v2/hpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SPACE = 1 << 20, SMALL = 48 };   /* no block of 255 bytes is larger than the first */

/* The same block through three decoders, and the way back. */
struct readers {
    struct hpack_decoder ample, tight, blind, back;
    struct hpack_encoder encoder;
};

static void same_table(const struct hpack_table *a, const struct hpack_table *b)
{
    if (a->size != b->size || a->count != b->count || a->used != b->used || a->size > a->limit)
        abort();
    for (unsigned n = 0; n < a->count; n++) {
        const struct hpack_entry *x = hpack_table_at(a, n), *y = hpack_table_at(b, n);
        char text[HPACK_TABLE_SIZE];
        size_t len = (size_t)x->name_len + x->value_len;
        if (x->name_index != y->name_index || x->name_len != y->name_len ||
            x->value_len != y->value_len || x->flaws != y->flaws || x->id != y->id)
            abort();
        hpack_table_copy(a, x->begin, text, len);
        if (!hpack_table_holds(b, y->begin, (struct str){ text, len }))
            abort();
    }
}

/* Encodes a field in a block of its own, decodes that, and compares. */
static void there_and_back(struct readers *r, const struct hpack_field *f, unsigned choice)
{
    static char bytes[SPACE], space[SPACE];
    struct out o = out_fixed(bytes, sizeof bytes), s = out_fixed(space, sizeof space);
    struct hpack_field g;

    if (choice % 16 == 7)
        hpack_encoder_resize(&r->encoder, choice * 67 % 5000);
    hpack_put_begin(&r->encoder, &o);
    hpack_put_field(&r->encoder, &o, f->name, f->value,
                    f->never_index ? HPACK_NEVER : choice % 3 ? HPACK_REPEATED : HPACK_PLAIN);
    struct cursor in = cursor_of(bytes, out_len(&o));
    if (o.overflow || hpack_next(&r->back, &in, &s, &g) != HPACK_FIELD)
        abort();
    if (!str_eq_nocase(f->name, g.name) || !str_eq(f->value, g.value))
        abort();
    for (size_t i = 0; i < g.name.len; i++) {
        if (g.name.data[i] != char_lower(f->name.data[i]))
            abort();
    }
    if (!f->flaws && (g.id != f->id || g.pseudo != f->pseudo || g.flaws))
        abort();
    if (hpack_next(&r->back, &in, &s, &g) != HPACK_END)
        abort();
}

/* False: the connection is at its end. */
static bool read_block(struct readers *r, const uint8_t *data, size_t len)
{
    static char ample[SPACE], tight[SMALL];
    struct cursor in[3] = { cursor_of(data, len), cursor_of(data, len), cursor_of(data, len) };
    struct out spaces[2] = { out_fixed(ample, sizeof ample), out_fixed(tight, sizeof tight) };

    for (unsigned choice = data[0];; choice++) {
        struct hpack_field f, g;
        enum hpack_result result = hpack_next(&r->ample, &in[0], &spaces[0], &f);
        enum hpack_result second = hpack_next(&r->tight, &in[1], &spaces[1], &g);
        if (second == HPACK_FIELD &&
            (result != HPACK_FIELD || !str_eq(f.name, g.name) || !str_eq(f.value, g.value)))
            abort();
        enum hpack_result third = hpack_next(&r->blind, &in[2], NULL, &g);
        if (third != (result == HPACK_FIELD ? HPACK_TOO_LARGE : result) ||
            (second == HPACK_ERROR) != (result == HPACK_ERROR))
            abort();
        if (result == HPACK_FIELD && (g.name.len != f.name.len || g.value.len != f.value.len))
            abort();
        if (result == HPACK_ERROR)
            return false;
        same_table(&r->ample.table, &r->tight.table);
        same_table(&r->ample.table, &r->blind.table);
        if (result == HPACK_END && (!hpack_may_be_good(cursor_of(data, len)) ||
                                    !hpack_may_be_good(cursor_of(data, choice % len))))
            abort();
        if (result == HPACK_END)
            return true;
        if (result == HPACK_FIELD)
            there_and_back(r, &f, choice);
    }
}

/* The input is a row of blocks: a byte for the length, then so many bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct readers r;

    hpack_decoder_init(&r.ample, HPACK_TABLE_SIZE);
    hpack_decoder_init(&r.tight, HPACK_TABLE_SIZE);
    hpack_decoder_init(&r.blind, HPACK_TABLE_SIZE);
    hpack_decoder_init(&r.back, HPACK_TABLE_SIZE);
    hpack_encoder_init(&r.encoder);
    while (size > 1) {
        size_t len = data[0] < size - 1 ? data[0] : size - 1;
        if (len && !read_block(&r, data + 1, len))
            break;
        data += 1 + len;
        size -= 1 + len;
    }
    hpack_decoder_fini(&r.ample);
    hpack_decoder_fini(&r.tight);
    hpack_decoder_fini(&r.blind);
    hpack_decoder_fini(&r.back);
    hpack_encoder_fini(&r.encoder);
    return 0;
}

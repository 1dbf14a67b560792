/*
 * hpack_pipe: Weir's HPACK as a filter, for test_hpack.py.  A command a line, an answer a line:
 *
 *     decode HEX                       NAME:VALUE NAME:VALUE... or "error", in hexadecimal
 *     encode INDEX:NAME:VALUE ...      the block; INDEX is 0, 1, 2 of enum hpack_index
 *     resize NUMBER                    the encoder's peer sets that size; "ok"
 */
#include <stdio.h>
#include <stdlib.h>

#include "http/v2/hpack.h"

enum { SPACE = 1 << 20 };

static char line[4 * SPACE], bytes[SPACE], space[SPACE], answer[4 * SPACE];

static struct str from_hex(struct str digits, char *to)
{
    for (size_t i = 0; i + 1 < digits.len; i += 2)
        to[i / 2] = (char)(char_hex(digits.data[i]) << 4 | char_hex(digits.data[i + 1]));
    return (struct str){ to, digits.len / 2 };
}

static void put_hex(struct out *o, struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        out_hex(o, (unsigned char)s.data[i], 2);
}

static void decode(struct hpack_decoder *d, struct str digits, struct out *o)
{
    struct str block = from_hex(digits, bytes);
    struct cursor in = cursor_of(block.data, block.len);
    struct out s = out_fixed(space, sizeof space);
    struct hpack_field f;
    enum hpack_result result;

    while ((result = hpack_next(d, &in, &s, &f)) == HPACK_FIELD) {
        put_hex(o, f.name);
        out_char(o, ':');
        put_hex(o, f.value);
        out_char(o, ' ');
    }
    if (result != HPACK_END)
        OUT_LITERAL(o, "error");
}

static void encode(struct hpack_encoder *e, struct str rest, struct out *o)
{
    struct out s = out_fixed(space, sizeof space);

    hpack_put_begin(e, &s);
    while (rest.data && rest.len) {
        struct str field = str_split(&rest, ' ');
        enum hpack_index index = (enum hpack_index)(str_split(&field, ':').data[0] - '0');
        struct str name = from_hex(str_split(&field, ':'), bytes);
        struct str value = from_hex(field, bytes + name.len);
        hpack_put_field(e, &s, name, value, index);
    }
    put_hex(o, out_str_of(&s));
}

int main(void)
{
    struct hpack_decoder d;
    struct hpack_encoder e;

    hpack_decoder_init(&d, HPACK_TABLE_SIZE);
    hpack_encoder_init(&e);
    while (fgets(line, sizeof line, stdin)) {
        struct out o = out_fixed(answer, sizeof answer);
        struct str rest = { line, strcspn(line, "\n") };
        struct str command = str_split(&rest, ' ');
        if (str_eq(command, STR("decode"))) {
            decode(&d, rest, &o);
        } else if (str_eq(command, STR("encode"))) {
            encode(&e, rest, &o);
        } else {
            hpack_encoder_resize(&e, (uint32_t)strtoul(rest.data, NULL, 10));
            OUT_LITERAL(&o, "ok");
        }
        printf("%.*s\n", STR_ARG(out_str_of(&o)));
        fflush(stdout);
    }
    hpack_decoder_fini(&d);
    hpack_encoder_fini(&e);
    return 0;
}

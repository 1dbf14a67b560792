/*
 * test_hpack: every example of RFC 7541 appendix C, both ways; what a peer may not do; the table when it
 * is full; fields that do not fit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/headers.h"
#include "http/v2/hpack.h"
#include "http/v2/hpack_huffman.h"

#define MORE 4096

/* Bytes of hexadecimal digits, blanks aside. */
static struct str hex(const char *digits)
{
    static unsigned char space[4 * MORE];
    size_t len = 0;

    for (; *digits; digits++) {
        if (*digits == ' ')
            continue;
        space[len++] = (unsigned char)(char_hex(digits[0]) << 4 | char_hex(digits[1]));
        digits++;
    }
    return (struct str){ (const char *)space, len };
}

/* "name: value" a line, of all fields of a block; "error", "large" where that came. */
static struct str decode(struct hpack_decoder *d, struct str block, size_t room)
{
    static char text[4 * MORE], bytes[MORE];
    struct out o = out_fixed(text, sizeof text), space = out_fixed(bytes, room);
    struct cursor in = cursor_of(block.data, block.len);
    struct hpack_field f;
    enum hpack_result result;

    while ((result = hpack_next(d, &in, &space, &f)) != HPACK_END && result != HPACK_ERROR) {
        if (result == HPACK_TOO_LARGE) {
            OUT_LITERAL(&o, "large\n");
            continue;
        }
        out_str(&o, f.name);
        OUT_LITERAL(&o, ": ");
        out_str(&o, f.value);
        out_char(&o, '\n');
    }
    if (result == HPACK_ERROR)
        OUT_LITERAL(&o, "error");
    out_char(&o, '\0');
    return out_str_of(&o);
}

static void check(struct hpack_decoder *d, const char *digits, const char *fields, unsigned size)
{
    assert_string_equal(decode(d, hex(digits), MORE).data, fields);
    assert_int_equal(d->table.size, size);
}

static void check_error(const char *digits)
{
    struct hpack_decoder d;

    hpack_decoder_init(&d, HPACK_TABLE_SIZE);
    struct str text = decode(&d, hex(digits), MORE);
    if (!str_ends(text, (struct str){ "error", 6 }))
        fail_msg("%s is taken: %s", digits, text.data);
    hpack_decoder_fini(&d);
}

/* ---- the examples ---------------------------------------------------------------------------- */

static void test_single_fields(void **state)
{
    struct hpack_decoder d;

    (void)state;
    hpack_decoder_init(&d, HPACK_TABLE_SIZE);
    check(&d, "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
          "custom-key: custom-header\n", 55);
    hpack_decoder_fini(&d);
    check(&d, "040c 2f73 616d 706c 652f 7061 7468", ":path: /sample/path\n", 0);
    check(&d, "1008 7061 7373 776f 7264 0673 6563 7265 74", "password: secret\n", 0);
    check(&d, "82", ":method: GET\n", 0);
    assert_null(d.table.bytes);
    hpack_decoder_fini(&d);
}

#define REQUEST_1 ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n"
#define REQUEST_2 REQUEST_1 "cache-control: no-cache\n"
#define REQUEST_3                                                                                  \
    ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\n"              \
    "custom-key: custom-value\n"

static const char *const requests_plain[] = {
    "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
    "8286 84be 5808 6e6f 2d63 6163 6865",
    "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
};
static const char *const requests_coded[] = {
    "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
    "8286 84be 5886 a8eb 1064 9cbf",
    "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
};

static void check_requests(const char *const blocks[3])
{
    struct hpack_decoder d;

    hpack_decoder_init(&d, HPACK_TABLE_SIZE);
    check(&d, blocks[0], REQUEST_1, 57);
    check(&d, blocks[1], REQUEST_2, 110);
    check(&d, blocks[2], REQUEST_3, 164);
    hpack_decoder_fini(&d);
}

static void test_requests(void **state)
{
    (void)state;
    check_requests(requests_plain);
    check_requests(requests_coded);
}

#define RESPONSE(status, second)                                                                   \
    ":status: " status "\ncache-control: private\n"                                                \
    "date: Mon, 21 Oct 2013 20:13:" second " GMT\nlocation: https://www.example.com\n"
#define COOKIE "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"

static const char *const responses_plain[] = {
    "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133"
    "3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
    "4803 3330 37c1 c0bf",
    "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a"
    "6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d"
    "6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
};
static const char *const responses_coded[] = {
    "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d"
    "29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
    "4883 640e ffc1 c0bf",
    "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d"
    "d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106"
    "3d50 07",
};

/* Their table holds 256 bytes: entries go, also one that the new one takes its name from. */
static void check_responses(const char *const blocks[3])
{
    struct hpack_decoder d;

    hpack_decoder_init(&d, 256);
    check(&d, blocks[0], RESPONSE("302", "21"), 222);
    check(&d, blocks[1], RESPONSE("307", "21"), 222);
    check(&d, blocks[2],
          RESPONSE("200", "22") "content-encoding: gzip\nset-cookie: " COOKIE "\n", 215);
    hpack_decoder_fini(&d);
}

static void test_responses(void **state)
{
    (void)state;
    check_responses(responses_plain);
    check_responses(responses_coded);
}

/* ---- the encoder gives the same -------------------------------------------------------------- */

static void encode(struct hpack_encoder *e, const char *fields, const char *digits)
{
    char bytes[MORE];
    struct out o = out_fixed(bytes, sizeof bytes);
    struct str rest = str_of(fields), want = hex(digits);

    hpack_put_begin(e, &o);
    while (rest.len) {
        struct str line = str_split(&rest, '\n');
        ptrdiff_t colon = str_index(str_from(line, 1), ':') + 1;
        hpack_put_field(e, &o, str_first(line, (size_t)colon), str_from(line, (size_t)colon + 2),
                        HPACK_REPEATED);
    }
    assert_int_equal(out_len(&o), want.len);
    assert_memory_equal(bytes, want.data, want.len);
}

static void test_encode_requests(void **state)
{
    struct hpack_encoder e;

    (void)state;
    hpack_encoder_init(&e);
    encode(&e, REQUEST_1, requests_coded[0]);
    encode(&e, REQUEST_2, requests_coded[1]);
    encode(&e, REQUEST_3, requests_coded[2]);
    hpack_encoder_fini(&e);
}

static void test_encode_responses(void **state)
{
    struct hpack_encoder e;

    (void)state;
    hpack_encoder_init(&e);
    hpack_encoder_resize(&e, 256);
    encode(&e, "", "3fe1 01");
    encode(&e, RESPONSE("302", "21"), responses_coded[0]);
    encode(&e, RESPONSE("307", "21"), responses_plain[1]);     /* coded, 307 would be no shorter */
    encode(&e, RESPONSE("200", "22") "content-encoding: gzip\nset-cookie: " COOKIE "\n",
           responses_coded[2]);
    assert_int_equal(e.table.size, 215);
    hpack_encoder_fini(&e);
}

/* The peer's sizes: the least one since the last block is told, then the final one. */
static void test_encode_updates(void **state)
{
    struct hpack_encoder e;

    (void)state;
    hpack_encoder_init(&e);
    hpack_encoder_resize(&e, 65536);           /* more than is used: nothing changes */
    encode(&e, "server: weir\n", "7683 f053 59");
    hpack_encoder_resize(&e, 100);
    hpack_encoder_resize(&e, 0);
    hpack_encoder_resize(&e, 1337);
    assert_int_equal(e.table.count, 0);
    encode(&e, "", "20 3f9a 0a");
    encode(&e, "", "");
    hpack_encoder_resize(&e, 4096);
    encode(&e, "", "3fe1 1f");
    hpack_encoder_resize(&e, 0);
    encode(&e, ":path: /x\n", "20 0402 2f78");
    assert_null(e.table.bytes);
    hpack_encoder_fini(&e);
}

static void put(struct str name, struct str value, enum hpack_index index, const char *digits)
{
    struct hpack_encoder e;
    char bytes[MORE];
    struct out o = out_fixed(bytes, sizeof bytes);
    struct str want = hex(digits);

    hpack_encoder_init(&e);
    hpack_put_field(&e, &o, name, value, index);
    assert_int_equal(out_len(&o), want.len);
    assert_memory_equal(bytes, want.data, want.len);
    assert_null(e.table.bytes);
    hpack_encoder_fini(&e);
}

static void test_encode_literals(void **state)
{
    (void)state;
    put(STR(":path"), STR("/sample/path"), HPACK_PLAIN, "0489 6103 a6ba 0ac5 634c ff");
    put(STR("Password"), STR("secret"), HPACK_NEVER, "1086 ac68 4783 d927 8441 4961 53");
    put(STR("AGE"), STR(""), HPACK_PLAIN, "95");
    put(STR("age"), STR("\x01\x02"), HPACK_PLAIN, "0f06 0201 02");
    put(STR(":method"), STR("POST"), HPACK_PLAIN, "83");
    put(STR("X~|"), STR("<>"), HPACK_PLAIN, "0003 787e 7c 023c 3e");
}

static void test_encode_status(void **state)
{
    struct hpack_encoder e;
    char bytes[64];
    struct out o = out_fixed(bytes, sizeof bytes);

    (void)state;
    hpack_encoder_init(&e);
    hpack_put_status(&e, &o, 200);
    hpack_put_status(&e, &o, 404);
    hpack_put_status(&e, &o, 302);
    assert_int_equal(out_len(&o), 6);
    assert_memory_equal(bytes, "\x88\x8d\x08\x82\x64\x02", 6);
    hpack_encoder_fini(&e);
}

/* Long strings, whose length takes one byte more or less when coded. */
static void test_long_strings(void **state)
{
    static char value[2 * MORE], bytes[3 * MORE], back[2 * MORE];

    (void)state;
    memset(value, 'a', sizeof value);
    for (size_t len = 0; len < 600; len++) {
        struct hpack_encoder e;
        struct hpack_decoder d;
        struct hpack_field f;
        struct out o = out_fixed(bytes, sizeof bytes), space = out_fixed(back, sizeof back);

        hpack_encoder_init(&e);
        hpack_decoder_init(&d, HPACK_TABLE_SIZE);
        hpack_put_field(&e, &o, str_first(str_of(value), len + 1), str_first(str_of(value), len),
                        HPACK_REPEATED);
        struct cursor in = cursor_of(bytes, out_len(&o));
        assert_int_equal(hpack_next(&d, &in, &space, &f), HPACK_FIELD);
        assert_int_equal(f.name.len, len + 1);
        assert_int_equal(f.value.len, len);
        assert_memory_equal(f.value.data, value, len);
        assert_non_null(f.value.data);
        assert_int_equal(hpack_next(&d, &in, &space, &f), HPACK_END);
        hpack_decoder_fini(&d);
        hpack_encoder_fini(&e);
    }
}

/* ---- what a peer may not do ------------------------------------------------------------------ */

static void test_bad_indexes(void **state)
{
    (void)state;
    check_error("80");
    check_error("be");
    check_error("7e 01 61");
    check_error("00");
    check_error("ff ff ff ff 7f");
}

static void test_bad_numbers(void **state)
{
    (void)state;
    check_error("ff");
    check_error("ff 80 80 80 80 00");              /* zeros that only make it long */
    check_error("ff ff ff ff ff 0f");
    check_error("ff 80 ff ff ff ff ff ff ff ff 01");
    check_error("00 7f ff ff ff ff ff ff ff ff 7f 61");
    check_error("0f ff ff ff ff ff");
}

static void test_bad_strings(void **state)
{
    (void)state;
    check_error("00 0261");
    check_error("00 0161");
    check_error("00 0161 02 62");
    check_error("40 0161 8262");
    check_error("40 0161");
    check_error("00");
    check_error("00 7f 80");
}

static void test_bad_huffman(void **state)
{
    (void)state;
    check_error("00 0161 84ffff ffff");            /* the end of a string, whole */
    check_error("00 0161 85ffff fffffc");
    check_error("00 0161 821fff");                 /* 11 bits of padding */
    check_error("00 0161 82ffff");                 /* 16 */
    check_error("00 0161 8118");                   /* zeros for padding */
    check_error("00 0161 811e");
    check_error("00 0161 831f ffff");
    check_error("00 82ffff 00");
}

static void test_good_huffman(void **state)
{
    struct hpack_decoder d;

    (void)state;
    hpack_decoder_init(&d, HPACK_TABLE_SIZE);
    check(&d, "00 0161 811f", "a: a\n", 0);
    check(&d, "00 0161 80", "a: \n", 0);
    check(&d, "00 811f 00", "a: \n", 0);
    check(&d, "00 0161 82f8ff", "a: &\n", 0);       /* a whole byte: RFC 7541 would have 7 bits at most */
    hpack_decoder_fini(&d);
}

static void test_size_updates(void **state)
{
    struct hpack_decoder d;

    (void)state;
    check_error("82 20");
    check_error("20 20 20");
    check_error("3fe2 1f");                        /* 4097 */
    check_error("82 3fe1 1f");
    check_error("3f ff ff ff ff 0f");
    hpack_decoder_init(&d, HPACK_TABLE_SIZE);
    check(&d, "400161 0162", "a: b\n", 34);
    check(&d, "20 3fe1 1f 82", ":method: GET\n", 0);
    assert_null(d.table.bytes);
    check(&d, "400161 0162", "a: b\n", 34);
    check(&d, "3f03 be", "a: b\n", 34);            /* 34: just right */
    check(&d, "400161 0163 be", "a: c\na: c\n", 34);
    check(&d, "3f02", "", 0);                      /* 33: gone, in a block of its own */
    check(&d, "400161 0162", "a: b\n", 0);         /* larger than the table */
    check(&d, "3fe1 1f", "", 0);
    hpack_decoder_fini(&d);
}

/* ---- fields ---------------------------------------------------------------------------------- */

static struct hpack_field one(const char *digits)
{
    static char bytes[MORE];
    struct hpack_decoder d;
    struct out space = out_fixed(bytes, sizeof bytes);
    struct str block = hex(digits);
    struct cursor in = cursor_of(block.data, block.len);
    struct hpack_field f;

    hpack_decoder_init(&d, HPACK_TABLE_SIZE);
    while (hpack_next(&d, &in, &space, &f) == HPACK_FIELD)
        ;
    hpack_decoder_fini(&d);
    return f;
}

static void test_marks(void **state)
{
    (void)state;
    assert_int_equal(one("82").pseudo, HPACK_METHOD);
    assert_int_equal(one("41 0161").pseudo, HPACK_AUTHORITY);
    assert_int_equal(one("41 0161 be").pseudo, HPACK_AUTHORITY);
    assert_int_equal(one("00 093a 7072 6f74 6f63 6f6c 00").pseudo, HPACK_PROTOCOL);
    assert_int_equal(one("00 023a 61 00").pseudo, HPACK_PSEUDO_OTHER);
    assert_int_equal(one("90").id, HEADER_ACCEPT_ENCODING);
    assert_int_equal(one("90").pseudo, HPACK_REGULAR);
    assert_int_equal(one("60 0161 be").id, HEADER_COOKIE);
    assert_int_equal(one("40 0274 65 0161").id, HEADER_TE);
    assert_int_equal(one("40 0274 65 0161 be").id, HEADER_TE);
    assert_int_equal(one("40 0274 65 0161 7e 0162 be").id, HEADER_TE);
    assert_int_equal(one("40 0161 0161").id, HEADER_OTHER);
    assert_true(one("1f08 0161").never_index);
    assert_false(one("0f08 0161").never_index);
    assert_false(one("400161 0161 be").never_index);
}

static void test_flaws(void **state)
{
    (void)state;
    assert_int_equal(one("00 0161 0161").flaws, 0);
    assert_int_equal(one("00 0141 0161").flaws, HPACK_BAD_NAME);
    assert_int_equal(one("00 00 0161").flaws, HPACK_BAD_NAME);
    assert_int_equal(one("00 013a 0161").flaws, HPACK_BAD_NAME);
    assert_int_equal(one("00 0261 20 0161").flaws, HPACK_BAD_NAME);
    assert_int_equal(one("00 02ff 61 0161").flaws, HPACK_BAD_NAME);
    assert_int_equal(one("00 0261 3a 0161").flaws, HPACK_BAD_NAME);
    assert_int_equal(one("00 0161 00").flaws, 0);
    assert_int_equal(one("00 0161 0361 2061").flaws, 0);
    assert_int_equal(one("00 0161 0220 61").flaws, HPACK_BAD_VALUE);
    assert_int_equal(one("00 0161 0261 09").flaws, HPACK_BAD_VALUE);
    assert_int_equal(one("00 0161 0361 0061").flaws, HPACK_BAD_VALUE);
    assert_int_equal(one("00 0161 0961 6161 6161 610d 6161").flaws, HPACK_BAD_VALUE);
    assert_int_equal(one("00 0161 0961 6161 6161 6161 0a61").flaws, HPACK_BAD_VALUE);
    assert_int_equal(one("40 0141 0220 61 be").flaws, HPACK_BAD_NAME | HPACK_BAD_VALUE);
    assert_int_equal(one("40 0141 0220 61 7e 0161 be").flaws, HPACK_BAD_NAME);
    assert_int_equal(one("41 0220 61").flaws, HPACK_BAD_VALUE);
}

/* Every byte that may be in a name, by the list of RFC 9110 section 5.6.2. */
static void test_name_bytes(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char bytes[] = { 0, 2, 'a', (char)c, 0 }, space[1];
        struct hpack_decoder d;
        struct cursor in = cursor_of(bytes, sizeof bytes);
        struct out o = out_fixed(space, sizeof space);
        struct hpack_field f;
        bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                    (c && strchr("!#$%&'*+-.^_`|~", (int)c));

        hpack_decoder_init(&d, HPACK_TABLE_SIZE);
        assert_int_equal(hpack_next(&d, &in, &o, &f), HPACK_FIELD);
        if ((f.flaws == 0) != good)
            fail_msg("byte %u", c);
    }
}

/* ---- fields that do not fit ------------------------------------------------------------------ */

static void test_too_large(void **state)
{
    struct hpack_decoder d;

    (void)state;
    hpack_decoder_init(&d, HPACK_TABLE_SIZE);
    /* A coded value of 15 bytes, for which there are 8; what follows is small. */
    assert_string_equal(decode(&d, hex("418c f1e3 c2e5 f23a 6ba0 ab90 f4ff 82"), 8).data,
                        "large\n:method: GET\n");
    assert_int_equal(d.table.size, 57);
    assert_string_equal(decode(&d, hex("be 5886 a8eb 1064 9cbf"), 8).data,
                        "large\ncache-control: no-cache\n");
    check(&d, "be bf", "cache-control: no-cache\n:authority: www.example.com\n", 110);
    hpack_decoder_fini(&d);
}

/* A block that is refused is gone through without a space; errors are still found. */
static void test_gone_through(void **state)
{
    struct hpack_decoder d;
    struct hpack_field f;
    struct str block = hex("82 418c f1e3 c2e5 f23a 6ba0 ab90 f4ff 4088 25a8 49e9 5ba9 7d7f 0161 be");
    struct cursor in = cursor_of(block.data, block.len);

    (void)state;
    hpack_decoder_init(&d, HPACK_TABLE_SIZE);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(hpack_next(&d, &in, NULL, &f), HPACK_TOO_LARGE);
    assert_int_equal(hpack_next(&d, &in, NULL, &f), HPACK_END);
    check(&d, "be bf", "custom-key: a\n:authority: www.example.com\n", 100);
    in = cursor_of("\xff", 1);
    assert_int_equal(hpack_next(&d, &in, NULL, &f), HPACK_ERROR);
    hpack_decoder_fini(&d);
}

/* Names and values longer than the table, and than what is kept while going through. */
static void test_gone_through_long(void **state)
{
    static char value[3 * MORE], bytes[8 * MORE];

    (void)state;
    memset(value, 'a', sizeof value);
    for (unsigned i = 0; i < 4; i++) {
        struct hpack_encoder e;
        struct hpack_decoder d;
        struct hpack_field f;
        struct out o = out_fixed(bytes, sizeof bytes);
        struct str lens[] = { str_first(str_of(value), i & 1 ? 2 * MORE + 1 : 1),
                              str_first(str_of(value), i & 2 ? 2 * MORE + 1 : 1) };

        hpack_encoder_init(&e);
        hpack_put_field(&e, &o, STR("x"), STR("y"), HPACK_REPEATED);
        size_t at = out_len(&o);
        hpack_put_field(&e, &o, lens[0], lens[1], HPACK_PLAIN);
        bytes[at] = 0x40;                          /* with indexing */
        struct cursor in = cursor_of(bytes, out_len(&o));
        hpack_decoder_init(&d, HPACK_TABLE_SIZE);
        assert_int_equal(hpack_next(&d, &in, NULL, &f), HPACK_TOO_LARGE);
        assert_int_equal(hpack_next(&d, &in, NULL, &f), HPACK_TOO_LARGE);
        assert_int_equal(d.table.count, i ? 0 : 2);
        assert_int_equal(hpack_next(&d, &in, NULL, &f), HPACK_END);
        hpack_decoder_fini(&d);
        hpack_encoder_fini(&e);
    }
}

/* Who skips a block can still tell how large it would be. */
static void test_lengths_of_skipped(void **state)
{
    static const char block[] = "\x40\3abc\5value\xbe\x7e\5other\x82\x00\1x\x85\x25\xa8\x49\xe9\x5b";
    static const unsigned lens[][2] = { { 3, 5 }, { 3, 5 }, { 3, 5 }, { 7, 3 }, { 1, 7 } };
    struct cursor in = cursor_of(block, sizeof block - 1);
    struct hpack_decoder d;
    struct hpack_field f;

    (void)state;
    hpack_decoder_init(&d, HPACK_TABLE_SIZE);
    for (unsigned i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        assert_int_equal(hpack_next(&d, &in, NULL, &f), HPACK_TOO_LARGE);
        assert_int_equal(f.name.len, lens[i][0]);
        assert_int_equal(f.value.len, lens[i][1]);
    }
    assert_int_equal(hpack_next(&d, &in, NULL, &f), HPACK_END);
    hpack_decoder_fini(&d);
}

/* Beginnings of good blocks may be good wherever they end; some can't. */
static void test_beginnings(void **state)
{
    static const char *const bad[] = { "80", "82 80", "ffff ffff", "42ff ffff ff", "0001 617f ffff ff",
                                       "3fff ffff", "7fff ffff", "00ff ffff ff" };
    struct str good = hex("3fe1 1f82 418c f1e3 c2e5 f23a 6ba0 ab90 f4ff 4088 25a8 49e9 5ba9 7d7f 0161 be");

    (void)state;
    for (size_t len = 0; len <= good.len; len++)
        assert_true(hpack_may_be_good(cursor_of(good.data, len)));
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct str block = hex(bad[i]);
        if (hpack_may_be_good(cursor_of(block.data, block.len)))
            fail_msg("%s may be good", bad[i]);
    }
}

/* Fields that stay are found where they are, however many come in front of them, until they are pushed out. */
static void test_fields_that_stay(void **state)
{
    struct hpack_encoder e;
    struct hpack_decoder d;
    char bytes[MORE], space[MORE], value[32];
    unsigned indexed = 0;

    (void)state;
    hpack_encoder_init(&e);
    hpack_decoder_init(&d, HPACK_TABLE_SIZE);
    for (unsigned i = 0; i < 70000; i++) {     /* beyond what counts the entries */
        struct str names[] = { STR("server"), STR("x-own"), STR("date"), STR("content-type") };
        struct out number = out_fixed(value, sizeof value), o = out_fixed(bytes, sizeof bytes);
        out_padded(&number, i / 3, 29);
        struct str values[] = { STR("weir"), STR("y"), out_str_of(&number), STR("text/html") };
        hpack_put_begin(&e, &o);
        for (unsigned k = 0; k < 4; k++)
            hpack_put_field(&e, &o, names[k], values[k], HPACK_REPEATED);
        indexed += out_len(&o) <= 8;
        struct cursor in = cursor_of(bytes, out_len(&o));
        struct out to = out_fixed(space, sizeof space);
        for (unsigned k = 0; k < 4; k++) {
            struct hpack_field f;
            assert_int_equal(hpack_next(&d, &in, &to, &f), HPACK_FIELD);
            assert_true(str_eq(f.name, names[k]) && str_eq(f.value, values[k]));
        }
        assert_int_equal(hpack_next(&d, &in, &to, &(struct hpack_field){ 0 }), HPACK_END);
    }
    assert_true(indexed > 45000);              /* two of three, but where something was pushed out */
    hpack_encoder_fini(&e);
    hpack_decoder_fini(&d);
}

/* What grows in an arena need not be guessed. */
static void test_growing_space(void **state)
{
    struct hpack_decoder d;
    struct arena a;
    struct str block = hex("418c f1e3 c2e5 f23a 6ba0 ab90 f4ff be");
    struct cursor in = cursor_of(block.data, block.len);
    struct hpack_field f, again;

    (void)state;
    arena_init(&a);
    struct out space = out_growing(&a, 100);
    hpack_decoder_init(&d, HPACK_TABLE_SIZE);
    assert_int_equal(hpack_next(&d, &in, &space, &f), HPACK_FIELD);
    assert_int_equal(hpack_next(&d, &in, &space, &again), HPACK_FIELD);
    assert_true(str_eq(f.value, STR("www.example.com")));
    assert_true(str_eq(again.value, f.value));
    hpack_decoder_fini(&d);
    arena_fini(&a);
}

/* ---- the dynamic table ----------------------------------------------------------------------- */

/* Fields of many sizes through both tables, past all that fits, with changes of size. */
static void test_eviction(void **state)
{
    struct hpack_encoder e;
    struct hpack_decoder d;
    char bytes[2 * MORE], back[2 * MORE], value[600];
    uint32_t seed = 7;

    (void)state;
    hpack_encoder_init(&e);
    hpack_decoder_init(&d, HPACK_TABLE_SIZE);
    for (unsigned i = 0; i < 20000; i++) {
        struct out o = out_fixed(bytes, sizeof bytes), space = out_fixed(back, sizeof back);
        struct hpack_field f;
        seed = seed * 1664525 + 1013904223;
        size_t len = seed >> 24 > 250 ? 590 : (seed >> 20) % 64;
        memset(value, 'a' + (int)(seed >> 16 & 7), sizeof value);
        struct str v = { value, len }, name = seed >> 9 & 1 ? STR("etag") : STR("x-name");

        if (i % 100 == 0)
            hpack_encoder_resize(&e, (seed >> 8) % 5000);
        hpack_put_begin(&e, &o);
        hpack_put_field(&e, &o, name, v, HPACK_REPEATED);
        struct cursor in = cursor_of(bytes, out_len(&o));
        assert_int_equal(hpack_next(&d, &in, &space, &f), HPACK_FIELD);
        assert_true(str_eq(f.value, v));
        assert_true(str_eq(f.name, name));
        assert_int_equal(hpack_next(&d, &in, &space, &f), HPACK_END);
        assert_int_equal(d.table.size, e.table.size);
        assert_int_equal(d.table.count, e.table.count);
        assert_true(d.table.size <= d.table.limit && d.table.used <= d.table.room);
    }
    hpack_encoder_fini(&e);
    hpack_decoder_fini(&d);
}

/* ---- the code -------------------------------------------------------------------------------- */

static void test_huffman_symbols(void **state)
{
    char coded[64], back[64];
    size_t len, used;

    (void)state;
    hpack_huffman_prepare();
    for (unsigned c = 0; c < 256; c++) {
        char bytes[] = { (char)c, 'a', (char)c, '0', (char)c };
        for (size_t n = 1; n <= sizeof bytes; n++) {
            used = hpack_huffman_encode((struct str){ bytes, n }, false, coded, sizeof coded);
            assert_true(hpack_huffman_decode((struct str){ coded, used }, back, sizeof back, &len));
            assert_int_equal(len, n);
            assert_memory_equal(back, bytes, n);
            /* Less room: the length is still told, and nothing written beyond. */
            memset(back, '#', sizeof back);
            assert_true(hpack_huffman_decode((struct str){ coded, used }, back, n - 1, &len));
            assert_int_equal(len, n);
            assert_memory_equal(back, bytes, n - 1);
            assert_int_equal(back[n - 1], '#');
            assert_int_equal(hpack_huffman_encode((struct str){ bytes, n }, false, coded, used - 1), 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single_fields),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_encode_requests),
        cmocka_unit_test(test_encode_responses),
        cmocka_unit_test(test_encode_updates),
        cmocka_unit_test(test_encode_literals),
        cmocka_unit_test(test_encode_status),
        cmocka_unit_test(test_long_strings),
        cmocka_unit_test(test_bad_indexes),
        cmocka_unit_test(test_bad_numbers),
        cmocka_unit_test(test_bad_strings),
        cmocka_unit_test(test_bad_huffman),
        cmocka_unit_test(test_good_huffman),
        cmocka_unit_test(test_size_updates),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_flaws),
        cmocka_unit_test(test_name_bytes),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_gone_through),
        cmocka_unit_test(test_gone_through_long),
        cmocka_unit_test(test_lengths_of_skipped),
        cmocka_unit_test(test_beginnings),
        cmocka_unit_test(test_fields_that_stay),
        cmocka_unit_test(test_growing_space),
        cmocka_unit_test(test_eviction),
        cmocka_unit_test(test_huffman_symbols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

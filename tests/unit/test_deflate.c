/*
 * test_deflate: the compressor and the decompressor, with each other and on streams made elsewhere
 * or by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/deflate/deflate.h"
#include "base/deflate/deflate_huffman.h"
#include "base/deflate/inflate.h"
#include "base/str.h"

enum { ROOM = 1 << 20 };

static unsigned char packed[ROOM], unpacked[ROOM], text[ROOM];

static const enum inflate_format same_format[] = { INFLATE_RAW, INFLATE_ZLIB, INFLATE_GZIP };

static uint32_t random_state;

static uint32_t random_next(void)
{
    random_state = random_state * 1664525 + 1013904223;
    return random_state >> 8;
}

/* Words, with `noise` of 256 bytes by chance. */
static void make_text(size_t len, unsigned noise)
{
    static const char *words[] = { "<div class=\"", "item", "\">", "</div>\n", "the ", "quick ",
                                   "brown ", "fox", "0123", "function(", ") { return ", "; }\n" };
    size_t at = 0;

    random_state = 1;
    while (at < len) {
        if (random_next() % 256 < noise) {
            text[at++] = (unsigned char)random_next();
            continue;
        }
        const char *word = words[random_next() % 12];
        for (; *word && at < len; word++)
            text[at++] = (unsigned char)*word;
    }
}

/* All of `in`, the output in parts of `room` bytes, each piece of input followed by `flush`. */
static size_t pack(const struct deflate_params *p, const unsigned char *in, size_t len,
                   size_t piece, size_t room, enum deflate_flush flush)
{
    void *memory = malloc(deflate_memory(p));
    memset(memory, 0xa5, deflate_memory(p));
    struct deflate *d = deflate_init(memory, p);
    struct deflate_io io = { in, 0, packed, 0 };
    enum deflate_status status;

    do {
        size_t left = (size_t)(in + len - io.in);
        if (io.in_len == 0)
            io.in_len = left < piece ? left : piece;
        enum deflate_flush now = io.in_len == left ? DEFLATE_FINISH : flush;
        while ((status = deflate_run(d, &io, now)) == DEFLATE_NEED_OUTPUT) {
            assert_int_equal(io.out_len, 0);
            io.out_len = room;
            assert_true(io.out + room <= packed + ROOM);
        }
        assert_int_equal(io.in_len, 0);
    } while (status != DEFLATE_END);
    assert_int_equal(deflate_run(d, &io, DEFLATE_FINISH), DEFLATE_END);
    free(memory);
    return (size_t)(io.out - packed);
}

static enum inflate_status unpack(enum inflate_format format, unsigned window_bits,
                                  const unsigned char *in, size_t len, size_t *made,
                                  const char **error)
{
    struct inflate_params p = { format, window_bits };
    void *memory = malloc(inflate_memory(&p));
    memset(memory, 0xa5, inflate_memory(&p));
    struct inflate *i = inflate_init(memory, &p);
    struct inflate_io io = { in, len, unpacked, ROOM };
    enum inflate_status status = inflate_run(i, &io);

    if (status == INFLATE_END)
        assert_int_equal(io.in_len, 0);
    *made = (size_t)(io.out - unpacked);
    *error = inflate_error(i);
    free(memory);
    return status;
}

static void check(const struct deflate_params *p, const unsigned char *want, size_t len,
                  size_t size)
{
    const char *error;
    size_t made;
    enum inflate_status status =
        unpack(same_format[p->format], p->window_bits, packed, size, &made, &error);

    assert_null(error);
    assert_int_equal(status, INFLATE_END);
    assert_int_equal(made, len);
    assert_memory_equal(unpacked, want, len);
}

static void test_levels(void **state)
{
    size_t before = SIZE_MAX;

    (void)state;
    make_text(300000, 8);
    for (unsigned level = 1; level <= 9; level++) {
        struct deflate_params p = { DEFLATE_GZIP, level, 15, 8, 0 };
        size_t size = pack(&p, text, 300000, 300000, ROOM, DEFLATE_NO_FLUSH);
        check(&p, text, 300000, size);
        assert_true(size <= before + before / 100);
        before = size;
        p.length = 300000;
        size = pack(&p, text, 300000, 300000, ROOM, DEFLATE_NO_FLUSH);
        check(&p, text, 300000, size);
    }
}

static void test_parameters(void **state)
{
    (void)state;
    make_text(70000, 20);
    for (unsigned window_bits = 8; window_bits <= 16; window_bits++) {
        for (unsigned mem_level = 0; mem_level <= 10; mem_level++) {
            unsigned level = (window_bits + mem_level) % 9 + 1;
            enum deflate_format format = (enum deflate_format)(mem_level % 3);
            struct deflate_params p = { format, level, window_bits, mem_level, 0 };
            size_t size = pack(&p, text, 70000, 70000, ROOM, DEFLATE_NO_FLUSH);
            p.window_bits = window_bits < 9 ? 9 : window_bits;
            check(&p, text, 70000, size);
        }
    }
}

static void test_small_memory(void **state)
{
    struct deflate_params p = { DEFLATE_GZIP, 1, 15, 8, 1000 };

    (void)state;
    assert_true(deflate_memory(&p) < 16384);
    p.level = 9;
    assert_true(deflate_memory(&p) < 24576);
    p.length = 0;
    assert_true(deflate_memory(&p) < 280000);
}

/* Less or more than was said. */
static void test_wrong_length(void **state)
{
    static const size_t lengths[] = { 0, 1, 1000, 50000 };

    (void)state;
    make_text(50000, 30);
    for (unsigned level = 1; level <= 9; level += 4) {
        for (unsigned i = 0; i < 4; i++) {
            for (unsigned said = 1; said <= 100000; said *= 10) {
                struct deflate_params p = { DEFLATE_ZLIB, level, 15, 8, said };
                check(&p, text, lengths[i],
                      pack(&p, text, lengths[i], lengths[i], ROOM, DEFLATE_NO_FLUSH));
            }
        }
    }
}

static void test_pieces(void **state)
{
    static const size_t pieces[] = { 1, 2, 7, 100, 4096 };
    static const size_t rooms[] = { 1, 3, 639, 640, 5000 };

    (void)state;
    make_text(30000, 60);
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned j = 0; j < 5; j++) {
            struct deflate_params p = { (enum deflate_format)(i % 3), i + j + 1, 15 - j, 9 - i, 0 };
            check(&p, text, 30000, pack(&p, text, 30000, pieces[i], rooms[j], DEFLATE_NO_FLUSH));
        }
    }
}

/* After a sync everything so far can be read; a second one adds nothing. */
static void test_sync(void **state)
{
    static const struct deflate_params p = { DEFLATE_RAW, 6, 15, 8, 0 };
    static const unsigned char marker[] = { 0, 0, 0xff, 0xff };
    void *memory = malloc(deflate_memory(&p));
    struct deflate *d = deflate_init(memory, &p);
    struct deflate_io io = { text, 0, packed, ROOM };
    const char *error;
    size_t made;

    (void)state;
    make_text(1000, 0);
    for (size_t len = 0; len < 1000; len += 100) {
        io.in_len = 100;
        assert_int_equal(deflate_run(d, &io, DEFLATE_SYNC), DEFLATE_OK);
        assert_memory_equal(io.out - 4, marker, 4);
        unsigned char *at = io.out;
        assert_int_equal(deflate_run(d, &io, DEFLATE_SYNC), DEFLATE_OK);
        assert_ptr_equal(io.out, at);
        assert_int_equal(unpack(INFLATE_RAW, 15, packed, (size_t)(at - packed), &made, &error),
                         INFLATE_NEED_INPUT);
        assert_int_equal(made, len + 100);
        assert_memory_equal(unpacked, text, made);
    }
    assert_int_equal(deflate_run(d, &io, DEFLATE_FINISH), DEFLATE_END);
    check(&p, text, 1000, (size_t)(io.out - packed));
    free(memory);
}

/* What can't be compressed grows by no more than the headers of stored blocks. */
static void test_noise(void **state)
{
    (void)state;
    make_text(200000, 256);
    for (unsigned level = 1; level <= 9; level++) {
        for (unsigned mem_level = 1; mem_level <= 9; mem_level += 4) {
            struct deflate_params p = { DEFLATE_RAW, level, 15 - mem_level / 2, mem_level, 0 };
            size_t size = pack(&p, text, 200000, 200000, ROOM, DEFLATE_NO_FLUSH);
            size_t block = 64u << mem_level, half = 1u << p.window_bits >> 1;
            if (block > half)
                block = half;
            assert_true(size <= 200000 + 5 * (200000 / block + 1));
            check(&p, text, 200000, size);
        }
    }
}

static void test_extremes(void **state)
{
    (void)state;
    memset(text, 'a', 500000);
    for (unsigned level = 1; level <= 9; level++) {
        struct deflate_params p = { DEFLATE_GZIP, level, 15, 8, 0 };
        size_t size = pack(&p, text, 500000, 500000, ROOM, DEFLATE_NO_FLUSH);
        assert_true(size < 900);
        check(&p, text, 500000, size);
        for (size_t len = 0; len < 20; len++)
            check(&p, text, len, pack(&p, text, len, 20, ROOM, DEFLATE_NO_FLUSH));
    }
}

/* Counts that Huffman's algorithm would give codes of more than 15 bits. */
static void test_long_codes(void **state)
{
    uint32_t counts[20];
    uint8_t lengths[20];
    uint32_t space = 0;

    (void)state;
    for (unsigned i = 0; i < 20; i++)
        counts[i] = i < 2 ? 1 : counts[i - 1] + counts[i - 2];
    deflate_huffman_lengths(counts, 20, 15, lengths);
    for (unsigned i = 0; i < 20; i++) {
        assert_in_range(lengths[i], 1, 15);
        space += UINT32_C(1) << (15 - lengths[i]);
    }
    assert_int_equal(space, UINT32_C(1) << 15);
    for (unsigned i = 1; i < 20; i++)
        assert_true(lengths[i] <= lengths[i - 1]);
    deflate_huffman_lengths(counts, 18, 7, lengths);
    for (unsigned i = 0; i < 18; i++)
        assert_in_range(lengths[i], 1, 7);
}

/* The same by way of a stream: one byte is by far more frequent than the next, and so on. */
static void test_skewed(void **state)
{
    size_t len = 0;

    (void)state;
    random_state = 7;
    for (unsigned i = 0; i < 16; i++) {
        for (unsigned n = 0; n < 1u << i >> 1; n++)
            text[len++] = (unsigned char)(i * 13);
    }
    for (size_t i = len - 1; i > 0; i--) {
        size_t other = random_next() % (i + 1);
        unsigned char c = text[i];
        text[i] = text[other];
        text[other] = c;
    }
    for (unsigned level = 1; level <= 9; level++) {
        struct deflate_params p = { DEFLATE_RAW, level, 9, 9, 0 };
        check(&p, text, len, pack(&p, text, len, len, ROOM, DEFLATE_NO_FLUSH));
    }
}

static void check_inflate(enum inflate_format format, struct str in, struct str want)
{
    const char *error;
    size_t made;

    assert_int_equal(unpack(format, 15, (const unsigned char *)in.data, in.len, &made, &error),
                     INFLATE_END);
    assert_int_equal(made, want.len);
    assert_memory_equal(unpacked, want.data, want.len);
}

/* By its bits: what is read, and what is said of it. */
static void check_bad(enum inflate_format format, struct str in, const char *want)
{
    const char *error;
    size_t made;

    assert_int_equal(unpack(format, 15, (const unsigned char *)in.data, in.len, &made, &error),
                     INFLATE_BAD);
    assert_string_equal(error, want);
}

static void test_headers(void **state)
{
    (void)state;
    /* "hello" stored. */
#define HELLO "\x01\x05\x00\xfa\xffhello"
#define TRAILER "\x86\xa6\x10\x36\x05\x00\x00\x00"
    check_inflate(INFLATE_RAW, STR(HELLO), STR("hello"));
    check_inflate(INFLATE_RAW, STR("\x03\x00"), STR(""));
    check_inflate(INFLATE_ZLIB, STR("\x78\x9c" HELLO "\x06\x2c\x02\x15"), STR("hello"));
    check_inflate(INFLATE_GZIP, STR("\x1f\x8b\x08\0\0\0\0\0\0\x03" HELLO TRAILER), STR("hello"));
    check_inflate(INFLATE_GZIP,
                  STR("\x1f\x8b\x08\x1f\0\0\0\0\0\x03\x05\0" "abcdename\0comment\0"
                      "\x2d\x2d" HELLO TRAILER),
                  STR("hello"));
    check_inflate(INFLATE_GZIP, STR("\x1f\x8b\x08\x08\0\0\0\0\0\x03\0" HELLO TRAILER),
                  STR("hello"));
    check_bad(INFLATE_GZIP,
              STR("\x1f\x8b\x08\x1f\0\0\0\0\0\x03\x05\0" "abcdename\0comment\0"
                  "\x2d\x2e" HELLO TRAILER),
              "checksum of gzip's header is wrong");
    check_bad(INFLATE_GZIP, STR("\x1f\x8b\x08\x20\0\0\0\0\0\x03" HELLO TRAILER),
              "unknown flags in gzip's header");
    check_bad(INFLATE_GZIP, STR("\x1f\x8b\x07\0\0\0\0\0\0\x03"), "not in gzip's format");
    check_bad(INFLATE_GZIP, STR("\x1f\x8c"), "not in gzip's format");
    check_bad(INFLATE_GZIP, STR("\x1f\x8b\x08\0\0\0\0\0\0\x03" HELLO "\x86\xa6\x10\x37\x05\0\0\0"),
              "checksum is wrong");
    check_bad(INFLATE_GZIP, STR("\x1f\x8b\x08\0\0\0\0\0\0\x03" HELLO "\x86\xa6\x10\x36\x06\0\0\0"),
              "length is wrong");
    check_bad(INFLATE_ZLIB, STR("\x78\x9c" HELLO "\x06\x2c\x02\x16"), "checksum is wrong");
    check_bad(INFLATE_ZLIB, STR("\x78\x9d"), "not in zlib's format");
    check_bad(INFLATE_ZLIB, STR("\x88\x1c"), "window is too large");
    check_bad(INFLATE_ZLIB, STR("\x78\xbb"), "a dictionary is needed");
}

static void test_bad_blocks(void **state)
{
    (void)state;
    check_bad(INFLATE_RAW, STR("\x07"), "unknown type of block");
    check_bad(INFLATE_RAW, STR("\x01\x05\x00\xfa\xfe"),
              "length of a stored block does not match its complement");
    /* Fixed code: length 3 (0000001), distance code 0 or 30, at the beginning. */
    check_bad(INFLATE_RAW, STR("\x03\x02\x00\x00"), "distance that leads too far back");
    check_bad(INFLATE_RAW, STR("\x4b\x04\x3e\x00\x00"), "bits that are no distance");
    check_bad(INFLATE_RAW, STR("\x1b\x03\x00"), "bits that are no literal or length");
    /* 287 literals and lengths; 31 distances. */
    check_bad(INFLATE_RAW, STR("\xf5\x00\x00"), "too many codes");
    check_bad(INFLATE_RAW, STR("\x05\x1e\x00"), "too many codes");
    /* No lengths at all for the code of lengths. */
    check_bad(INFLATE_RAW, STR("\x05\x00\x00\x00"), "lengths of codes are not a complete code");
}

/* Made by zlib at level 9. */
static void test_dynamic(void **state)
{
    static const unsigned char stream[] = {
        0x6d, 0xd1, 0xbb, 0x0d, 0x80, 0x40, 0x10, 0x03, 0xd1, 0x9c, 0x2a, 0xb6, 0x04, 0x6c,
        0xfe, 0x05, 0x2d, 0x12, 0xd2, 0xc1, 0x05, 0x5c, 0x40, 0xf9, 0x88, 0x14, 0x4d, 0x3a,
        0x91, 0x9f, 0x5c, 0x8e, 0x2b, 0xa3, 0x8f, 0xba, 0xc7, 0x5d, 0xcf, 0x8c, 0x96, 0x4f,
        0xeb, 0xca, 0xd7, 0x04, 0xcd, 0xd0, 0x06, 0x68, 0x23, 0xb4, 0x09, 0xda, 0x0c, 0x6d,
        0x81, 0xb6, 0x42, 0xdb, 0x68, 0x33, 0x42, 0x48, 0x22, 0xa2, 0x88, 0x2c, 0x22, 0x8c,
        0x48, 0x23, 0xe2, 0x88, 0x3c, 0x22, 0x90, 0x48, 0x64, 0x12, 0x19, 0xbf, 0x21, 0x91,
        0x49, 0x64, 0x12, 0x99, 0x44, 0x26, 0x91, 0x49, 0x64, 0x12, 0xf9, 0x27, 0x7a, 0x01,
    };
    char want[2000];
    int len = 0;

    (void)state;
    for (int i = 0; i < 30; i++)
        len += snprintf(want + len, sizeof want - (size_t)len, "line %d of some text\n", i);
    struct str in = { (const char *)stream, sizeof stream };
    check_inflate(INFLATE_RAW, in, (struct str){ want, (size_t)len });

    /* Cut off anywhere: no more than is there, and no end. */
    for (size_t cut = 0; cut < sizeof stream; cut++) {
        const char *error;
        size_t made;
        assert_int_equal(unpack(INFLATE_RAW, 15, stream, cut, &made, &error), INFLATE_NEED_INPUT);
        assert_memory_equal(unpacked, want, made);
    }
}

/* A stream that looks farther back than is allowed. */
static void test_window(void **state)
{
    static const struct deflate_params p = { DEFLATE_RAW, 6, 12, 8, 0 };
    const char *error;
    size_t made;

    (void)state;
    make_text(4000, 256);
    memcpy(text + 4000, text, 4000);
    size_t size = pack(&p, text, 8000, 8000, ROOM, DEFLATE_NO_FLUSH);
    check(&p, text, 8000, size);
    assert_int_equal(unpack(INFLATE_RAW, 11, packed, size, &made, &error), INFLATE_BAD);
    assert_string_equal(error, "distance that leads too far back");
    assert_memory_equal(unpacked, text, made);
}

static void test_members(void **state)
{
    static const struct inflate_params p = { INFLATE_GZIP, 15 };
    static const char member[] = "\x1f\x8b\x08\0\0\0\0\0\0\x03" HELLO TRAILER;
    unsigned char three[3 * (sizeof member - 1)];
    void *memory = malloc(inflate_memory(&p));
    struct inflate *i = inflate_init(memory, &p);
    struct inflate_io io = { three, sizeof three, unpacked, ROOM };

    (void)state;
    for (unsigned m = 0; m < 3; m++)
        memcpy(three + m * (sizeof member - 1), member, sizeof member - 1);
    for (unsigned m = 1; m <= 3; m++) {
        assert_int_equal(inflate_run(i, &io), INFLATE_END);
        assert_int_equal(io.in_len, (3 - m) * (sizeof member - 1));
        assert_int_equal(io.out - unpacked, 5 * m);
    }
    assert_memory_equal(unpacked, "hellohellohello", 15);
    assert_int_equal(inflate_run(i, &io), INFLATE_END);
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),       cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_small_memory), cmocka_unit_test(test_wrong_length),
        cmocka_unit_test(test_pieces),       cmocka_unit_test(test_sync),
        cmocka_unit_test(test_noise),        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_long_codes),   cmocka_unit_test(test_skewed),
        cmocka_unit_test(test_headers),      cmocka_unit_test(test_bad_blocks),
        cmocka_unit_test(test_dynamic),      cmocka_unit_test(test_window),
        cmocka_unit_test(test_members),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_digest: checksums, hashes and encodings, by the vectors of their standards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/digest/adler32.h"
#include "base/digest/base64.h"
#include "base/digest/crc32.h"
#include "base/digest/crc32c.h"
#include "base/digest/hex.h"
#include "base/digest/md5.h"
#include "base/digest/murmur2.h"
#include "base/digest/sha1.h"
#include "base/digest/sha256.h"
#include "base/digest/sha512.h"

enum { PATTERN = 1000 };

static unsigned char pattern_bytes[PATTERN];

static struct str pattern(size_t len)
{
    return (struct str){ (const char *)pattern_bytes, len };
}

static int make_pattern(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PATTERN; i++)
        pattern_bytes[i] = (unsigned char)(i * 7 + i / 13);
    return 0;
}

static void check_hex(const unsigned char *got, size_t size, const char *want)
{
    char text[200];
    struct out o = out_fixed(text, sizeof text - 1);

    hex_encode(&o, (struct str){ (const char *)got, size });
    *o.at = '\0';
    assert_string_equal(text, want);
}

#define CHECK(hash, size, text, want)                                                              \
    do {                                                                                           \
        unsigned char whole[size];                                                                 \
        hash(text, whole);                                                                         \
        check_hex(whole, size, want);                                                              \
    } while (0)

/* In two parts, cut at every place: the same as at once. */
#define CHECK_PARTS(hash, size, want)                                                              \
    do {                                                                                           \
        unsigned char sum[size];                                                                   \
        CHECK(hash, size, pattern(PATTERN), want);                                                 \
        for (size_t cut = 0; cut <= PATTERN; cut++) {                                              \
            struct hash h;                                                                         \
            hash##_init(&h);                                                                       \
            hash##_update(&h, pattern(cut));                                                       \
            hash##_update(&h, str_from(pattern(PATTERN), cut));                                    \
            hash##_final(&h, sum);                                                                 \
            check_hex(sum, size, want);                                                            \
        }                                                                                          \
    } while (0)

/* RFC 1321, A.5. */
static void test_md5(void **state)
{
    (void)state;
    CHECK(md5, MD5_SIZE, STR(""), "d41d8cd98f00b204e9800998ecf8427e");
    CHECK(md5, MD5_SIZE, STR("a"), "0cc175b9c0f1b6a831c399e269772661");
    CHECK(md5, MD5_SIZE, STR("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
    CHECK(md5, MD5_SIZE,
          STR("12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
          "57edf4a22be3c955ac49da2e2107b67a");
    CHECK_PARTS(md5, MD5_SIZE, "f7fea6245e0dcdfe1d46be9d437ed456");
}

#define ALPHABET_56 "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"

/* FIPS 180-4's examples. */
static void test_sha1(void **state)
{
    (void)state;
    CHECK(sha1, SHA1_SIZE, STR(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    CHECK(sha1, SHA1_SIZE, STR("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    CHECK(sha1, SHA1_SIZE, STR(ALPHABET_56), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    CHECK_PARTS(sha1, SHA1_SIZE, "d9648dac4317a5c2eea3a2bf56adfe0a98e70850");
}

static void test_sha256(void **state)
{
    (void)state;
    CHECK(sha256, SHA256_SIZE, STR(""),
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sha256, SHA256_SIZE, STR("abc"),
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(sha256, SHA256_SIZE, STR(ALPHABET_56),
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK_PARTS(sha256, SHA256_SIZE,
                "9ca622da925087aab36ad61ae59bf68cffb7e6a71c91803ee2e04bb09832765d");
}

static void test_sha512(void **state)
{
    (void)state;
    CHECK(sha512, SHA512_SIZE, STR("abc"),
          "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
          "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    CHECK(sha512, SHA512_SIZE, STR(""),
          "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
          "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e");
    CHECK_PARTS(sha512, SHA512_SIZE,
                "7cac122a29ba906031d49bfd02b27e34c8609bda399fe03d215bde12cb1bc7b2"
                "897ab602ca6013fb865d807d236a758ed816a89269d6366355e86fe5f32511e6");
}

static uint32_t slow_crc(struct str data, uint32_t polynomial)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < data.len; i++) {
        crc ^= (unsigned char)data.data[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
    }
    return ~crc;
}

/* All ways through crc32_add(): by length, alignment and cut. */
static void test_crc32(void **state)
{
    (void)state;
    assert_int_equal(crc32_of(STR("")), 0);
    assert_int_equal(crc32_of(STR("123456789")), 0xcbf43926);
    assert_int_equal(crc32_of(pattern(PATTERN)), 0x0af1c7fb);
    for (size_t len = 0; len < 400; len++) {
        struct str s = str_first(str_from(pattern(PATTERN), len % 17), len);
        assert_int_equal(crc32_of(s), slow_crc(s, 0xedb88320));
    }
    for (size_t cut = 0; cut <= PATTERN; cut++) {
        uint32_t crc = crc32_add(0, pattern(cut));
        assert_int_equal(crc32_add(crc, str_from(pattern(PATTERN), cut)), 0x0af1c7fb);
    }
}

static void test_crc32c(void **state)
{
    (void)state;
    assert_int_equal(crc32c(STR("123456789")), 0xe3069283);
    assert_int_equal(crc32c(pattern(PATTERN)), slow_crc(pattern(PATTERN), 0x82f63b78));
}

static void test_adler32(void **state)
{
    static char ones[100000];

    (void)state;
    assert_int_equal(adler32_of(STR("")), 1);
    assert_int_equal(adler32_of(STR("Wikipedia")), 0x11e60398);
    assert_int_equal(adler32_of(pattern(PATTERN)), 0x8d54ed8e);
    for (size_t cut = 0; cut <= PATTERN; cut++) {
        uint32_t sum = adler32_add(1, pattern(cut));
        assert_int_equal(adler32_add(sum, str_from(pattern(PATTERN), cut)), 0x8d54ed8e);
    }
    /* The sums must not overflow before they are reduced. */
    memset(ones, 0xff, sizeof ones);
    uint64_t low = 1, high = 0;
    for (size_t i = 0; i < sizeof ones; i++) {
        low = (low + 255) % 65521;
        high = (high + low) % 65521;
    }
    assert_int_equal(adler32_of((struct str){ ones, sizeof ones }), high << 16 | low);
}

/* Computed by a second implementation. */
static void test_murmur2(void **state)
{
    (void)state;
    assert_int_equal(murmur2(STR("")), 0);
    assert_int_equal(murmur2(STR("a")), 0x92685f5e);
    assert_int_equal(murmur2(STR("ab")), 0x1aa14063);
    assert_int_equal(murmur2(STR("abc")), 0x13577c9b);
    assert_int_equal(murmur2(STR("abcd")), 0x26873021);
    assert_int_equal(murmur2(STR("hello world")), 0x44a81419);
    assert_int_equal(murmur2(STR("192.0.2.1AAAA")), 0xf70defa7);
}

typedef void encoder(struct out *o, struct str data);
typedef bool decoder(struct out *o, struct str text);

/* Both ways, in exactly the room that is needed. */
static void check_code(encoder *encode, decoder *decode, struct str data, struct str text)
{
    char room[100];
    struct out o = out_fixed(room, text.len);

    encode(&o, data);
    assert_false(o.overflow);
    assert_true(str_eq(out_str_of(&o), text));
    o = out_fixed(room, data.len);
    assert_true(decode(&o, text));
    assert_false(o.overflow);
    assert_true(str_eq(out_str_of(&o), data));
    if (text.len > 0) {
        o = out_fixed(room, text.len - 1);
        encode(&o, data);
        assert_true(o.overflow);
    }
}

static void check_refused(decoder *decode, struct str text)
{
    char room[100];
    struct out o = out_fixed(room, sizeof room);

    assert_false(decode(&o, text));
    assert_int_equal(out_len(&o), 0);
}

/* RFC 4648, 10. */
static void test_base64(void **state)
{
    static const struct {
        struct str data, text;
    } cases[] = {
        { STR_INIT(""), STR_INIT("") },
        { STR_INIT("f"), STR_INIT("Zg==") },
        { STR_INIT("fo"), STR_INIT("Zm8=") },
        { STR_INIT("foo"), STR_INIT("Zm9v") },
        { STR_INIT("foob"), STR_INIT("Zm9vYg==") },
        { STR_INIT("fooba"), STR_INIT("Zm9vYmE=") },
        { STR_INIT("foobar"), STR_INIT("Zm9vYmFy") },
        { STR_INIT("\xfb\xff\x00"), STR_INIT("+/8A") },
    };
    char room[100];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_code(base64_encode, base64_decode, cases[i].data, cases[i].text);
        struct str bare = cases[i].text;
        while (bare.len > 0 && bare.data[bare.len - 1] == '=')
            bare.len--;
        struct out o = out_fixed(room, sizeof room);
        assert_true(base64_decode(&o, bare));
        assert_true(str_eq(out_str_of(&o), cases[i].data));
    }
    check_code(base64_encode_url, base64_decode_url, STR("\xfb\xff"), STR("-_8"));
    check_code(base64_encode_url, base64_decode_url, STR("f"), STR("Zg"));
    check_refused(base64_decode, STR("Z"));
    check_refused(base64_decode, STR("Zm9vY"));
    check_refused(base64_decode, STR("Zg="));
    check_refused(base64_decode, STR("Z==="));
    check_refused(base64_decode, STR("Zg==Zg=="));
    check_refused(base64_decode, STR("Zm9v\n"));
    check_refused(base64_decode, STR("-_8A"));
    check_refused(base64_decode_url, STR("+/8A"));
}

static void test_hex(void **state)
{
    char room[100];
    struct out o = out_fixed(room, sizeof room);

    (void)state;
    check_code(hex_encode, hex_decode, STR(""), STR(""));
    check_code(hex_encode, hex_decode, STR("\x00\x7f\x80\xff\x1a"), STR("007f80ff1a"));
    assert_true(hex_decode(&o, STR("fFAa")));
    assert_true(str_eq(out_str_of(&o), STR("\xff\xaa")));
    check_refused(hex_decode, STR("0"));
    check_refused(hex_decode, STR("0g"));
    check_refused(hex_decode, STR("0x12"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_md5),     cmocka_unit_test(test_sha1),
        cmocka_unit_test(test_sha256),  cmocka_unit_test(test_sha512),
        cmocka_unit_test(test_crc32),   cmocka_unit_test(test_crc32c),
        cmocka_unit_test(test_adler32), cmocka_unit_test(test_murmur2),
        cmocka_unit_test(test_base64),  cmocka_unit_test(test_hex),
    };

    return cmocka_run_group_tests(tests, make_pattern, NULL);
}

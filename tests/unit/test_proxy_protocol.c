/*
 * test_proxy_protocol: headers of both versions, whole, cut off and broken, and their TLVs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/proxy_protocol.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define SSL_TLV "\x20\x00\x14\x01\x00\x00\x00\x2a\x21\x00\x07TLSv1.3\x22\x00\x02me"
#define HEADER_4 SIGNATURE "\x21\x11\x00\x2c\x01\x02\x03\x04\x05\x06\x07\x08\x04\xd2\x00\x50" \
                 "\x01\x00\x02h2\x05\x00\x01u" SSL_TLV

static void assert_peer(const struct peer *p, int family, const char *ip, unsigned port)
{
    char space[64];
    struct out o = out_fixed(space, sizeof space);

    peer_put_ip(&o, p);
    out_char(&o, '\0');
    assert_int_equal(p->family, family);
    assert_string_equal(space, ip);
    assert_int_equal(p->port, port);
}

static void test_text(void **state)
{
    const struct str four = STR("PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\nGET");
    const struct str six = STR("PROXY TCP6 2001:db8::1 ::1 65535 0\r\n");
    struct proxy_header h;
    size_t used;

    (void)state;
    assert_int_equal(proxy_protocol_parse(four, &h, &used), PROXY_OK);
    assert_int_equal(used, four.len - 3);
    assert_true(h.proxied);
    assert_peer(&h.source, AF_INET, "192.0.2.1", 1234);
    assert_peer(&h.destination, AF_INET, "192.0.2.2", 80);
    assert_int_equal(proxy_protocol_parse(six, &h, &used), PROXY_OK);
    assert_peer(&h.source, AF_INET6, "2001:db8::1", 65535);
    assert_peer(&h.destination, AF_INET6, "::1", 0);
    assert_int_equal(proxy_protocol_parse(STR("PROXY UNKNOWN\r\n"), &h, &used), PROXY_OK);
    assert_false(h.proxied);
    assert_int_equal(proxy_protocol_parse(STR("PROXY UNKNOWN a b c d\r\n"), &h, &used), PROXY_OK);
    for (size_t n = 0; n < six.len; n++)
        assert_int_equal(proxy_protocol_parse(str_first(six, n), &h, &used), PROXY_MORE);
}

static void test_text_bad(void **state)
{
    static const struct str bad[] = {
        STR_INIT("GET / HTTP/1.1\r\n"), STR_INIT("PROXY\r\n"), STR_INIT("PROXY TCP4\r\n"),
        STR_INIT("PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n"),
        STR_INIT("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"),
        STR_INIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n"),
        STR_INIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n"),
        STR_INIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 \r\n"),
        STR_INIT("PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n"),
        STR_INIT("PROXY TCP4 ::1 ::1 1 2\r\n"), STR_INIT("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n"),
        STR_INIT("PROXY TCP6 [::1] [::1] 1 2\r\n"),
        STR_INIT("PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n"),
        STR_INIT("PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n"),
        STR_INIT("proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n"),
    };
    char long_line[200];
    struct proxy_header h;
    size_t used;

    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(proxy_protocol_parse(bad[i], &h, &used), PROXY_BAD);
    memset(long_line, 'x', sizeof long_line);
    memcpy(long_line, "PROXY UNKNOWN ", 14);
    assert_int_equal(proxy_protocol_parse((struct str){ long_line, 106 }, &h, &used), PROXY_MORE);
    assert_int_equal(proxy_protocol_parse((struct str){ long_line, 107 }, &h, &used), PROXY_BAD);
}

static void test_binary(void **state)
{
    const struct str in = { HEADER_4 "GET", sizeof HEADER_4 + 2 };
    const struct str six = STR(SIGNATURE "\x21\x21\x00\x24"
                               "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
                               "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x01\xff\xff");
    struct proxy_header h;
    size_t used;

    (void)state;
    assert_int_equal(proxy_protocol_parse(in, &h, &used), PROXY_OK);
    assert_int_equal(used, in.len - 3);
    assert_peer(&h.source, AF_INET, "1.2.3.4", 1234);
    assert_peer(&h.destination, AF_INET, "5.6.7.8", 80);
    for (size_t n = 0; n < used; n++)
        assert_int_equal(proxy_protocol_parse(str_first(in, n), &h, &used), PROXY_MORE);
    assert_int_equal(proxy_protocol_parse(six, &h, &used), PROXY_OK);
    assert_peer(&h.source, AF_INET6, "2001:db8::1", 1);
    assert_peer(&h.destination, AF_INET6, "::1", 65535);
}

static void test_binary_without_addresses(void **state)
{
    static const struct str good[] = {
        STR_INIT(SIGNATURE "\x20\x00\x00\x00"),              /* LOCAL */
        STR_INIT(SIGNATURE "\x20\x11\x00\x03" "abc"),
        STR_INIT(SIGNATURE "\x21\x00\x00\x00"),              /* of a family that says nothing */
        STR_INIT(SIGNATURE "\x21\x31\x00\x01" "x"),
        STR_INIT(SIGNATURE "\x21\x12\x00\x01" "x"),
    };
    static const struct str bad[] = {
        STR_INIT(SIGNATURE "\x11\x11\x00\x00"),              /* another version */
        STR_INIT(SIGNATURE "\x22\x11\x00\x00"),              /* another command */
        STR_INIT(SIGNATURE "\x21\x11\x00\x0b" "01234567890"),/* too short for addresses */
        STR_INIT(SIGNATURE "\x21\x21\x00\x0c" "012345678901"),
        STR_INIT("\r\n\r\n\0\r\nQUIX"),
    };
    struct proxy_header h;
    size_t used;

    (void)state;
    for (unsigned i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(proxy_protocol_parse(good[i], &h, &used), PROXY_OK);
        assert_int_equal(used, good[i].len);
        assert_false(h.proxied);
    }
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(proxy_protocol_parse(bad[i], &h, &used), PROXY_BAD);
}

static void test_tlvs(void **state)
{
    static const struct {
        const char *name, *value;
    } cases[] = {
        { "alpn", "h2" },          { "0x01", "h2" },         { "0x1", "h2" },    { "0x0001", "h2" },
        { "unique_id", "u" },      { "ssl_version", "TLSv1.3" }, { "ssl_cn", "me" },
        { "ssl_0x22", "me" },      { "ssl_verify", "42" },   { "ssl_cipher", NULL },
        { "netns", NULL },         { "authority", NULL },    { "0x", NULL },     { "0x100", NULL },
        { "0xg", NULL },           { "alpnx", NULL },        { "", NULL },       { "ssl_", NULL },
    };
    struct proxy_header h;
    size_t used;

    (void)state;
    assert_int_equal(proxy_protocol_parse(STR(HEADER_4), &h, &used), PROXY_OK);
    struct proxy_protocol *p = proxy_protocol_new(&h);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char space[16];
        struct out number = out_fixed(space, sizeof space);
        struct str value = proxy_protocol_tlv(p, str_of(cases[i].name), &number);
        if (!cases[i].value) {
            assert_null(value.data);
            continue;
        }
        assert_int_equal(value.len, strlen(cases[i].value));
        assert_memory_equal(value.data, cases[i].value, value.len);
    }
    p->tlvs_len -= 1;                          /* cut off inside the last one */
    char space[16];
    struct out number = out_fixed(space, sizeof space);
    assert_null(proxy_protocol_tlv(p, STR("ssl_cn"), &number).data);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_text_bad),
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_binary_without_addresses),
        cmocka_unit_test(test_tlvs),
    };

    return cmocka_run_group_tests_name("proxy_protocol", tests, NULL, NULL);
}

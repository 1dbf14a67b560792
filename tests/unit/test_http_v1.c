/*
 * test_http_v1: the syntax of HTTP/1: request lines, fields, paths, chunks, hosts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/host.h"
#include "http/v1/v1_parse.h"

static void assert_text(struct str s, const char *expected)
{
    assert_int_equal(s.len, strlen(expected));
    if (s.len)
        assert_memory_equal(s.data, expected, s.len);
}

/* ---- request lines ---- */

static void test_request_line_good(void **state)
{
    static const struct {
        const char *line, *method, *target, *scheme, *authority;
        unsigned version;
    } cases[] = {
        { "GET / HTTP/1.1", "GET", "/", "", "", 1001 },
        { "HEAD /a/b?c=d HTTP/1.0", "HEAD", "/a/b?c=d", "", "", 1000 },
        { "M-SEARCH /x HTTP/1.1", "M-SEARCH", "/x", "", "", 1001 },
        { "VERSION_CONTROL /x HTTP/1.9", "VERSION_CONTROL", "/x", "", "", 1009 },
        { "GET /\xc3\xa9 HTTP/1.1", "GET", "/\xc3\xa9", "", "", 1001 },
        { "GET /", "GET", "/", "", "", 9 },
        { "GET /a?b", "GET", "/a?b", "", "", 9 },
        { "GET http://h HTTP/1.1", "GET", "/", "http", "h", 1001 },
        { "GET http://h/p?q HTTP/1.1", "GET", "/p?q", "http", "h", 1001 },
        { "GET HTTPS://h:443?q HTTP/1.1", "GET", "?q", "HTTPS", "h:443", 1001 },
        { "GET http://h#f HTTP/1.1", "GET", "#f", "http", "h", 1001 },
        { "GET http://[::1]:80/ HTTP/1.1", "GET", "/", "http", "[::1]:80", 1001 },
        { "OPTIONS * HTTP/1.1", "OPTIONS", "*", "", "", 1001 },
        { "CONNECT h:443 HTTP/1.1", "CONNECT", "/", "", "h:443", 1001 },
    };
    struct v1_request_line r;

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(v1_parse_request_line(str_of(cases[i].line), &r), V1_OK);
        assert_text(r.method, cases[i].method);
        assert_text(r.target, cases[i].target);
        assert_text(r.scheme, cases[i].scheme);
        assert_text(r.authority, cases[i].authority);
        assert_int_equal(r.version, cases[i].version);
    }
}

static void test_request_line_bad(void **state)
{
    static const struct {
        struct str line;
        enum v1_result result;
    } cases[] = {
        { STR_INIT(""), V1_BAD_METHOD },
        { STR_INIT("GET"), V1_BAD_METHOD },
        { STR_INIT("get / HTTP/1.1"), V1_BAD_METHOD },
        { STR_INIT(" GET / HTTP/1.1"), V1_BAD_METHOD },
        { STR_INIT("GET\t/ HTTP/1.1"), V1_BAD_METHOD },
        { STR_INIT("G\rT / HTTP/1.1"), V1_BAD_METHOD },
        { STR_INIT("\x16\x03\x01\x02"), V1_BAD_METHOD },
        { STR_INIT("GET  / HTTP/1.1"), V1_BAD },
        { STR_INIT("GET /  HTTP/1.1"), V1_BAD },
        { STR_INIT("GET / HTTP/1.1 "), V1_BAD },
        { STR_INIT("GET /a b HTTP/1.1"), V1_BAD },
        { STR_INIT("GET /\tHTTP/1.1"), V1_BAD },
        { STR_INIT("GET /\r HTTP/1.1"), V1_BAD },
        { STR_INIT("GET /\0 HTTP/1.1"), V1_BAD },
        { STR_INIT("GET /\x7f HTTP/1.1"), V1_BAD },
        { STR_INIT("GET a HTTP/1.1"), V1_BAD },
        { STR_INIT("GET * HTTP/1.1"), V1_BAD },
        { STR_INIT("PRI * HTTP/2.0"), V1_BAD },
        { STR_INIT("GET http:/h/ HTTP/1.1"), V1_BAD },
        { STR_INIT("GET http:///p HTTP/1.1"), V1_BAD },
        { STR_INIT("GET ://h/ HTTP/1.1"), V1_BAD },
        { STR_INIT("GET 1http://h/ HTTP/1.1"), V1_BAD },
        { STR_INIT("GET / http/1.1"), V1_BAD },
        { STR_INIT("GET / HTTP/1"), V1_BAD },
        { STR_INIT("GET / HTTP/1.10"), V1_BAD },
        { STR_INIT("GET / HTTP/01.1"), V1_BAD },
        { STR_INIT("GET / HTTP/1.1\r"), V1_BAD },
        { STR_INIT("GET / HTTP/1.x"), V1_BAD },
        { STR_INIT("GET / HTTP/0.9"), V1_BAD },
        { STR_INIT("GET / FTP/1.1"), V1_BAD },
        { STR_INIT("GET / HTTP/2.0"), V1_BAD_VERSION },
        { STR_INIT("GET / HTTP/9.9"), V1_BAD_VERSION },
        /* what only resembles HTTP/0.9 */
        { STR_INIT("POST /"), V1_BAD },
        { STR_INIT("HEAD /"), V1_BAD },
        { STR_INIT("GET / "), V1_BAD },
        { STR_INIT("GET http://h/"), V1_BAD },
        { STR_INIT("GET x"), V1_BAD },
    };
    struct v1_request_line r;

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(v1_parse_request_line(cases[i].line, &r), cases[i].result);
}

static void test_may_begin(void **state)
{
    (void)state;
    assert_true(v1_may_begin('G'));
    assert_true(v1_may_begin('\r'));
    assert_true(v1_may_begin('\n'));
    assert_false(v1_may_begin('\x16'));
    assert_false(v1_may_begin('\x80'));
    assert_false(v1_may_begin('g'));
    assert_false(v1_may_begin(' '));
}

/* ---- fields ---- */

static void test_field(void **state)
{
    static const struct {
        struct str line;
        bool underscores;
        enum v1_result result;
        const char *name, *value;
    } cases[] = {
        { STR_INIT("Host: a"), false, V1_OK, "Host", "a" },
        { STR_INIT("Host:a"), false, V1_OK, "Host", "a" },
        { STR_INIT("Host: \t a b \t "), false, V1_OK, "Host", "a b" },
        { STR_INIT("X-1:"), false, V1_OK, "X-1", "" },
        { STR_INIT("a: b: c"), false, V1_OK, "a", "b: c" },
        { STR_INIT("a: \xff\x01"), false, V1_OK, "a", "\xff\x01" },
        { STR_INIT("x_y: z"), true, V1_OK, "x_y", "z" },
        { STR_INIT("x_y: z"), false, V1_SKIP, "x_y", "z" },
        { STR_INIT("x.y: z"), true, V1_SKIP, "x.y", "z" },
        { STR_INIT("x@y: z"), false, V1_SKIP, "x@y", "z" },
        { STR_INIT("Host : a"), false, V1_BAD, NULL, NULL },
        { STR_INIT("Host\t: a"), false, V1_BAD, NULL, NULL },
        { STR_INIT(" Host: a"), false, V1_BAD, NULL, NULL },
        { STR_INIT("\tfolded"), false, V1_BAD, NULL, NULL },
        { STR_INIT("no colon"), false, V1_BAD, NULL, NULL },
        { STR_INIT("nocolon"), false, V1_BAD, NULL, NULL },
        { STR_INIT(": value"), false, V1_BAD, NULL, NULL },
        { STR_INIT("a: b\rc"), false, V1_BAD, NULL, NULL },
        { STR_INIT("a: b\r"), false, V1_BAD, NULL, NULL },
        { STR_INIT("a: b\0c"), false, V1_BAD, NULL, NULL },
        { STR_INIT("a\0b: c"), false, V1_BAD, NULL, NULL },
        { STR_INIT("a\rb: c"), false, V1_BAD, NULL, NULL },
        { STR_INIT("a\x7f: c"), false, V1_BAD, NULL, NULL },
    };
    struct str name, value;

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum v1_result result =
            v1_parse_field(cases[i].line, cases[i].underscores, &name, &value);
        assert_int_equal(result, cases[i].result);
        if (result != V1_BAD) {
            assert_text(name, cases[i].name);
            assert_text(value, cases[i].value);
        }
    }
}

static void test_token(void **state)
{
    (void)state;
    assert_true(v1_is_token(STR("!#$%&'*+-.^_`|~09azAZ")));
    assert_false(v1_is_token(STR("")));
    assert_false(v1_is_token(STR("a b")));
    assert_false(v1_is_token(STR("a@b")));
    assert_false(v1_is_token(STR("a(b")));
    assert_false(v1_is_token(STR("\xe9")));
}

/* ---- paths ---- */

static void test_path_good(void **state)
{
    static const struct {
        const char *target;
        bool merge;
        const char *path, *args;
        bool has_args, changed;
    } cases[] = {
        { "/", true, "/", "", false, false },
        { "/a/b.html", true, "/a/b.html", "", false, false },
        { "/a?", true, "/a", "", true, false },
        { "/a?b=c?d", true, "/a", "b=c?d", true, false },
        { "/a?b=%zz", true, "/a", "b=%zz", true, false },
        { "/a#f", true, "/a", "", false, false },
        { "/a?b#f", true, "/a", "b", true, false },
        { "?b", true, "/", "b", true, false },
        { "#b", true, "/", "", false, false },
        { "*", true, "*", "", false, false },
        { "/%41%2fb", true, "/A/b", "", false, true },
        { "/a%3fb", true, "/a?b", "", false, true },
        { "/%02", true, "/\x02", "", false, true },
        { "/a/./b", true, "/a/b", "", false, true },
        { "/a/../b", true, "/b", "", false, true },
        { "/a/b/..", true, "/a/", "", false, true },
        { "/a/b/.", true, "/a/b/", "", false, true },
        { "/a/.../b", true, "/a/.../b", "", false, true },
        { "/a/..b", true, "/a/..b", "", false, true },
        { "/.a", true, "/.a", "", false, true },
        { "/a/%2e%2e/b", true, "/b", "", false, true },
        { "/a%2f..%2fb", true, "/b", "", false, true },
        { "//a///b", true, "/a/b", "", false, true },
        { "//a///b", false, "//a///b", "", false, false },
        { "/a//../b", false, "/a/b", "", false, true },
        { "/a//../b", true, "/b", "", false, true },
        { "/a/%2E/", true, "/a/", "", false, true },
    };
    char space[64];
    struct v1_path p;

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(v1_parse_path(str_of(cases[i].target), cases[i].merge, space, &p));
        assert_text(p.path, cases[i].path);
        assert_text(p.args, cases[i].args);
        assert_int_equal(p.has_args, cases[i].has_args);
        assert_int_equal(p.changed, cases[i].changed);
    }
}

static void test_path_bad(void **state)
{
    static const char *const targets[] = {
        "/..", "/../", "/../a", "/a/../..", "/a/../../b", "/%2e%2e/a", "/a%2f..%2f..%2fb", "/./..",
        "/%", "/%4", "/%zz", "/%4g", "/a%00b", "/%00", "//../..",
    };
    char space[64];
    struct v1_path p;

    (void)state;
    for (unsigned i = 0; i < sizeof targets / sizeof targets[0]; i++)
        assert_false(v1_parse_path(str_of(targets[i]), true, space, &p));
}

/* ---- chunks ---- */

/* Decodes `in`, given in pieces cut at the bits of `cuts`.  -1: malformed, -2: not at its end. */
static ptrdiff_t decode(struct str in, uint64_t cuts, char *space)
{
    struct v1_chunks chunks = { 0 };
    size_t start = 0, len = 0;

    for (size_t end = 1; end <= in.len; end++) {
        if (end < in.len && !(end < 64 && cuts >> end & 1))
            continue;
        struct str piece = { in.data + start, end - start }, body;
        while (piece.len && chunks.state != CHUNK_DONE) {
            size_t used;
            if (!v1_chunks_next(&chunks, piece, &used, &body))
                return -1;
            memcpy(space + len, body.data ? body.data : "", body.len);
            len += body.len;
            piece = str_from(piece, used + body.len);
        }
        start = end - piece.len;
    }
    if (chunks.state != CHUNK_DONE)
        return -2;
    assert_int_equal(start, in.len);
    return (ptrdiff_t)len;
}

static void test_chunks_every_split(void **state)
{
    const struct str in = STR("5;a=\"b\\\"\";c\r\nhello\r\n1 \r\n!\r\n0\r\nA: b\r\n\r\n");
    char space[64];

    (void)state;
    assert_int_equal(decode(in, 0, space), 6);
    for (unsigned i = 1; i < in.len; i++) {
        for (unsigned j = i; j < in.len; j++) {
            assert_int_equal(decode(in, (uint64_t)1 << i | (uint64_t)1 << j, space), 6);
            assert_memory_equal(space, "hello!", 6);
        }
    }
    assert_int_equal(decode(in, UINT64_MAX, space), 6);
    for (size_t len = 0; len < in.len; len++)
        assert_int_equal(decode(str_first(in, len), UINT64_MAX, space), -2);
}

static void test_chunks_good(void **state)
{
    static const struct {
        const char *in, *body;
    } cases[] = {
        { "0\r\n\r\n", "" },
        { "000\r\n\r\n", "" },
        { "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789" },
        { "1;x\r\na\r\n0;y=z\r\n\r\n", "a" },
        { "1 ; x = \"\" ; y\r\na\r\n0\r\n\r\n", "a" },
        { "2\r\n\r\n\r\n0\r\n\r\n", "\r\n" },
        { "0\r\nX: y\r\nZ:\r\n\r\n", "" },
        { "00000000000000000000000000000001\r\na\r\n0\r\n\r\n", "a" },
    };
    char space[64];

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ptrdiff_t len = decode(str_of(cases[i].in), 0, space);
        assert_int_equal(len, strlen(cases[i].body));
        assert_text((struct str){ space, (size_t)len }, cases[i].body);
    }
}

static void test_chunks_bad(void **state)
{
    static const struct str cases[] = {
        STR_INIT("\r\n"), STR_INIT("g\r\n"), STR_INIT("+1\r\n"), STR_INIT("-1\r\n"),
        STR_INIT("0x1\r\n"), STR_INIT(" 1\r\n"), STR_INIT("1\n"), STR_INIT("1\ra"),
        STR_INIT("1,\r\n"), STR_INIT("1.0\r\n"), STR_INIT("1 a\r\n"), STR_INIT("1 1\r\n"),
        STR_INIT("1;\n"), STR_INIT("1;a\n"), STR_INIT("1;a\rb"), STR_INIT("1;\0\r\n"),
        STR_INIT("1;\x01\r\n"), STR_INIT("1;(\r\n"), STR_INIT("1;a=\"b\r\n"),
        STR_INIT("1;a=\"b\n\"\r\n"), STR_INIT("1;a=\"b\\\r\n"), STR_INIT("1;a=\"b\"c\r\n"),
        STR_INIT(";a\r\n"), STR_INIT("1\r\nab"), STR_INIT("1\r\na\n"), STR_INIT("1\r\na\r\r"),
        STR_INIT("1\r\na\r\n\r\n"), STR_INIT("0\r\n\n"), STR_INIT("0\r\n\r\r"),
        STR_INIT("0\r\n a\r\n"), STR_INIT("0\r\na\r\n"), STR_INIT("0\r\n: a\r\n"),
        STR_INIT("0\r\na : b\r\n"), STR_INIT("0\r\na: b\n"), STR_INIT("0\r\na: b\rc"),
        STR_INIT("0\r\na: \0\r\n"), STR_INIT("ffffffffffffffff\r\n"),
        STR_INIT("10000000000000000\r\n"),
    };
    char space[64];

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(decode(cases[i], 0, space), -1);
        assert_int_equal(decode(cases[i], UINT64_MAX, space), -1);
    }
}

/* How many bytes of body come in chunks like this one, of `most` at most. */
static size_t chunks_taken(struct str line, struct str data, size_t most)
{
    struct v1_chunks c = { 0 };
    struct str body;
    size_t used, n = 0;

    while (n < most && v1_chunks_next(&c, line, &used, &body) &&
           v1_chunks_next(&c, data, &used, &body) &&
           v1_chunks_next(&c, STR("\r\n"), &used, &body))
        n += data.len;
    return n;
}

/* Extensions that outweigh their chunks, and trailers, are bounded, however they come; what is small
 * beside its chunk is not. */
static void test_chunks_bounded(void **state)
{
    struct v1_chunks trailers = { 0 };
    struct str body;
    size_t used, n;

    (void)state;
    assert_true(chunks_taken(STR("1;abcdefghijklmnopqrstuvwxyzabcdefgh\r\n"), STR("x"), 100000) <=
                V1_MAX_CHUNK_EXTRA);
    assert_true(chunks_taken(STR("00000000000000000000000000000000001\r\n"), STR("x"), 100000) <=
                V1_MAX_CHUNK_EXTRA);
    assert_int_equal(chunks_taken(STR("1\r\n"), STR("x"), 100000), 100000);
    assert_int_equal(chunks_taken(STR("10;abcdefghijklmnopqrstuvwxyz\r\n"), STR("0123456789abcdef"),
                                  1600000), 1600000);
    assert_true(v1_chunks_next(&trailers, STR("0\r\n"), &used, &body));
    for (n = 0; v1_chunks_next(&trailers, STR("Abc: d\r\n"), &used, &body) && n < 100000;)
        n += used;
    assert_true(n <= 2 * V1_MAX_CHUNK_EXTRA);
}

/* ---- hosts ---- */

static void test_host(void **state)
{
    static const struct {
        const char *value, *host;
        unsigned port;
    } good[] = {
        { "a", "a", 0 },
        { "Example.COM", "example.com", 0 },
        { "example.com:8080", "example.com", 8080 },
        { "example.com:", "example.com", 0 },
        { "example.com.", "example.com", 0 },
        { "example.com.:80", "example.com", 80 },
        { "a_b-c~d!$&'()*+,;=e", "a_b-c~d!$&'()*+,;=e", 0 },
        { "a%c3%A9", "a%c3%a9", 0 },
        { "192.0.2.1:65535", "192.0.2.1", 65535 },
        { "[::1]", "[::1]", 0 },
        { "[2001:DB8::1]:81", "[2001:db8::1]", 81 },
        { "[::ffff:192.0.2.1]:81", "[::ffff:192.0.2.1]", 81 },
        { "[v1.x:Y]", "[v1.x:y]", 0 },
    };
    static const struct str bad[] = {
        STR_INIT(""), STR_INIT("."), STR_INIT(":80"), STR_INIT("a:b"), STR_INIT("a:65536"),
        STR_INIT("a:-1"), STR_INIT("a:+1"), STR_INIT("a:1:2"), STR_INIT("a b"), STR_INIT("a\tb"),
        STR_INIT("a/b"), STR_INIT("a?b"), STR_INIT("a#b"), STR_INIT("a@b"), STR_INIT("user:p@b"),
        STR_INIT("a\\b"), STR_INIT("a\"b"), STR_INIT("a<b"), STR_INIT("a,b c"), STR_INIT("a..b"),
        STR_INIT("a.."), STR_INIT("a\0b"), STR_INIT("a\x01"), STR_INIT("\xc3\xa9"), STR_INIT("a%"),
        STR_INIT("a%4"), STR_INIT("a%zz"), STR_INIT("["), STR_INIT("[]"), STR_INIT("[::1"),
        STR_INIT("::1"), STR_INIT("[::1]a"), STR_INIT("[::1]."), STR_INIT("a[::1]"),
        STR_INIT("[a]"), STR_INIT("[192.0.2.1]"), STR_INIT("[::g]"), STR_INIT("[1:2]"),
        STR_INIT("[v.x]"), STR_INIT("[v1.]"), STR_INIT("[v1]"), STR_INIT("[v1./]"),
        STR_INIT("[[::1]]"),
    };
    struct arena a;
    struct str host;
    unsigned port;

    (void)state;
    arena_init(&a);
    for (unsigned i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(host_parse(&a, str_of(good[i].value), &host, &port));
        assert_text(host, good[i].host);
        assert_int_equal(port, good[i].port);
    }
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(host_parse(&a, bad[i], &host, &port));
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_line_good),
        cmocka_unit_test(test_request_line_bad),
        cmocka_unit_test(test_may_begin),
        cmocka_unit_test(test_field),
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_path_good),
        cmocka_unit_test(test_path_bad),
        cmocka_unit_test(test_chunks_every_split),
        cmocka_unit_test(test_chunks_good),
        cmocka_unit_test(test_chunks_bad),
        cmocka_unit_test(test_chunks_bounded),
        cmocka_unit_test(test_host),
    };

    return cmocka_run_group_tests_name("http_v1", tests, NULL, NULL);
}

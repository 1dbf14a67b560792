/*
 * test_tls_record: the records of RFC 8448 section 3; records of every suite and size; more connections
 * than cipher contexts; keys that change; what is not good.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config.h"

#ifdef HAVE_TLS

#include "base/out.h"
#include "net/tls_record.h"

/* Bytes of hexadecimal digits, blanks aside. */
static struct str hex(const char *digits)
{
    static unsigned char space[4][512];
    static unsigned next;
    unsigned char *to = space[next++ % 4];
    size_t n = 0;

    for (; *digits; digits++) {
        int value = char_hex(*digits);
        if (value < 0)
            continue;
        to[n / 2] = (unsigned char)(n % 2 ? to[n / 2] | value : value << 4);
        n++;
    }
    return (struct str){ (const char *)to, n / 2 };
}

static struct record_half half_of(struct str secret, const struct record_suite *suite)
{
    struct record_half h = { 0 };

    memcpy(h.secret, secret.data, secret.len);
    assert_true(tls_record_begin(&h, suite));
    return h;
}

/* "Simple 1-RTT Handshake": what client and server send when the handshake is over. */
static const char client_secret[] =
    "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5";
static const char server_secret[] =
    "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643";
static const char client_data[] =
    "17030300 43a23f70 54b62c94 d0affafe 8228ba55 cbefacea 42f914aa 66bcab3f 2b9819a8 a5b46b39"
    "5bd54a9a 20441e2b 62974e1f 5a6292a2 977014bd 1e3deae6 3aeebb21 694915e4";

static void test_published_records(void **state)
{
    const struct record_suite *suite = tls_record_suite_find(0x1301);
    struct record_half client = half_of(hex(client_secret), suite);
    struct record_half server = half_of(hex(server_secret), suite);
    char text[50], made[50 + RECORD_ADDED];
    struct record r;

    (void)state;
    for (unsigned i = 0; i < sizeof text; i++)
        text[i] = (char)i;
    assert_memory_equal(client.key, hex("17422dda596ed5d9acd890e3c63f5051").data, 16);
    assert_memory_equal(client.nonce, hex("5b78923dee08579033e523d9").data, 12);
    assert_memory_equal(server.key, hex("9f02283b6c9c07efc26bb9f2ac92e356").data, 16);
    assert_memory_equal(server.nonce, hex("cf782b88dd83549aadf1e984").data, 12);
    assert_int_equal(tls_record_close(&client, suite, RECORD_DATA, text, sizeof text, made),
                     sizeof made);
    assert_memory_equal(made, hex(client_data).data, sizeof made);
    tls_record_end(&client);
    client = half_of(hex(client_secret), suite);
    assert_int_equal(tls_record_open(&client, suite, made, &r), 0);
    assert_int_equal(r.type, RECORD_DATA);
    assert_int_equal(r.size, sizeof text);
    assert_memory_equal(r.data, text, sizeof text);
    tls_record_end(&client);
    tls_record_end(&server);
}

/* Both ends of one direction. */
struct ends {
    struct record_half from, to;
};

static struct ends ends_of(unsigned number, const struct record_suite *suite)
{
    char secret[RECORD_SECRET_MAX];

    memset(secret, (int)number + 1, sizeof secret);
    struct str s = { secret, sizeof secret };
    return (struct ends){ half_of(s, suite), half_of(s, suite) };
}

static void carry(struct ends *e, const struct record_suite *suite, size_t size)
{
    static char text[RECORD_TEXT_MAX], made[RECORD_TEXT_MAX + RECORD_ADDED];
    struct record r;

    for (size_t i = 0; i < size; i++)
        text[i] = (char)(i * 7 + size);
    assert_int_equal(tls_record_close(&e->from, suite, RECORD_DATA, text, size, made),
                     size + RECORD_ADDED);
    assert_int_equal(tls_record_size(made, RECORD_HEAD), size + RECORD_ADDED);
    assert_int_equal(tls_record_open(&e->to, suite, made, &r), 0);
    assert_int_equal(r.type, RECORD_DATA);
    assert_int_equal(r.size, size);
    assert_memory_equal(r.data, text, size);
}

static void drop(struct ends *e)
{
    tls_record_end(&e->from);
    tls_record_end(&e->to);
}

static void test_suites_sizes_and_new_keys(void **state)
{
    (void)state;
    for (unsigned number = 0x1301; number <= 0x1303; number++) {
        const struct record_suite *suite = tls_record_suite_find(number);
        struct ends e = ends_of(number, suite);
        for (size_t size = 1; size <= RECORD_TEXT_MAX; size = size * 3 / 2 + 1)
            carry(&e, suite, size);
        carry(&e, suite, RECORD_TEXT_MAX);
        for (unsigned i = 0; i < 3; i++) {
            struct record_half before = e.from;
            assert_true(tls_record_update(&e.from, suite));
            assert_true(tls_record_update(&e.to, suite));
            assert_memory_not_equal(before.key, e.from.key, 16);
            assert_int_equal(e.from.sequence, 0);
            carry(&e, suite, 100);
        }
        drop(&e);
    }
    assert_null(tls_record_suite_find(0x1304));
    assert_null(tls_record_suite_find(0));
}

/* The contexts go round, and each connection's records are its own. */
static void test_more_than_there_are_contexts(void **state)
{
    enum { MANY = 500 };
    static struct ends all[MANY];

    (void)state;
    for (unsigned i = 0; i < MANY; i++)
        all[i] = ends_of(i % 250, tls_record_suite_find(0x1301 + i % 3));
    for (unsigned turn = 0; turn < 3; turn++) {
        for (unsigned i = 0; i < MANY; i++)
            carry(&all[i], tls_record_suite_find(0x1301 + i % 3), 20 + i);
    }
    for (unsigned i = 0; i < MANY; i++)
        drop(&all[i]);
}

/* A record of an inner text that this program would not write. */
static int open_inner(const struct record_suite *suite, enum record_type type, size_t zeros,
                      struct record *r)
{
    static char text[RECORD_TEXT_MAX + 300], made[sizeof text + RECORD_ADDED];
    struct ends e = ends_of(1, suite);

    memset(text, 0, sizeof text);
    text[0] = 'x';
    text[1] = (char)RECORD_DATA;
    assert_int_not_equal(tls_record_close(&e.from, suite, type, text, 2 + zeros, made), 0);
    int result = tls_record_open(&e.to, suite, made, r);
    drop(&e);
    return result;
}

static void test_padding(void **state)
{
    const struct record_suite *suite = tls_record_suite_find(0x1301);
    struct record r;

    (void)state;
    assert_int_equal(open_inner(suite, (enum record_type)0, 10, &r), 0);
    assert_int_equal(r.type, RECORD_DATA);
    assert_int_equal(r.size, 1);
    assert_int_equal(open_inner(suite, (enum record_type)0, RECORD_TEXT_MAX - 2, &r), 0);
    assert_int_equal(r.size, 1);
    assert_int_equal(open_inner(suite, (enum record_type)0, RECORD_TEXT_MAX - 1, &r),
                     ALERT_RECORD_OVERFLOW);
    assert_int_equal(open_inner(suite, (enum record_type)0, RECORD_TEXT_MAX + 239, &r),
                     ALERT_RECORD_OVERFLOW);
}

static void test_spoiled_records(void **state)
{
    const struct record_suite *suite = tls_record_suite_find(0x1303);
    struct ends e = ends_of(9, suite);
    char good[40 + RECORD_ADDED], bad[sizeof good];
    struct record r;

    (void)state;
    tls_record_close(&e.from, suite, RECORD_DATA, "0123456789012345678901234567890123456789", 40, good);
    for (unsigned i = 5; i < sizeof good; i++) {
        memcpy(bad, good, sizeof good);
        bad[i] ^= 4;
        assert_int_equal(tls_record_open(&e.to, suite, bad, &r), ALERT_BAD_RECORD_MAC);
    }
    memcpy(bad, good, sizeof good);
    bad[0] = RECORD_ALERT;
    assert_int_equal(tls_record_open(&e.to, suite, bad, &r), ALERT_UNEXPECTED_MESSAGE);
    assert_int_equal(tls_record_open(&e.to, suite, good, &r), 0);
    memcpy(bad, good, sizeof good);            /* a second time */
    assert_int_equal(tls_record_open(&e.to, suite, bad, &r), ALERT_BAD_RECORD_MAC);
    for (size_t n = 0; n < RECORD_HEAD; n++)
        assert_int_equal(tls_record_size(good, n), 0);
    drop(&e);
}

static void test_beginnings(void **state)
{
    (void)state;
    for (size_t n = 0; n <= RECORD_HEAD; n++)
        assert_int_equal(tls_record_check("\x17\3\3\x41\0", n), 0);
    for (size_t n = 1; n <= RECORD_HEAD; n++)
        assert_int_equal(tls_record_check("GET /", n), ALERT_UNEXPECTED_MESSAGE);
    assert_int_equal(tls_record_check("\x17\3\3\x41\1", 4), 0);
    assert_int_equal(tls_record_check("\x17\3\3\x41\1", 5), ALERT_RECORD_OVERFLOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_records),
        cmocka_unit_test(test_suites_sizes_and_new_keys),
        cmocka_unit_test(test_more_than_there_are_contexts),
        cmocka_unit_test(test_padding),
        cmocka_unit_test(test_spoiled_records),
        cmocka_unit_test(test_beginnings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void test_without_tls(void **state)
{
    (void)state;
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_without_tls) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif

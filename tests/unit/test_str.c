/*
 * test_str: strings: what ignores case beside a plain model, splitting, trimming, numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/str.h"

enum { LONGEST = 40 };

static int model_lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

/* Every byte beside every other, at each place of texts of each length. */
static void test_case(void **state)
{
    char a[LONGEST], b[LONGEST];

    (void)state;
    for (size_t len = 1; len <= 24; len++) {
        for (size_t at = 0; at < len; at++) {
            memset(a, 'q', len);
            memset(b, 'Q', len);
            for (int pair = 0; pair < 256 * 256; pair++) {
                int first = pair >> 8, second = pair & 255;
                a[at] = (char)first;
                b[at] = (char)second;
                if (str_eq_nocase((struct str){ a, len }, (struct str){ b, len }) !=
                    (model_lower(first) == model_lower(second)))
                    fail_msg("%d and %d at %zu of %zu", first, second, at, len);
            }
        }
    }
}

static void test_case_lengths(void **state)
{
    (void)state;
    assert_true(str_eq_nocase(STR(""), (struct str){ NULL, 0 }));
    assert_true(str_eq_nocase(STR("Transfer-Encoding"), STR("transfer-ENCODING")));
    assert_false(str_eq_nocase(STR("Transfer-Encoding"), STR("transfer-ENCODING2")));
    assert_true(str_starts_nocase(STR("Content-Length: 3"), STR("content-length")));
    assert_false(str_starts_nocase(STR("Content"), STR("content-length")));
    assert_true(str_ends_nocase(STR("www.Example.ORG"), STR(".example.org")));
    assert_false(str_ends_nocase(STR("org"), STR(".example.org")));
}

static void test_split(void **state)
{
    struct str list = STR("a, b ,,c");

    (void)state;
    assert_true(str_eq(str_trim(str_split(&list, ',')), STR("a")));
    assert_true(str_eq(str_trim(str_split(&list, ',')), STR("b")));
    assert_int_equal(str_split(&list, ',').len, 0);
    assert_true(str_eq(str_split(&list, ','), STR("c")));
    assert_null(list.data);
    assert_int_equal(str_trim(STR(" \t ")).len, 0);
}

static void test_find(void **state)
{
    (void)state;
    assert_int_equal(str_find(STR("a\r\n\r\nb"), STR("\r\n\r\n")), 1);
    assert_int_equal(str_find(STR("a\r\n\r"), STR("\r\n\r\n")), -1);
    assert_int_equal(str_find_nocase(STR("xxUpGrAdE"), STR("upgrade")), 2);
    assert_int_equal(str_index(STR(""), 'a'), -1);
    assert_int_equal(str_rindex(STR("a.b.c"), '.'), 3);
}

static void test_numbers(void **state)
{
    uint64_t n;

    (void)state;
    assert_true(str_to_u64(STR("18446744073709551615"), &n));
    assert_true(n == UINT64_MAX);
    assert_false(str_to_u64(STR("18446744073709551616"), &n));
    assert_false(str_to_u64(STR(""), &n));
    assert_false(str_to_u64(STR("-1"), &n));
    assert_false(str_to_u64(STR("1 "), &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_case), cmocka_unit_test(test_case_lengths), cmocka_unit_test(test_split),
        cmocka_unit_test(test_find), cmocka_unit_test(test_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

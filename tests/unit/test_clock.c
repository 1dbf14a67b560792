/*
 * test_clock: the cached time, its texts, and dates of HTTP in all their forms.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

static void test_update(void **state)
{
    struct timespec calendar;

    (void)state;
    clock_update();
    clock_gettime(CLOCK_REALTIME, &calendar);
    assert_true(clock_ms() > 0);
    assert_true(calendar.tv_sec - clock_seconds() <= 1);
    assert_true(clock_msec() < 1000);
    uint64_t before = clock_ms();
    nanosleep(&(struct timespec){ .tv_nsec = 30000000 }, NULL);
    assert_int_equal(clock_ms(), before);
    clock_update_every(100000);
    assert_int_equal(clock_ms(), before);
    clock_update_every(20);
    assert_true(clock_ms() >= before + 30);
}

/* The texts of now in time zone `tz`, beside those of strftime. */
static void check_texts(const char *tz)
{
    static const struct {
        struct str (*text)(void);
        const char *format;
    } rows[] = {
        { clock_log_time, "%Y/%m/%d %H:%M:%S" },
        { clock_local, "%d/%b/%Y:%H:%M:%S %z" },
        { clock_syslog, "%b %e %H:%M:%S" },
    };
    struct tm local, utc;
    char expected[64];

    setenv("TZ", tz, 1);
    tzset();
    clock_cached.ms = 0;   /* so that they are made anew */
    clock_update();
    time_t now = clock_seconds();
    localtime_r(&now, &local);
    gmtime_r(&now, &utc);
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str s = rows[i].text();
        strftime(expected, sizeof expected, rows[i].format, &local);
        assert_int_equal(s.len, strlen(expected));
        assert_memory_equal(s.data, expected, s.len);
    }
    strftime(expected, sizeof expected, "%a, %d %b %Y %H:%M:%S GMT", &utc);
    assert_int_equal(clock_http_date().len, HTTP_DATE_LEN);
    assert_memory_equal(clock_http_date().data, expected, HTTP_DATE_LEN);
    strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S%z", &local);
    memmove(expected + 23, expected + 22, 3);
    expected[22] = ':';
    assert_int_equal(clock_iso8601().len, 25);
    assert_memory_equal(clock_iso8601().data, expected, 25);
}

static void test_texts(void **state)
{
    (void)state;
    check_texts("UTC0");
    check_texts("EST5");
    check_texts("IST-5:30");
    check_texts("NST3:30");
    check_texts("LINT-14");
    check_texts("AAA12");
    check_texts("CHA-12:45");
    setenv("TZ", "UTC0", 1);
    tzset();
}

static void check_put(time_t when, const char *expected)
{
    char space[HTTP_DATE_LEN];
    struct out o = out_fixed(space, sizeof space);

    clock_put_http_date(&o, when);
    assert_false(o.overflow);
    assert_int_equal(out_len(&o), HTTP_DATE_LEN);
    assert_memory_equal(space, expected, HTTP_DATE_LEN);
}

static void test_put_http_date(void **state)
{
    (void)state;
    check_put(784111777, "Sun, 06 Nov 1994 08:49:37 GMT");
    check_put(0, "Thu, 01 Jan 1970 00:00:00 GMT");
    check_put(-1, "Thu, 01 Jan 1970 00:00:00 GMT");
    check_put(951782400, "Tue, 29 Feb 2000 00:00:00 GMT");
    check_put(4107542399, "Sun, 28 Feb 2100 23:59:59 GMT");
    check_put(4107542400, "Mon, 01 Mar 2100 00:00:00 GMT");
    check_put(253402300799, "Fri, 31 Dec 9999 23:59:59 GMT");
    check_put(253402300800, "Fri, 31 Dec 9999 23:59:59 GMT");
    check_put(INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT");
    check_put(INT64_MIN, "Thu, 01 Jan 1970 00:00:00 GMT");
}

static time_t parse(const char *text)
{
    return clock_parse_http_date(str_of(text));
}

/* Every third day or so until 2500, written and read again; gmtime_r tells what is right. */
static void test_round_trip(void **state)
{
    char space[HTTP_DATE_LEN], expected[64];
    struct tm tm;

    (void)state;
    for (time_t t = 0; t < 16725225600; t += 86400 * 3 + 12345) {
        struct out o = out_fixed(space, sizeof space);
        clock_put_http_date(&o, t);
        gmtime_r(&t, &tm);
        strftime(expected, sizeof expected, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        assert_memory_equal(space, expected, HTTP_DATE_LEN);
        assert_int_equal(clock_parse_http_date(out_str_of(&o)), t);
        strftime(expected, sizeof expected, "%a %b %e %H:%M:%S %Y", &tm);
        assert_int_equal(parse(expected), t);
    }
}

static void test_parse(void **state)
{
    (void)state;
    clock_cached.seconds = 1795251600;   /* 21 November 2026 */
    assert_int_equal(parse("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
    assert_int_equal(parse("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
    assert_int_equal(parse("Sun Nov  6 08:49:37 1994"), 784111777);
    assert_int_equal(parse("Sun Nov 16 08:49:37 1994"), 784975777);
    assert_int_equal(parse("Sat, 31 Dec 2016 23:59:60 GMT"), 1483228800);
    assert_int_equal(parse("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
    assert_int_equal(parse("Wed, 31 Dec 1969 23:59:59 GMT"), 0);
    assert_int_equal(parse("Sat, 01 Jan 0000 00:00:00 GMT"), 0);
    assert_int_equal(parse("Fri, 31 Dec 9999 23:59:59 GMT"), 253402300799);
    /* That it was a Sunday is not checked. */
    assert_int_equal(parse("Mon, 06 Nov 1994 08:49:37 GMT"), 784111777);
}

/* RFC 9110 section 5.6.7: more than 50 years ahead is a century back. */
static void test_two_digit_years(void **state)
{
    (void)state;
    clock_cached.seconds = 1795251600;   /* Sat, 21 Nov 2026 09:00:00 GMT */
    assert_int_equal(parse("Saturday, 21-Nov-76 09:00:00 GMT"),
                     parse("Sat, 21 Nov 2076 09:00:00 GMT"));
    assert_int_equal(parse("Sunday, 21-Nov-76 09:00:01 GMT"),
                     parse("Sun, 21 Nov 1976 09:00:01 GMT"));
    assert_int_equal(parse("Friday, 01-Jan-99 00:00:00 GMT"),
                     parse("Fri, 01 Jan 1999 00:00:00 GMT"));
    assert_int_equal(parse("Saturday, 01-Jan-00 00:00:00 GMT"),
                     parse("Sat, 01 Jan 2000 00:00:00 GMT"));
    assert_int_equal(parse("Saturday, 29-Feb-76 00:00:00 GMT"),
                     parse("Sat, 29 Feb 2076 00:00:00 GMT"));
}

static void test_parse_refuses(void **state)
{
    static const char *const bad[] = {
        "", "x", ",", "Sun", "Sun,", "Sun, ", "Sun, 06 Nov 1994", "0", "784111777",
        "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GM",
        "Sun, 06 Nov 1994 08:49:37 GMT ", " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 gmt",
        "Sun, 06 Nov 1994 08:49:37 +0000", "sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT", "Son, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nob 1994 08:49:37 GMT", "Sun,06 Nov 1994 08:49:37 GMT",
        "Sun,  6 Nov 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT", "Sun, 06 Nov 01994 08:49:37 GMT",
        "Sun, 06-Nov-1994 08:49:37 GMT", "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:00:61 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
        "Wed, 31 Nov 1994 08:49:37 GMT", "Tue, 29 Feb 1994 08:49:37 GMT",
        "Mon, 29 Feb 2100 00:00:00 GMT", "Sun, 32 Jan 1994 08:49:37 GMT",
        "Sun, -6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:3x GMT",
        "Sun, 06-Nov-94 08:49:37 GMT", "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT", "Someday, 06-Nov-94 08:49:37 GMT",
        "sunday, 06-Nov-94 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37",
        "Sunday, 30-Feb-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 94", "Sun Nov 6 08:49:37 1994", "Sun Nov   6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT", "Sunday Nov  6 08:49:37 1994", "Sun Nov  0 08:49:37 1994",
    };

    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (parse(bad[i]) != -1)
            fail_msg("taken for a date: \"%s\"", bad[i]);
    }
    assert_int_equal(clock_parse_http_date((struct str){ NULL, 0 }), -1);
    assert_int_equal(clock_parse_http_date((struct str){ "Sun, 06 Nov 1994 08:49:37 GMT\0x", 31 }),
                     -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_update),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_put_http_date),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_two_digit_years),
        cmocka_unit_test(test_parse_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * ocsp: where responders are, how they are asked, what their responses of HTTP are worth, and when an
 * answer is asked for again.  Without TLS there is nothing of it.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "config.h"

#ifdef HAVE_TLS
#include "http/modules/ssl/ssl_ocsp.h"
#include "upstream/ocsp/stapling.h"

/* ---- responders ---- */

static void check_url(const char *url, const char *host, unsigned port, const char *path)
{
    struct responder r;

    assert_null(responder_parse(str_of(url), &r));
    assert_true(str_eq(r.host, str_of(host)));
    assert_int_equal(r.port, port);
    assert_true(str_eq(r.path, str_of(path)));
    assert_true(str_eq(r.text, str_of(url)));
}

static void test_urls(void **state)
{
    struct responder r;

    (void)state;
    check_url("http://a", "a", 80, "");
    check_url("HTTP://ocsp.example.com/", "ocsp.example.com", 80, "/");
    check_url("http://1.2.3.4:8080/x/y?z", "1.2.3.4", 8080, "/x/y?z");
    check_url("http://[::1]/x", "::1", 80, "/x");
    check_url("http://[::1]:81/x", "::1", 81, "/x");
    static const char *const bad[] = {
        "", "http", "http:/", "http://", "https://a/", "ftp://a/", "/a", "a", "http:///", "http://:80/",
        "http://a:/", "http://a:0/", "http://a:65536/", "http://a:x/", "http://a b/", "http://a/\r\nX: y",
        "http://a\n", "http://a/\x7f", "http://a@b/", "http://a?b", "http://a#b", "http://\xc3\xa4/",
    };
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_non_null(responder_parse(str_of(bad[i]), &r));
}

static struct str request(const char *url, struct str question, char *space, size_t size)
{
    struct out o = out_fixed(space, size);
    struct responder r;

    assert_null(responder_parse(str_of(url), &r));
    responder_put_request(&r, question, &o);
    assert_false(o.overflow);
    return out_str_of(&o);
}

static void test_requests(void **state)
{
    static const char fields[] = "Host: a:81\r\nAccept: application/ocsp-response\r\nConnection: close\r\n";
    static const char posted[] = "Content-Type: application/ocsp-request\r\nContent-Length: 3\r\n\r\n";
    char space[4096], wanted[4096], question[300];

    (void)state;
    snprintf(wanted, sizeof wanted, "GET /%%2B%%2F%%2BA HTTP/1.0\r\n%s\r\n", fields);
    assert_true(str_eq(request("http://a:81", STR("\xfb\xff\x80"), space, sizeof space), str_of(wanted)));
    assert_true(str_eq(request("http://a:81/", STR("\xfb\xff\x80"), space, sizeof space), str_of(wanted)));
    snprintf(wanted, sizeof wanted, "GET /x/AA%%3D%%3D HTTP/1.0\r\n%s\r\n", fields);
    assert_true(str_eq(request("http://a:81/x", STR("\0"), space, sizeof space), str_of(wanted)));
    snprintf(wanted, sizeof wanted, "POST /x?y HTTP/1.0\r\n%s%sabc", fields, posted);
    assert_true(str_eq(request("http://a:81/x?y", STR("abc"), space, sizeof space), str_of(wanted)));
    memset(question, 'x', sizeof question);
    struct str at = request("http://a", (struct str){ question, 189 }, space, sizeof space);
    assert_true(str_starts(at, STR("GET /eHh4")));             /* 252 characters */
    at = request("http://a", (struct str){ question, 192 }, space, sizeof space);
    assert_true(str_starts(at, STR("POST / HTTP/1.0\r\n")));   /* 256 */
}

/* ---- responses ---- */

static void check_answer(const char *text, bool end, enum fetch_state wanted, const char *content)
{
    struct arena a;
    const char *why = NULL;

    arena_init(&a);
    struct out o = out_growing(&a, FETCH_ANSWER_MAX);
    assert_int_equal(ssl_ocsp_http.judge(str_of(text), end, &o, &why), wanted);
    if (content)
        assert_true(str_eq(out_str_of(&o), str_of(content)));
    assert_true(wanted != FETCH_FAILED || why);
    arena_fini(&a);
}

#define OK "HTTP/1.1 200 OK\r\nContent-Type: application/ocsp-response\r\n"

static void test_answers(void **state)
{
    (void)state;
    check_answer("", false, FETCH_WAIT, NULL);
    check_answer("HTTP/1.", false, FETCH_WAIT, NULL);
    check_answer(OK, false, FETCH_WAIT, NULL);
    check_answer(OK "\r\nabc", false, FETCH_WAIT, NULL);
    check_answer(OK "\r\nabc", true, FETCH_DONE, "abc");
    check_answer(OK "\r\n", true, FETCH_DONE, "");
    check_answer(OK "Content-Length: 3\r\n\r\nab", false, FETCH_WAIT, NULL);
    check_answer(OK "Content-Length: 3\r\n\r\nab", true, FETCH_WAIT, NULL);
    check_answer(OK "Content-Length: 3\r\n\r\nabc", false, FETCH_DONE, "abc");
    check_answer(OK "Content-Length: 3\r\n\r\nabcd", false, FETCH_DONE, "abc");
    check_answer(OK "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n", true, FETCH_WAIT, NULL);
    check_answer(OK "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", false, FETCH_DONE,
                 "abc");
    check_answer("HTTP/1.1 103 Hints\r\n\r\n" OK "\r\nabc", true, FETCH_DONE, "abc");
    check_answer("HTTP/1.0 200\nContent-type:Application/OCSP-response ; a=b\n\nabc", true, FETCH_DONE,
                 "abc");
    check_answer(OK "Transfer-Encoding: chunked\r\n\r\nx", false, FETCH_FAILED, NULL);
    check_answer(OK "Transfer-Encoding: gzip\r\n\r\nx", false, FETCH_FAILED, NULL);
    check_answer(OK "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", false, FETCH_FAILED, NULL);
    check_answer(OK "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", false, FETCH_FAILED, NULL);
    check_answer(OK "Content-Length: -3\r\n\r\nabc", false, FETCH_FAILED, NULL);
    check_answer("HTTP/1.1 200 OK\r\n\r\nabc", true, FETCH_FAILED, NULL);
    check_answer("HTTP/1.1 404 No\r\nContent-Type: application/ocsp-response\r\n\r\nabc", true, FETCH_FAILED,
                 NULL);
    check_answer("HTTP/2 200 OK\r\n\r\n", false, FETCH_FAILED, NULL);
    check_answer("<html>\n", false, FETCH_FAILED, NULL);
}

/* ---- when ---- */

static void test_times(void **state)
{
    (void)state;
    assert_int_equal(stapling_refresh(-1), 3600 * 1000);
    assert_int_equal(stapling_refresh(7 * 86400), 3600 * 1000);
    assert_int_equal(stapling_refresh(3600), 1800 * 1000);
    assert_int_equal(stapling_refresh(1), 1000);
    assert_int_equal(stapling_refresh(0), 1000);
    assert_int_equal(stapling_retry(1), 500);
    assert_int_equal(stapling_retry(2), 1000);
    assert_int_equal(stapling_retry(9), 128 * 1000);
    assert_int_equal(stapling_retry(11), 300 * 1000);
    assert_int_equal(stapling_retry(UINT_MAX), 300 * 1000);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_urls), cmocka_unit_test(test_requests), cmocka_unit_test(test_answers),
    cmocka_unit_test(test_times),
};
#else
static void test_nothing(void **state)
{
    (void)state;
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(test_nothing) };
#endif

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}

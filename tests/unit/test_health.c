/*
 * health: how results of checks become a server's state, what answers over HTTP are worth, and the file
 * that a group's servers are written to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http/proxy/health_check.h"
#include "upstream/discovery.h"
#include "upstream/state_file.h"

/* ---- results ---- */

static void test_count(void **state)
{
    struct health_check c = { .fails = 2, .passes = 3 };
    struct upstream_peer_state peer = { 0 };

    (void)state;
    assert_false(health_count(&c, &peer, false));
    assert_false(health_count(&c, &peer, true));       /* not one after the other */
    assert_false(health_count(&c, &peer, false));
    assert_true(health_count(&c, &peer, false));
    assert_int_equal(peer.bars, PEER_UNHEALTHY);
    assert_false(health_count(&c, &peer, false));
    assert_false(health_count(&c, &peer, true));
    assert_false(health_count(&c, &peer, true));
    peer.fails = 1;
    assert_true(health_count(&c, &peer, true));
    assert_int_equal(peer.bars, 0);
    assert_int_equal(peer.fails, 0);
    assert_true(peer.slow_since == clock_ms());
}

static void test_count_mandatory(void **state)
{
    struct health_check c = { .fails = 1, .passes = 2 };
    struct upstream_peer_state peer = { .unchecked = 1, .bars = PEER_UNCHECKED | PEER_DRAINING };

    (void)state;
    assert_false(health_count(&c, &peer, true));
    assert_true(health_count(&c, &peer, true));
    assert_int_equal(peer.bars, PEER_DRAINING);        /* that is a person's affair */
    peer.unchecked = 1;
    health_set_bars(&peer);
    assert_int_equal(peer.bars, PEER_DRAINING | PEER_UNCHECKED);
    assert_true(health_count(&c, &peer, false));
    assert_int_equal(peer.bars, PEER_DRAINING | PEER_UNHEALTHY);
}

static void test_count_of_two_checks(void **state)
{
    struct health_check a = { .fails = 1, .passes = 1 }, b = { .fails = 1, .passes = 1, .number = 1 };
    struct upstream_peer_state peer = { 0 };

    (void)state;
    assert_true(health_count(&a, &peer, false));
    assert_false(health_count(&b, &peer, true));
    assert_false(health_count(&b, &peer, false));
    assert_false(health_count(&a, &peer, true));
    assert_int_equal(peer.bars, PEER_UNHEALTHY);
    assert_true(health_count(&b, &peer, true));
}

/* ---- answers ---- */

static struct http_probe probe = { .uri = STR_INIT("/"), .match = &health_match_usual };

static enum health_verdict judge(const char *answer, bool end, uint64_t keepalive, bool *reusable)
{
    struct health_check c = { .conf = &probe, .keepalive_time = keepalive };
    struct health_note note = { 0 };
    enum health_verdict v = health_http.judge(&c, str_of(answer), end, &note);

    *reusable = note.reusable;
    return v;
}

static void test_judge(void **state)
{
    static const struct {
        const char *answer;
        enum health_verdict verdict;
    } cases[] = {
        { "", HEALTH_MORE },
        { "HTTP/1.1 200 OK\r\n", HEALTH_MORE },
        { "HTTP/1.1 200 OK\r\nA: b\r\n", HEALTH_MORE },
        { "HTTP/1.1 200 OK\r\n\r\n", HEALTH_GOOD },
        { "HTTP/1.0 399 X\r\n\r\n", HEALTH_GOOD },
        { "HTTP/1.1 199 X\r\n\r\n", HEALTH_MORE },
        { "HTTP/1.1 100 X\r\n\r\nHTTP/1.1 103 X\r\n\r\nHTTP/1.1 204 X\r\n\r\n", HEALTH_GOOD },
        { "HTTP/1.1 400 X\r\n\r\n", HEALTH_BAD },
        { "HTTP/2 200 OK\r\n", HEALTH_BAD },
        { "HTTP/1.1 200 OK\r\nbad field: x\r\n\r\n", HEALTH_BAD },
        { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", HEALTH_BAD },
        { "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", HEALTH_BAD },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", HEALTH_BAD },
    };
    bool reusable;

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(judge(cases[i].answer, false, 0, &reusable), cases[i].verdict);
}

/* Where the connection is to be kept all of the body must be there, and nothing else. */
static void test_judge_kept(void **state)
{
#define OK "HTTP/1.1 200 OK\r\n"
    static const struct {
        const char *answer;
        bool end;
        enum health_verdict verdict;
        bool reusable;
    } cases[] = {
        { OK "Content-Length: 2\r\n\r\na", false, HEALTH_MORE, false },
        { OK "Content-Length: 2\r\n\r\na", true, HEALTH_MORE, false },
        { OK "Content-Length: 2\r\n\r\nab", false, HEALTH_GOOD, true },
        { OK "Content-Length: 2\r\n\r\nabc", false, HEALTH_GOOD, false },
        { OK "Content-Length: 2\r\nConnection: close\r\n\r\nab", false, HEALTH_GOOD, false },
        { OK "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n", false, HEALTH_MORE, false },
        { OK "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", false, HEALTH_GOOD, true },
        { OK "Transfer-Encoding: chunked\r\n\r\n1\r\nab", false, HEALTH_BAD, false },
        { OK "\r\nabc", false, HEALTH_MORE, false },
        { OK "\r\nabc", true, HEALTH_GOOD, false },
        { "HTTP/1.1 204 X\r\n\r\n", false, HEALTH_GOOD, true },
        { "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false, HEALTH_GOOD, false },
    };
    bool reusable;

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(judge(cases[i].answer, cases[i].end, 1000, &reusable), cases[i].verdict);
        if (cases[i].verdict == HEALTH_GOOD)
            assert_int_equal(reusable, cases[i].reusable);
    }
}

/* ---- the state file ---- */

static char *content(const char *path)
{
    static char text[4096];
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return text;
}

static void test_state_file(void **state)
{
    struct upstream_peer_state plain = { 0 }, down = { .bars = PEER_DOWN | PEER_UNHEALTHY };
    struct upstream_peer primary[] = {
        { .server = STR_INIT("10.0.0.1:80"), .weight = 1, .max_fails = 1, .fail_timeout = 10,
          .line = 1, .state = &plain },
        { .server = STR_INIT("two"), .weight = 3, .max_conns = 5, .max_fails = 0,
          .fail_timeout = 60, .slow_start = 1500, .line = 2, .state = &down, .sid = STR_INIT("b"),
          .routed = true },
        { .server = STR_INIT("two"), .weight = 3, .line = 2, .state = &plain },
    };
    struct upstream_peer model = { .server = STR_INIT("x.example"), .weight = 1, .max_fails = 1,
                                   .fail_timeout = 10, .drain = true };
    struct discovery_line line = { .service = STR_INIT("http"), .backup = true, .model = &model };
    const struct discovery_line *watched[] = { &line };
    struct upstream u = { .primary.list = { primary, 3, 3 }, .watched = { watched, 1, 1 } };
    char folder[] = "/tmp/weir-state-XXXXXX", path[64];

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/u.state", folder);
    u.state_path = str_of(path);
    for (unsigned i = 0; i < 2; i++) {         /* over the former one, too */
        assert_true(state_file_write(&u));
        assert_string_equal(content(path),
                            "server 10.0.0.1:80;\n"
                            "server two weight=3 max_conns=5 max_fails=0 fail_timeout=60s "
                            "slow_start=1500ms route=b down;\n"
                            "server x.example backup drain service=http resolve;\n");
    }
    unlink(path);
    assert_int_equal(rmdir(folder), 0);        /* nothing else is left */
    assert_false(state_file_write(&u));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_count_mandatory),
        cmocka_unit_test(test_count_of_two_checks),
        cmocka_unit_test(test_judge),
        cmocka_unit_test(test_judge_kept),
        cmocka_unit_test(test_state_file),
    };

    clock_update();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

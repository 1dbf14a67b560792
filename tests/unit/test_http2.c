/*
 * test_http2: the pure parts of HTTP/2: the heads of frames, padding, priorities, and the budget of frames
 * of little use.  Connections are tested by tests/functional and tests/fuzz/fuzz_http2.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/v2/v2.h"

static void test_frame_head(void **state)
{
    char space[FRAME_HEAD_SIZE];
    struct out o = out_fixed(space, sizeof space);

    (void)state;
    frame_put_head(&o, 0x012345, FRAME_HEADERS, FLAG_END_HEADERS | FLAG_END_STREAM, 0x7ffffffd);
    assert_int_equal(out_len(&o), FRAME_HEAD_SIZE);
    assert_memory_equal(space, "\x01\x23\x45\x01\x05\x7f\xff\xff\xfd", sizeof space);
    struct frame f = frame_head(space);
    assert_int_equal(f.length, 0x012345);
    assert_int_equal(f.type, FRAME_HEADERS);
    assert_int_equal(f.flags, 0x05);
    assert_int_equal(f.stream, 0x7ffffffd);
    space[5] = '\xff';                         /* the reserved bit is no part of the number */
    assert_int_equal(frame_head(space).stream, 0x7ffffffd);
}

static bool unpad(uint8_t flags, const char *payload, size_t len, size_t *left)
{
    struct frame f = { .flags = flags };
    struct cursor c = cursor_of(payload, len);
    bool good = frame_unpad(&f, &c);

    *left = cursor_left(&c);
    return good;
}

static void test_padding(void **state)
{
    size_t left;

    (void)state;
    assert_true(unpad(0, "abc", 3, &left));
    assert_int_equal(left, 3);
    assert_true(unpad(FLAG_PADDED, "\2abc__", 6, &left));
    assert_int_equal(left, 3);
    assert_true(unpad(FLAG_PADDED, "\0", 1, &left));
    assert_int_equal(left, 0);
    assert_true(unpad(FLAG_PADDED, "\2__", 3, &left));
    assert_int_equal(left, 0);
    assert_false(unpad(FLAG_PADDED, "\3__", 3, &left));
    assert_false(unpad(FLAG_PADDED, "", 0, &left));
}

static void test_priorities(void **state)
{
    static const struct {
        struct str value;
        unsigned urgency;
        bool incremental;
    } cases[] = {
        { STR_INIT(""), 3, false },         { STR_INIT("u=0"), 0, false },
        { STR_INIT("u=7, i"), 7, true },    { STR_INIT("i"), 3, true },
        { STR_INIT("i,u=1"), 1, true },     { STR_INIT("i=?1"), 3, true },
        { STR_INIT("i=?0"), 3, false },     { STR_INIT("u=8"), 3, false },
        { STR_INIT("u=-1"), 3, false },     { STR_INIT("u=10"), 3, false },
        { STR_INIT("u=2;x=y, i;z"), 2, true },  { STR_INIT("other, u=5,u=4"), 4, false },
        { STR_INIT("i, u=1, i=?0"), 1, false }, { STR_INIT("u=9, u=2"), 2, false },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct v2_stream s = { .priority = { 6, true } };
        list_init(&s.place);
        v2_prioritize(&s, cases[i].value);
        assert_int_equal(s.priority.urgency, cases[i].urgency);
        assert_int_equal(s.priority.incremental, cases[i].incremental);
    }
}

/* Nothing is sent to anybody: the connection is lost already. */
static void test_budget(void **state)
{
    struct v2 v = { .lost = true };
    unsigned pings = 0;

    (void)state;
    v2_budget_init(&v);
    while (pings < 100000 && v2_charge(&v, V2_COST_PING))
        pings++;
    assert_in_range(pings, 500, 2000);
    assert_false(v2_charge(&v, V2_COST_PING));
    v2_budget_init(&v);
    for (unsigned i = 0; i < 100000; i++) {    /* who gets as much as he takes back goes on for ever */
        v2_earn(&v, V2_WORTH_RESPONSE);
        assert_true(v2_charge(&v, V2_COST_RESET));
    }
}

static void test_memory_of_resets(void **state)
{
    uint32_t ids[128] = { 0 };
    struct v2 v = { .resets = ids, .reset_count = 3 };

    (void)state;
    ids[0] = 5;
    ids[1] = 1;
    ids[2] = 9;
    assert_true(v2_was_reset(&v, 1) && v2_was_reset(&v, 5) && v2_was_reset(&v, 9));
    assert_false(v2_was_reset(&v, 3) || v2_was_reset(&v, 11) || v2_was_reset(&v, 0));
    for (unsigned i = 0; i < 128; i++)
        ids[i] = 1001 + 2 * i;
    v.reset_count = 128 + 500;                 /* those before are forgotten: nobody knows of them */
    v.resets[v.reset_count % 128] = 1001;
    assert_true(v2_was_reset(&v, 7));
    assert_false(v2_was_reset(&v, 5001));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_head),  cmocka_unit_test(test_padding),
        cmocka_unit_test(test_priorities),  cmocka_unit_test(test_budget),
        cmocka_unit_test(test_memory_of_resets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

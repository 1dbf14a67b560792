/*
 * test_byte_queue: bytes go in and come out in order, however the block grows or moves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/byte_queue.h"

static void test_order(void **state)
{
    struct byte_queue q = { 0 };
    unsigned in = 0, out = 0;

    (void)state;
    for (unsigned round = 1; round < 2000; round++) {
        unsigned char piece[700];
        size_t len = round * 37 % sizeof piece, drop = round * 41 % 900;
        for (size_t i = 0; i < len; i++)
            piece[i] = (unsigned char)in++;
        assert_true(byte_queue_put(&q, piece, len));
        struct str have = byte_queue_str(&q);
        if (drop > have.len)
            drop = have.len;
        for (size_t i = 0; i < drop; i++)
            assert_int_equal((unsigned char)have.data[i], (unsigned char)out++);
        byte_queue_drop(&q, drop);
        assert_int_equal(byte_queue_len(&q), in - out);
    }
    byte_queue_drop(&q, byte_queue_len(&q));
    assert_null(q.data);
}

static void test_room_is_no_part_until_added(void **state)
{
    struct byte_queue q = { 0 };

    (void)state;
    assert_non_null(byte_queue_room(&q, 5000));
    assert_int_equal(byte_queue_len(&q), 0);
    memcpy(byte_queue_room(&q, 3), "abc", 3);
    byte_queue_added(&q, 3);
    assert_memory_equal(byte_queue_str(&q).data, "abc", 3);
    byte_queue_fini(&q);
    assert_int_equal(byte_queue_len(&q), 0);
}

/* A queue that is used for long and never empty does not grow by it. */
static void test_block_stays_small(void **state)
{
    struct byte_queue q = { 0 };
    char piece[100] = { 0 };

    (void)state;
    assert_true(byte_queue_put(&q, piece, 1));
    for (unsigned i = 0; i < 10000; i++) {
        assert_true(byte_queue_put(&q, piece, sizeof piece));
        byte_queue_drop(&q, sizeof piece);
    }
    assert_in_range(q.size, 1, 4096);
    byte_queue_fini(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_room_is_no_part_until_added),
        cmocka_unit_test(test_block_stays_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * upstream: the turns that peers of a group take, what failures do to them, and the key balancers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "upstream/balance.h"

enum { PEERS = 70 };

static struct upstream_peer items[PEERS], backup_items[2];
static struct upstream group;
static struct arena arena;

static void make_peers(struct upstream_peers *peers, struct upstream_peer *list,
                       const unsigned *weights, unsigned count)
{
    *peers = (struct upstream_peers){ 0 };
    for (unsigned i = 0; i < count; i++) {
        list[i] = (struct upstream_peer){ .weight = weights[i], .effective = (int)weights[i],
                                          .max_fails = 1, .fail_timeout = 10 };
        peers->total_weight += weights[i];
        peers->tries++;
    }
    peers->list.items = list;
    peers->list.count = peers->list.room = count;
}

static void make_group(const unsigned *weights, unsigned count, unsigned backups)
{
    static const unsigned ones[] = { 1, 1 };

    group = (struct upstream){ .balancer = &balancer_round_robin };
    make_peers(&group.primary, items, weights, count);
    make_peers(&group.backup, backup_items, ones, backups);
}

static struct upstream_peer *ask(enum balance_result result)
{
    struct pick p;

    balance_start(&p, &group, NULL, &arena);
    struct upstream_peer *peer = balance_next(&p);
    if (peer)
        balance_done(&p, result);
    return peer;
}

static void expect_turns(const char *turns)
{
    for (; *turns; turns++)
        assert_ptr_equal(ask(BALANCE_OK), &items[*turns - 'a']);
}

static void test_round(void **state)
{
    (void)state;
    make_group((const unsigned[]){ 1, 1, 1 }, 3, 0);
    expect_turns("abcabc");
    make_group((const unsigned[]){ 5, 1, 1 }, 3, 0);
    expect_turns("aabacaaaabacaa");
}

static void test_failure_rests(void **state)
{
    (void)state;
    make_group((const unsigned[]){ 1, 1 }, 2, 0);
    assert_ptr_equal(ask(BALANCE_FAILED), &items[0]);
    expect_turns("bbbb");
    clock_cached.seconds += 11;                /* it gets one try, and has recovered */
    unsigned first = 0;
    for (unsigned i = 0; i < 8; i++)
        first += ask(BALANCE_OK) == &items[0];
    assert_in_range(first, 3, 4);
    assert_int_equal(items[0].fails, 0);
}

static void test_refusal_is_no_failure(void **state)
{
    (void)state;
    make_group((const unsigned[]){ 1, 1 }, 2, 0);
    assert_ptr_equal(ask(BALANCE_REFUSED), &items[0]);
    assert_int_equal(items[0].fails, 0);
    expect_turns("baba");
}

static void test_single_never_rests(void **state)
{
    (void)state;
    make_group((const unsigned[]){ 1 }, 1, 0);
    for (unsigned i = 0; i < 3; i++)
        assert_ptr_equal(ask(BALANCE_FAILED), &items[0]);
}

static void test_down_and_full(void **state)
{
    (void)state;
    make_group((const unsigned[]){ 1, 1, 1 }, 3, 0);
    items[0].down = true;
    items[1].max_conns = 1;
    items[1].conns = 1;
    expect_turns("ccc");
    items[2].down = true;
    assert_null(ask(BALANCE_OK));
}

static void test_tries_and_backup(void **state)
{
    struct pick p;

    (void)state;
    make_group((const unsigned[]){ 1, 1 }, 2, 1);
    balance_start(&p, &group, NULL, &arena);
    assert_int_equal(p.tries, 3);
    assert_ptr_equal(balance_next(&p), &items[0]);
    assert_true(balance_done(&p, BALANCE_FAILED));
    assert_ptr_equal(balance_next(&p), &items[1]);
    assert_true(balance_done(&p, BALANCE_FAILED));
    assert_ptr_equal(balance_next(&p), &backup_items[0]);
    assert_int_equal(backup_items[0].conns, 1);
    assert_false(balance_done(&p, BALANCE_OK));
    assert_int_equal(backup_items[0].conns, 0);
    assert_null(balance_next(&p));
}

static void test_many(void **state)
{
    unsigned weights[PEERS];
    struct pick p;

    (void)state;
    for (unsigned i = 0; i < PEERS; i++)
        weights[i] = 1;
    make_group(weights, PEERS, 0);
    balance_start(&p, &group, NULL, &arena);
    for (unsigned i = 0; i < PEERS; i++) {     /* each once: more than one word of bits */
        assert_ptr_equal(balance_next(&p), &items[i]);
        balance_done(&p, BALANCE_FAILED);
    }
    assert_null(balance_next(&p));
    assert_int_equal(p.tries, 0);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round),
        cmocka_unit_test(test_failure_rests),
        cmocka_unit_test(test_refusal_is_no_failure),
        cmocka_unit_test(test_single_never_rests),
        cmocka_unit_test(test_down_and_full),
        cmocka_unit_test(test_tries_and_backup),
        cmocka_unit_test(test_many),
    };

    clock_update();
    arena_init(&arena);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

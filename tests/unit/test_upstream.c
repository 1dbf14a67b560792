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
#include "upstream/peer_time.h"

enum { PEERS = 70 };

static struct upstream_peer items[PEERS], backup_items[2];
static struct upstream_peer_state states[PEERS], backup_states[2];
static struct upstream group;
static struct arena arena;

static void make_peers(struct upstream_peers *peers, struct upstream_peer *list,
                       struct upstream_peer_state *state, const unsigned *weights, unsigned count)
{
    *peers = (struct upstream_peers){ 0 };
    for (unsigned i = 0; i < count; i++) {
        state[i] = (struct upstream_peer_state){ .effective = weights[i] };
        list[i] = (struct upstream_peer){ .weight = weights[i], .max_fails = 1, .fail_timeout = 10,
                                          .state = &state[i] };
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
    make_peers(&group.primary, items, states, weights, count);
    make_peers(&group.backup, backup_items, backup_states, ones, backups);
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
    assert_int_equal(states[0].fails, 0);
}

static void test_refusal_is_no_failure(void **state)
{
    (void)state;
    make_group((const unsigned[]){ 1, 1 }, 2, 0);
    assert_ptr_equal(ask(BALANCE_REFUSED), &items[0]);
    assert_int_equal(states[0].fails, 0);
    expect_turns("baba");
}

/* Where all rest, those that could not be reached are asked once more rather than nobody. */
static void test_last_resort(void **state)
{
    struct pick p;

    (void)state;
    make_group((const unsigned[]){ 1, 1 }, 2, 0);
    assert_ptr_equal(ask(BALANCE_FAILED), &items[0]);
    assert_ptr_equal(ask(BALANCE_UNREACHED), &items[1]);
    assert_ptr_equal(ask(BALANCE_UNREACHED), &items[1]);
    assert_ptr_equal(ask(BALANCE_FAILED), &items[1]);
    assert_null(ask(BALANCE_OK));
    make_group((const unsigned[]){ 1, 1 }, 2, 1);
    balance_start(&p, &group, NULL, &arena);
    while (p.tries && balance_next(&p))
        balance_done(&p, BALANCE_UNREACHED);
    assert_int_equal(p.asked, 3);
    balance_start(&p, &group, NULL, &arena);
    long back = balance_next(&p) - items;
    assert_in_range(back, 0, 1);               /* the primary ones come first here too */
    balance_answered(&p);
    balance_done(&p, BALANCE_OK);
    assert_int_equal(states[back].fails, 0);
    expect_turns(back ? "bb" : "aa");
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
    states[0].bars = PEER_DOWN;
    items[1].max_conns = 1;
    states[1].conns = 1;
    expect_turns("ccc");
    states[2].bars = PEER_DOWN;
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
    assert_int_equal(backup_states[0].conns, 1);
    assert_false(balance_done(&p, BALANCE_OK));
    assert_int_equal(backup_states[0].conns, 0);
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

/* ---- weights ---- */

/* Over a whole round each peer has as many turns as its weight says. */
static void test_round_is_exact(void **state)
{
    const unsigned weights[] = { 7, 3, 1, 13, 5 };
    unsigned counts[5] = { 0 }, total = 29;

    (void)state;
    make_group(weights, 5, 0);
    for (unsigned i = 0; i < total * 3; i++)
        counts[ask(BALANCE_OK) - items]++;
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(counts[i], weights[i] * 3);
}

static void test_largest_weights(void **state)
{
    const unsigned weights[] = { INT32_MAX, INT32_MAX, INT32_MAX, 1 };
    unsigned counts[4] = { 0 };

    (void)state;
    make_group(weights, 4, 0);
    assert_true(group.primary.total_weight == (uint64_t)INT32_MAX * 3 + 1);
    for (unsigned i = 0; i < 300; i++)
        counts[ask(BALANCE_OK) - items]++;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(counts[i], 100);
}

static void test_share(void **state)
{
    const char *owners = "abbbcdd";

    (void)state;
    make_group((const unsigned[]){ 1, 3, 1, 2 }, 4, 0);
    for (unsigned i = 0; i < 7; i++)
        assert_ptr_equal(balance_share(&group.primary, i), &items[owners[i] - 'a']);
    assert_null(balance_share(&group.primary, 7));
    make_group((const unsigned[]){ 0, 2, 0 }, 3, 0);   /* who weighs nothing gets nothing */
    assert_ptr_equal(balance_share(&group.primary, 0), &items[1]);
    expect_turns("bbb");
}

/* ---- slow start ---- */

static unsigned share_of_first(unsigned rounds)
{
    unsigned count = 0;

    for (unsigned i = 0; i < rounds; i++)
        count += ask(BALANCE_OK) == &items[0];
    return count;
}

static void test_slow_start(void **state)
{
    (void)state;
    make_group((const unsigned[]){ 1, 1 }, 2, 0);
    items[0].slow_start = 10000;
    assert_ptr_equal(ask(BALANCE_FAILED), &items[0]);
    expect_turns("bb");
    clock_cached.seconds += 11;
    while (ask(BALANCE_OK) != &items[0])
        ;
    assert_true(states[0].slow_since == clock_ms());
    assert_in_range(share_of_first(100), 0, 2);
    clock_cached.ms += 2500;                   /* a quarter of its weight */
    assert_in_range(share_of_first(100), 18, 22);
    clock_cached.ms += 2500;
    assert_in_range(share_of_first(99), 31, 35);
    clock_cached.ms += 5000;
    assert_in_range(share_of_first(100), 49, 51);
}

static void test_slow_start_is_for_those_who_rested(void **state)
{
    (void)state;
    make_group((const unsigned[]){ 1, 1 }, 2, 0);
    items[0].slow_start = 10000;
    items[0].max_fails = 2;
    assert_ptr_equal(ask(BALANCE_FAILED), &items[0]);
    clock_cached.seconds += 11;
    while (ask(BALANCE_OK) != &items[0])
        ;
    assert_true(states[0].slow_since == 0);
    assert_int_equal(states[0].fails, 0);
}

/* ---- sticky, draining ---- */

static struct str wanted;

static void bind_to_wanted(struct pick *p)
{
    p->bound = wanted;
}

static const struct affinity affinity = { .start = bind_to_wanted };

static void test_bound(void **state)
{
    (void)state;
    make_group((const unsigned[]){ 1, 1, 1 }, 3, 0);
    for (unsigned i = 0; i < 3; i++)
        items[i].sid = (struct str){ &"abc"[i], 1 };
    states[2].bars = PEER_DRAINING;
    group.affinity = &affinity;
    wanted = STR("");
    expect_turns("abab");
    wanted = STR("c");                         /* draining, but for those who are bound to it */
    expect_turns("ccc");
    wanted = STR("b");
    expect_turns("bb");
    states[1].conns = items[1].max_conns = 1;
    expect_turns("aa");                        /* full: as if it were not bound */
    wanted = STR("x");
    expect_turns("aa");
}

static void test_bound_peer_fails(void **state)
{
    struct pick p;

    (void)state;
    make_group((const unsigned[]){ 1, 1 }, 2, 0);
    items[0].sid = STR("a");
    items[1].sid = STR("b");
    group.affinity = &affinity;
    wanted = STR("b");
    balance_start(&p, &group, NULL, &arena);
    assert_ptr_equal(balance_next(&p), &items[1]);
    balance_done(&p, BALANCE_FAILED);
    assert_ptr_equal(balance_next(&p), &items[0]);
    balance_done(&p, BALANCE_OK);
}

/* ---- times ---- */

static void test_times(void **state)
{
    (void)state;
    make_group((const unsigned[]){ 1, 1 }, 2, 0);
    for (unsigned i = 0; i < 2; i++)
        states[i].selected = clock_seconds();
    assert_int_equal(peer_time_compare(&items[0], &items[1], PEER_TIME_HEADER), 0);
    peer_time_note(&items[0], PEER_TIME_HEADER, 4000);
    assert_int_equal(states[0].times[PEER_TIME_HEADER] / 16, 4000);
    assert_int_equal(peer_time_compare(&items[0], &items[1], PEER_TIME_HEADER), 1);
    assert_int_equal(peer_time_compare(&items[0], &items[1], PEER_TIME_LAST_BYTE), 0);
    peer_time_note(&items[0], PEER_TIME_HEADER, 0);
    assert_int_equal(states[0].times[PEER_TIME_HEADER] / 16, 3000);
    clock_cached.seconds += 10 + 7;            /* nobody asked it: 3000 / 128 */
    assert_int_equal(peer_time_compare(&items[0], &items[1], PEER_TIME_HEADER), 1);
    clock_cached.seconds += 1;                 /* below 20 ms: alike */
    assert_int_equal(peer_time_compare(&items[0], &items[1], PEER_TIME_HEADER), 0);
    peer_time_note(&items[0], PEER_TIME_LAST_BYTE, UINT64_MAX);
    assert_true(states[0].times[PEER_TIME_LAST_BYTE] > UINT32_MAX / 2);
}

static void test_times_of_failures(void **state)
{
    struct pick p;

    (void)state;
    make_group((const unsigned[]){ 1, 1 }, 2, 0);
    balance_start(&p, &group, NULL, &arena);
    assert_ptr_equal(balance_next(&p), &items[0]);
    clock_cached.ms += 800;
    balance_done(&p, BALANCE_FAILED);          /* silence is slow */
    assert_int_equal(states[0].times[PEER_TIME_HEADER] / 16, 800);
    peer_time_note_failure(&items[0], 0);      /* a refusal is not quick */
    assert_int_equal(states[0].times[PEER_TIME_HEADER] / 16, 800);
}

static void test_times_count_connections_and_weight(void **state)
{
    (void)state;
    make_group((const unsigned[]){ 1, 3 }, 2, 0);
    states[1].conns = 2;                       /* 3 of weight 3: as 1 of weight 1 */
    assert_int_equal(peer_time_compare(&items[0], &items[1], PEER_TIME_HEADER), 0);
    states[1].conns = 3;
    assert_int_equal(peer_time_compare(&items[0], &items[1], PEER_TIME_HEADER), -1);
}

static void test_times_of_those_under_way(void **state)
{
    struct pick p;

    (void)state;
    make_group((const unsigned[]){ 1, 1 }, 2, 0);
    balance_start(&p, &group, NULL, &arena);
    assert_ptr_equal(balance_next(&p), &items[0]);
    states[1].conns = 1;
    states[1].starts = clock_ms();
    states[1].selected = clock_seconds();
    clock_cached.ms += 500;
    states[1].starts = clock_ms();
    assert_int_equal(peer_time_compare(&items[0], &items[1], PEER_TIME_LAST_BYTE), 0);
    assert_int_equal(peer_time_compare(&items[0], &items[1],
                                       PEER_TIME_LAST_BYTE | PEER_TIME_INFLIGHT), 1);
    balance_answered(&p);
    balance_done(&p, BALANCE_OK);
    assert_int_equal(states[0].times[PEER_TIME_LAST_BYTE] / 16, 500);
    assert_true(states[0].starts == 0);
}

/* ---- the queue ---- */

static unsigned woken[4], woken_count;

static void note_woken(void *owner)
{
    woken[woken_count++] = *(unsigned *)owner;
}

static void test_queue(void **state)
{
    static unsigned numbers[] = { 0, 1, 2, 3 };
    struct queue q = { .max = 2, .timeout = 1000 };
    struct pick first, waiting[3];

    (void)state;
    make_group((const unsigned[]){ 1 }, 1, 0);
    items[0].max_conns = 1;
    queue_init(&q);
    group.queue = &q;
    woken_count = 0;
    balance_start(&first, &group, NULL, &arena);
    assert_non_null(balance_next(&first));
    for (unsigned i = 0; i < 3; i++) {
        balance_start(&waiting[i], &group, NULL, &arena);
        assert_null(balance_next(&waiting[i]));
        assert_int_equal(balance_wait(&waiting[i], note_woken, &numbers[i]), i < 2);
    }
    clock_cached.ms += 10;
    balance_done(&first, BALANCE_OK);
    assert_int_equal(woken_count, 1);
    assert_int_equal(woken[0], 0);
    assert_ptr_equal(waiting[0].peer, &items[0]);
    assert_int_equal(balance_waited_ms(&waiting[0]), 10);
    assert_null(balance_next(&waiting[2]));    /* those who wait come first */
    balance_leave(&waiting[1]);                /* a client that leaves frees its place */
    assert_true(balance_wait(&waiting[2], note_woken, &numbers[2]));
    balance_done(&waiting[0], BALANCE_OK);
    assert_int_equal(woken[1], 2);
    balance_done(&waiting[2], BALANCE_OK);
    assert_int_equal(woken_count, 2);
    assert_int_equal(q.count, 0);
    assert_false(timer_armed(&q.timer));
}

static void test_queue_time_is_over(void **state)
{
    static unsigned number = 7;
    struct queue q = { .max = 2, .timeout = 250 };
    struct pick first, second;

    (void)state;
    make_group((const unsigned[]){ 1 }, 1, 0);
    items[0].max_conns = 1;
    queue_init(&q);
    group.queue = &q;
    woken_count = 0;
    balance_start(&first, &group, NULL, &arena);
    assert_non_null(balance_next(&first));
    balance_start(&second, &group, NULL, &arena);
    assert_true(balance_wait(&second, note_woken, &number));
    for (unsigned i = 0; i < 240; i += 10) {
        clock_cached.ms += 10;
        timer_expire_due();
    }
    assert_int_equal(woken_count, 0);
    clock_cached.ms += 110;
    timer_expire_due();
    assert_int_equal(woken_count, 1);
    assert_null(second.peer);
    assert_false(balance_waits(&second));
    states[0].conns = 0;                       /* freed by another worker: seen by looking again */
    woken_count = 0;
    states[0].conns = 1;
    balance_start(&second, &group, NULL, &arena);
    assert_true(balance_wait(&second, note_woken, &number));
    states[0].conns = 0;
    clock_cached.ms += 110;
    timer_expire_due();
    assert_int_equal(woken_count, 1);
    assert_ptr_equal(second.peer, &items[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round),
        cmocka_unit_test(test_failure_rests),
        cmocka_unit_test(test_refusal_is_no_failure),
        cmocka_unit_test(test_last_resort),
        cmocka_unit_test(test_single_never_rests),
        cmocka_unit_test(test_down_and_full),
        cmocka_unit_test(test_tries_and_backup),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_round_is_exact),
        cmocka_unit_test(test_largest_weights),
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_slow_start),
        cmocka_unit_test(test_slow_start_is_for_those_who_rested),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_bound_peer_fails),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_times_of_failures),
        cmocka_unit_test(test_times_count_connections_and_weight),
        cmocka_unit_test(test_times_of_those_under_way),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_queue_time_is_over),
    };

    clock_update();
    arena_init(&arena);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

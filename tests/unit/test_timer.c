/*
 * test_timer: the wheel of timers, beside a model that looks at every timer at every step.  Time is
 * set by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "event/timer.h"

enum { TIMERS = 500 };

/* A timer and when the model says that it is due: 0 when it is not armed. */
struct modelled {
    struct timer timer;
    uint64_t due;
    unsigned fired;
};

static struct modelled timers[TIMERS];
static uint64_t seed = 88172645463325252u;

static uint64_t random_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void on_modelled(struct timer *t)
{
    struct modelled *m = CONTAINER(t, struct modelled, timer);

    assert_true(m->due != 0);
    assert_true(m->due <= clock_ms());
    assert_false(timer_armed(t));
    m->due = 0;
    m->fired++;
}

static void model_set(struct modelled *m, uint64_t ms)
{
    timer_set(&m->timer, ms);
    m->due = clock_ms() + (ms < TIMER_MAX ? ms : TIMER_MAX);
    assert_true(timer_armed(&m->timer));
}

static void model_cancel(struct modelled *m)
{
    timer_cancel(&m->timer);
    assert_false(timer_armed(&m->timer));
    m->due = 0;
}

static uint64_t model_next(void)
{
    uint64_t next = 0;

    for (unsigned i = 0; i < TIMERS; i++) {
        if (timers[i].due && (!next || timers[i].due < next))
            next = timers[i].due;
    }
    return next;
}

/* Nothing may be late, nor left armed in the wheel alone. */
static void model_expire(void)
{
    timer_expire_due();
    for (unsigned i = 0; i < TIMERS; i++) {
        assert_true(timers[i].due == 0 || timers[i].due > clock_ms());
        assert_int_equal(timer_armed(&timers[i].timer), timers[i].due != 0);
    }
    uint64_t next = model_next();
    int told = timer_next();
    assert_int_equal(told < 0, next == 0);
    if (next)
        assert_true((uint64_t)told <= next - clock_ms() && told > 0);
}

static void start_at(uint64_t ms)
{
    timer_reset_all();
    clock_cached.ms = ms;
    for (unsigned i = 0; i < TIMERS; i++) {
        timers[i] = (struct modelled){ .due = 0 };
        timer_init(&timers[i].timer, on_modelled);
    }
}

/* Spans of every length, most of them short. */
static uint64_t random_span(void)
{
    uint64_t span = UINT64_C(1) << random_number() % 33;

    return random_number() % span;
}

static void run_random(uint64_t start)
{
    start_at(start);
    for (unsigned step = 0; step < 4000; step++) {
        for (unsigned n = (unsigned)(random_number() % 8); n > 0; n--) {
            struct modelled *m = &timers[random_number() % TIMERS];
            if (random_number() % 4 == 0)
                model_cancel(m);
            else
                model_set(m, random_span());
        }
        switch (random_number() % 4) {
        case 0:
            clock_cached.ms += random_span() % 100000;
            break;
        case 1:
            clock_cached.ms += step % 50 == 0 ? random_span() : random_span() % 1000;
            break;
        default:
            clock_cached.ms += timer_next() > 0 ? (uint64_t)timer_next() : 1;
        }
        model_expire();
    }
}

static void test_random(void **state)
{
    (void)state;
    run_random(1);
    run_random(123456789);
    run_random((UINT64_C(1) << 30) - 1000);
    run_random((UINT64_C(1) << 31) - 1000);
    run_random((UINT64_C(3) << 30) - 1000);
}

/* The 32 bits of the deadline run over. */
static void test_wrap(void **state)
{
    (void)state;
    for (unsigned back = 0; back < 70000; back += 97) {
        start_at((UINT64_C(1) << 32) - back);
        model_set(&timers[0], 60000);
        model_set(&timers[1], back);
        model_set(&timers[2], TIMER_MAX);
        for (int i = 0; model_next(); i++) {
            clock_cached.ms += (uint64_t)timer_next();
            model_expire();
            assert_true(i < 30);   /* no more wake-ups than there are levels to go through */
        }
        assert_int_equal(timers[0].fired, 1);
        assert_int_equal(timers[1].fired, 1);
        assert_int_equal(timers[2].fired, 1);
    }
    run_random((UINT64_C(1) << 32) - 100000);
    run_random((UINT64_C(7) << 32) - 1);
}

/* Nothing is due before its time, and then at once. */
static void test_exact(void **state)
{
    static const uint64_t spans[] = { 1, 2, 63, 64, 65, 4095, 4096, 4097, 262143, 262144, 262145,
                                      16777216, 1073741824, TIMER_MAX };

    (void)state;
    for (unsigned i = 0; i < sizeof spans / sizeof *spans; i++) {
        start_at(777 + random_number() % 100000);
        uint64_t start = clock_ms();
        model_set(&timers[0], spans[i]);
        clock_cached.ms = start + spans[i] - 1;
        timer_expire_due();
        assert_int_equal(timers[0].fired, 0);
        assert_int_equal(timer_next(), 1);
        clock_cached.ms++;
        assert_int_equal(timer_next(), 0);
        timer_expire_due();
        assert_int_equal(timers[0].fired, 1);
        assert_int_equal(timer_next(), -1);
    }
}

/* Pushed back again and again, as a keep-alive connection's is: it is moved when its slot comes
 * up, and at no other time. */
static void test_moved_later(void **state)
{
    unsigned moves = 0;

    (void)state;
    start_at(5000);
    model_set(&timers[0], 10000);
    for (int i = 0; i < 100000; i++) {
        uint32_t slot = timers[0].timer.slot_time;
        clock_cached.ms++;
        model_set(&timers[0], 10000);
        assert_int_equal(timers[0].timer.slot_time, slot);
        timer_expire_due();
        moves += timers[0].timer.slot_time != slot;
    }
    assert_in_range(moves, 10, 20);
    clock_cached.ms += 9999;
    model_expire();
    assert_int_equal(timers[0].fired, 0);
    clock_cached.ms++;
    model_expire();
    assert_int_equal(timers[0].fired, 1);

    /* Earlier is at once. */
    model_set(&timers[0], 1000);
    model_set(&timers[0], 10);
    clock_cached.ms += 10;
    model_expire();
    assert_int_equal(timers[0].fired, 2);
}

static struct modelled *other;

static void on_cancels_other(struct timer *t)
{
    on_modelled(t);
    model_cancel(other);
}

static void on_sets_itself(struct timer *t)
{
    on_modelled(t);
    model_set(CONTAINER(t, struct modelled, timer), 0);
}

static void on_moves_other(struct timer *t)
{
    on_modelled(t);
    model_set(other, 50);
}

static void test_in_handlers(void **state)
{
    (void)state;
    start_at(99);
    other = &timers[1];
    timer_init(&timers[0].timer, on_cancels_other);
    model_set(&timers[0], 5);
    model_set(&timers[1], 5);
    clock_cached.ms += 5;
    model_expire();
    assert_int_equal(timers[1].fired, 0);

    /* Due again at once is the next turn's: no turn without end. */
    timer_init(&timers[0].timer, on_sets_itself);
    model_set(&timers[0], 0);
    for (unsigned i = 1; i < 5; i++) {
        assert_int_equal(timer_next(), 0);
        timer_expire_due();
        assert_int_equal(timers[0].fired, i + 1);
    }
    model_cancel(&timers[0]);
    assert_int_equal(timer_next(), -1);

    timer_init(&timers[0].timer, on_moves_other);
    model_set(&timers[0], 5);
    model_set(&timers[1], 5);
    clock_cached.ms += 5;
    model_expire();
    assert_int_equal(timers[1].fired, 0);
    clock_cached.ms += 50;
    model_expire();
    assert_int_equal(timers[1].fired, 1);
}

/* A process that was stopped for weeks. */
static void test_long_sleep(void **state)
{
    (void)state;
    start_at(1000);
    model_set(&timers[0], TIMER_MAX);
    clock_cached.ms += UINT64_C(1) << 31;
    model_set(&timers[1], TIMER_MAX);
    model_expire();
    assert_int_equal(timers[0].fired, 1);
    clock_cached.ms += TIMER_MAX - 1;
    model_expire();
    assert_int_equal(timers[1].fired, 0);
    clock_cached.ms += 1;
    model_expire();
    assert_int_equal(timers[1].fired, 1);

    /* And one without timers. */
    clock_cached.ms += UINT64_C(1) << 40;
    model_set(&timers[0], 100);
    clock_cached.ms += 100;
    model_expire();
    assert_int_equal(timers[0].fired, 2);
}

static double seconds_since(const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

static unsigned counted;

static void on_counted(struct timer *t)
{
    (void)t;
    counted++;
}

/* A million timers of up to 65 s: what arming, waiting and expiring cost.  The bounds are wide;
 * a scan would break them a thousand times over. */
static void test_million(void **state)
{
    enum { MILLION = 1000000, SPAN = 65000, TICKS = 10000 };
    struct timer *many = malloc(MILLION * sizeof *many);
    struct timespec start;

    (void)state;
    assert_non_null(many);
    assert_true(sizeof(struct timer) <= 32);
    start_at(1);
    counted = 0;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (unsigned i = 0; i < MILLION; i++) {
        timer_init(&many[i], on_counted);
        timer_set(&many[i], TIMER_MAX / 2 + i);
    }
    double arming = seconds_since(&start);

    clock_gettime(CLOCK_MONOTONIC, &start);
    for (unsigned i = 0; i < TICKS; i++) {
        clock_cached.ms++;
        assert_true(timer_next() > 0);
        timer_expire_due();
    }
    double waiting = seconds_since(&start);

    clock_gettime(CLOCK_MONOTONIC, &start);
    for (unsigned i = 0; i < MILLION; i++)
        timer_set(&many[i], random_number() % SPAN + 1);
    double moving = seconds_since(&start);

    clock_gettime(CLOCK_MONOTONIC, &start);
    for (unsigned i = 0; i < SPAN; i++) {
        clock_cached.ms++;
        timer_expire_due();
    }
    double expiring = seconds_since(&start);

    assert_int_equal(counted, MILLION);
    assert_int_equal(timer_next(), -1);
    print_message("a million timers: arm %.0f ns, move earlier %.0f ns, expire %.0f ns each; "
                  "a turn with nothing due %.0f ns\n",
                  arming * 1e9 / MILLION, moving * 1e9 / MILLION, expiring * 1e9 / MILLION,
                  waiting * 1e9 / TICKS);
    assert_true(waiting / TICKS < 20e-6);
    assert_true(arming < 10 && moving < 10 && expiring < 20);
    free(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_wrap),
        cmocka_unit_test(test_moved_later),
        cmocka_unit_test(test_in_handlers),
        cmocka_unit_test(test_long_sleep),
        cmocka_unit_test(test_million),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

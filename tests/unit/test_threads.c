/*
 * test_threads: pools of threads beside a loop.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "event/loop.h"
#include "event/threads.h"
#include "event/timer.h"

struct job {
    struct task task;
    unsigned worked, done;
    pthread_t worker;
    bool again;
};

static atomic_uint running, most_running;
static struct thread_pool *pool;

static void sleep_ms(unsigned ms)
{
    nanosleep(&(struct timespec){ .tv_nsec = (long)ms * 1000000 }, NULL);
}

static void work_long(struct task *t)
{
    struct job *job = CONTAINER(t, struct job, task);
    unsigned now = atomic_fetch_add(&running, 1) + 1;
    unsigned most = atomic_load(&most_running);

    while (now > most && !atomic_compare_exchange_weak(&most_running, &most, now))
        continue;
    sleep_ms(20);
    atomic_fetch_sub(&running, 1);
    job->worked++;
    job->worker = pthread_self();
}

static void work_short(struct task *t)
{
    CONTAINER(t, struct job, task)->worked++;
}

static void on_done(struct task *t)
{
    struct job *job = CONTAINER(t, struct job, task);

    job->done++;
    if (job->again) {
        job->again = false;
        assert_true(threads_post(pool, t));
    }
}

static void job_init(struct job *job, void (*work)(struct task *t))
{
    *job = (struct job){ .task = { .work = work, .done = on_done } };
}

static void wait_for_all(void)
{
    while (threads_pending() > 0)
        loop_turn(5000);
}

static int setup(void **state)
{
    (void)state;
    atomic_store(&most_running, 0);
    return loop_init(NULL, 16) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    threads_fini();
    loop_fini();
    return 0;
}

static void test_work(void **state)
{
    static struct job jobs[1000];

    (void)state;
    pool = threads_pool(STR("default"), 4, 65536);
    assert_non_null(pool);
    assert_ptr_equal(threads_pool(STR("default"), 4, 65536), pool);
    assert_ptr_not_equal(threads_pool(STR("other"), 1, 10), pool);
    for (unsigned i = 0; i < 1000; i++) {
        job_init(&jobs[i], work_short);
        jobs[i].again = i % 10 == 0;
        assert_true(threads_post(pool, &jobs[i].task));
    }
    assert_int_equal(threads_pending(), 1000);
    wait_for_all();
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(jobs[i].worked, i % 10 == 0 ? 2 : 1);
        assert_int_equal(jobs[i].done, jobs[i].worked);
    }
}

static void test_in_parallel(void **state)
{
    struct job jobs[8];

    (void)state;
    pool = threads_pool(STR("default"), 4, 65536);
    for (unsigned i = 0; i < 8; i++) {
        job_init(&jobs[i], work_long);
        assert_true(threads_post(pool, &jobs[i].task));
    }
    wait_for_all();
    assert_int_equal(atomic_load(&most_running), 4);
    for (unsigned i = 0; i < 8; i++)
        assert_false(pthread_equal(jobs[i].worker, pthread_self()));
}

static unsigned ticks;

static void on_tick(struct timer *t)
{
    ticks++;
    timer_set(t, 1);
}

/* The loop goes on while all threads are busy. */
static void test_loop_is_free(void **state)
{
    struct job jobs[5];
    struct timer timer;

    (void)state;
    pool = threads_pool(STR("default"), 1, 65536);
    timer_init(&timer, on_tick);
    timer_set(&timer, 1);
    ticks = 0;
    for (unsigned i = 0; i < 5; i++) {
        job_init(&jobs[i], work_long);
        threads_post(pool, &jobs[i].task);
    }
    wait_for_all();
    assert_int_equal(atomic_load(&most_running), 1);
    assert_true(ticks >= 20);   /* 100 in theory */
    timer_cancel(&timer);
}

static void test_max_queue(void **state)
{
    struct job jobs[6];
    unsigned taken = 0;

    (void)state;
    pool = threads_pool(STR("default"), 1, 2);
    job_init(&jobs[0], work_long);
    assert_true(threads_post(pool, &jobs[0].task));
    while (atomic_load(&running) == 0)
        sleep_ms(1);
    for (unsigned i = 1; i < 6; i++) {
        job_init(&jobs[i], work_long);
        taken += threads_post(pool, &jobs[i].task);
    }
    assert_int_equal(taken, 2);
    assert_int_equal(threads_pending(), 3);
    wait_for_all();
    assert_int_equal(jobs[2].done, 1);
    assert_int_equal(jobs[3].done, 0);
}

static void test_resize(void **state)
{
    static const unsigned sizes[] = { 1, 6, 2, 3, 1, 4 };

    (void)state;
    for (unsigned n = 0; n < sizeof sizes / sizeof *sizes; n++) {
        struct job jobs[12];
        atomic_store(&most_running, 0);
        struct thread_pool *same = threads_pool(STR("default"), sizes[n], 65536);
        assert_true(n == 0 || same == pool);
        pool = same;
        for (unsigned i = 0; i < 12; i++) {
            job_init(&jobs[i], work_long);
            assert_true(threads_post(pool, &jobs[i].task));
        }
        wait_for_all();
        assert_int_equal(atomic_load(&most_running), sizes[n]);
    }
}

/* Threads end after what they have in hand; what waits is not begun. */
static void test_fini(void **state)
{
    static struct job jobs[50];

    (void)state;
    pool = threads_pool(STR("default"), 2, 65536);
    for (unsigned i = 0; i < 50; i++) {
        job_init(&jobs[i], work_long);
        threads_post(pool, &jobs[i].task);
    }
    while (atomic_load(&running) < 2)
        sleep_ms(1);
    threads_fini();
    assert_int_equal(atomic_load(&running), 0);
    assert_int_equal(threads_pending(), 0);
    assert_int_equal(jobs[0].worked, 1);
    assert_int_equal(jobs[49].worked, 0);
    loop_turn(0);
    assert_int_equal(jobs[0].done, 0);
}

static atomic_int signalled_in;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&signalled_in, (int)getpid());
}

static void work_signals(struct task *t)
{
    sigset_t blocked;

    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    CONTAINER(t, struct job, task)->worked = sigismember(&blocked, SIGUSR1) == 1 &&
                                             sigismember(&blocked, SIGTERM) == 1;
}

static void test_signals(void **state)
{
    struct sigaction act = { .sa_handler = on_signal }, before;
    struct job job;
    sigset_t blocked;

    (void)state;
    pool = threads_pool(STR("default"), 1, 10);
    job_init(&job, work_signals);
    threads_post(pool, &job.task);
    wait_for_all();
    assert_int_equal(job.worked, 1);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    assert_int_equal(sigismember(&blocked, SIGUSR1), 0);
    sigaction(SIGUSR1, &act, &before);
    kill(getpid(), SIGUSR1);
    assert_int_equal(atomic_load(&signalled_in), (int)getpid());
    sigaction(SIGUSR1, &before, NULL);
}

static int child_works(void)
{
    struct job job;

    if (!loop_after_fork())
        return 1;
    threads_after_fork();
    if (threads_pending() != 0)
        return 2;
    pool = threads_pool(STR("default"), 2, 10);
    if (!pool)
        return 3;
    job_init(&job, work_short);
    if (!threads_post(pool, &job.task))
        return 4;
    wait_for_all();
    if (job.done != 1)
        return 5;
    threads_fini();
    return 0;
}

static void test_fork(void **state)
{
    struct job jobs[3];
    int status;

    (void)state;
    pool = threads_pool(STR("default"), 1, 10);
    for (unsigned i = 0; i < 3; i++) {
        job_init(&jobs[i], work_long);
        threads_post(pool, &jobs[i].task);
    }
    pid_t child = fork();
    if (child == 0)
        _exit(child_works());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    wait_for_all();
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(jobs[i].done, 1);
}

int main(void)
{
#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_LOOP(test_work),      WITH_LOOP(test_in_parallel), WITH_LOOP(test_loop_is_free),
        WITH_LOOP(test_max_queue), WITH_LOOP(test_resize),      WITH_LOOP(test_fini),
        WITH_LOOP(test_signals),   WITH_LOOP(test_fork),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Tests of src/base/zone.c and stats.c: memory that processes share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/stats.h"
#include "base/zone.h"

enum { SIZE = 1 << 20, SLOTS = 400 };

static uint64_t seed = 0x9e3779b97f4a7c15u;

static unsigned random_below(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 11) % n;
}

struct piece {
    unsigned char *at;
    size_t size;
    unsigned char mark;
};

static void check_piece(const struct piece *p)
{
    for (size_t i = 0; i < p->size; i++)
        assert_int_equal(p->at[i], p->mark);
}

static size_t random_size(void)
{
    static const unsigned most[] = { 16, 100, 1000, 2032, 5000, 40000 };

    return 1 + random_below(most[random_below(6)]);
}

/* Pieces never overlap, and all comes back: after everything is freed, the whole zone is one span.
 * */
static void test_alloc_model(void **state)
{
    static struct piece pieces[SLOTS];
    struct zone *z;
    size_t whole;
    void *all;
    int fd;

    (void)state;
    z = zone_create(SIZE, &fd);
    assert_non_null(z);
    zone_lock(z);
    whole = zone_free_bytes(z);
    assert_true(whole > SIZE * 9 / 10);
    for (unsigned step = 0; step < 60000; step++) {
        struct piece *p = &pieces[random_below(SLOTS)];

        if (p->at) {
            check_piece(p);
            zone_free(z, p->at);
            p->at = NULL;
            continue;
        }
        p->size = random_size();
        p->mark = (unsigned char)step;
        p->at = zone_alloc(z, p->size);
        if (!p->at)
            continue;
        assert_int_equal((uintptr_t)p->at % 16, 0);
        assert_true((char *)p->at > (char *)z && (char *)p->at + p->size <= (char *)z + SIZE);
        memset(p->at, p->mark, p->size);
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        if (pieces[i].at) {
            check_piece(&pieces[i]);
            zone_free(z, pieces[i].at);
        }
    }
    assert_int_equal(zone_free_bytes(z), whole);
    all = zone_alloc(z, whole);
    assert_non_null(all);
    assert_null(zone_alloc(z, 16));
    zone_free(z, all);
    assert_null(zone_alloc(z, whole + 1));
    assert_null(zone_alloc(z, SIZE_MAX));
    zone_unlock(z);
    close(fd);
    zone_destroy(z, SIZE);
}

/* Small pieces fill nearly all of it. */
static void test_alloc_small(void **state)
{
    struct zone *z;
    unsigned count = 0;
    int fd;

    (void)state;
    z = zone_create(1, &fd);
    assert_non_null(z);
    assert_int_equal(zone_size(z), ZONE_MIN_SIZE);
    zone_lock(z);
    while (zone_alloc(z, 64))
        count++;
    assert_true(count * 64 > ZONE_MIN_SIZE * 8 / 10);
    zone_unlock(z);
    close(fd);
    zone_destroy(z, 1);
}

static void test_places(void **state)
{
    struct zone *z[4];
    int fd[4];

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        z[i] = zone_create(SIZE, &fd[i]);
        assert_non_null(z[i]);
        for (unsigned j = 0; j < i; j++)
            assert_ptr_not_equal(z[i], z[j]);
    }
    struct zone *hole = z[1];
    zone_destroy(z[1], SIZE);
    close(fd[1]);
    z[1] = zone_create(SIZE / 2, &fd[1]);
    assert_ptr_equal(z[1], hole);              /* first fit */
    for (unsigned i = 0; i < 4; i++) {
        close(fd[i]);
        zone_destroy(z[i], i == 1 ? SIZE / 2 : SIZE);
    }
    assert_false(zone_map((struct zone *)(uintptr_t)4096, SIZE, 0));
}

struct counter {
    unsigned value;
    struct counter *self;
};

static unsigned inits;

static bool init_counter(struct zone *z, void *data)
{
    struct counter *c = zone_alloc(z, sizeof *c);

    inits++;
    assert_ptr_equal(data, &inits);
    if (!c)
        return false;
    *c = (struct counter){ 0, c };
    zone_set_root(z, c);
    return true;
}

static struct zone *make_counter(int *fd)
{
    struct zone *z = zone_create(SIZE, fd);

    assert_non_null(z);
    assert_null(zone_root(z));
    zone_set_init(z, init_counter, &inits);
    zone_lock(z);
    assert_true(init_counter(z, &inits));
    zone_unlock(z);
    return z;
}

/* Four processes count; one of them maps the zone by its descriptor, as a running worker does. */
static void test_processes(void **state)
{
    enum { PROCESSES = 4, TIMES = 20000 };
    struct counter *c;
    struct zone *z;
    int fd;

    (void)state;
    z = make_counter(&fd);
    for (unsigned i = 0; i < PROCESSES; i++) {
        if (fork() != 0)
            continue;
        if (i == 0) {
            zone_unmap(z, SIZE);
            if (!zone_map(z, SIZE, fd))
                _exit(1);
        }
        for (unsigned n = 0; n < TIMES; n++) {
            zone_lock(z);
            c = zone_root(z);
            c->self->value++;
            zone_unlock(z);
        }
        _exit(0);
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        int status;

        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    c = zone_root(z);
    assert_int_equal(c->value, PROCESSES * TIMES);
    close(fd);
    zone_destroy(z, SIZE);
}

/* A process dies inside the lock: the next one finds the zone emptied and set up again. */
static void test_death_inside(void **state)
{
    struct counter *c;
    struct zone *z;
    unsigned epoch;
    int fd, status;

    (void)state;
    inits = 0;
    z = make_counter(&fd);
    epoch = zone_epoch(z);
    for (unsigned round = 1; round <= 3; round++) {
        c = zone_root(z);
        c->value = 7;
        if (fork() == 0) {
            zone_lock(z);
            for (unsigned i = 0; i < 100; i++)
                zone_alloc(z, 1000);
            kill(getpid(), SIGKILL);
        }
        assert_true(wait(&status) > 0);
        assert_true(WIFSIGNALED(status));
        zone_lock(z);
        c = zone_root(z);
        assert_int_equal(c->value, 0);
        assert_ptr_equal(c->self, c);
        assert_int_equal(zone_epoch(z), epoch + round);
        assert_int_equal(inits, 1 + round);
        zone_unlock(z);
        zone_lock(z);
        zone_unlock(z);
        assert_int_equal(zone_epoch(z), epoch + round);
    }
    close(fd);
    zone_destroy(z, SIZE);
}

static void test_stats(void **state)
{
    static struct stats_slot slots[3];

    (void)state;
    stats_share(slots, 3, 0);
    stats_add(STAT_ACCEPTED, 5);
    stats_add(STAT_WAITING, 2);
    stats_share(slots, 3, 2);
    stats_add(STAT_ACCEPTED, 1);
    stats_add(STAT_WAITING, 3);
    stats_add(STAT_WAITING, -1);
    assert_int_equal(stats_sum(STAT_ACCEPTED), 6);
    assert_int_equal(stats_sum(STAT_WAITING), 4);
    stats_retire(&slots[0]);
    assert_int_equal(stats_sum(STAT_ACCEPTED), 6);
    assert_int_equal(stats_sum(STAT_WAITING), 2);
}

static int reserve(void **state)
{
    (void)state;
    return zone_reserve() > 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc_model), cmocka_unit_test(test_alloc_small),
        cmocka_unit_test(test_places),      cmocka_unit_test(test_processes),
        cmocka_unit_test(test_death_inside), cmocka_unit_test(test_stats),
    };

    return cmocka_run_group_tests(tests, reserve, NULL);
}

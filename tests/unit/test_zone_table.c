/* Tests of src/base/zone_table.c: a table in shared memory that makes room by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "base/zone_table.h"

enum { SIZE = 64 * 1024 };

struct data {
    unsigned number;
    unsigned char rest[20];
};

static struct zone *new_table(void)
{
    int fd;
    struct zone *z = zone_create(SIZE, &fd);

    assert_non_null(z);
    close(fd);
    assert_true(zone_table_init(z, sizeof(struct data)));
    return z;
}

static struct str key_of(unsigned i, char *space, size_t size)
{
    return (struct str){ space, (size_t)snprintf(space, size, "key %u", i) };
}

static struct data *find(struct zone *z, unsigned i)
{
    char space[32];

    return zone_table_find(z, key_of(i, space, sizeof space));
}

static struct data *add(struct zone *z, unsigned i, bool (*can_go)(const void *))
{
    char space[32];
    struct data *d = zone_table_add(z, key_of(i, space, sizeof space), can_go);

    if (d)
        d->number = i;
    return d;
}

static void test_add_find_remove(void **state)
{
    struct zone *z = new_table();

    (void)state;
    assert_null(zone_table_oldest(z));
    for (unsigned i = 0; i < 100; i++) {
        assert_null(find(z, i));
        struct data *d = add(z, i, NULL);
        assert_non_null(d);
        for (size_t k = 0; k < sizeof d->rest; k++)
            assert_int_equal(d->rest[k], 0);
    }
    assert_int_equal(zone_table_count(z), 100);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(find(z, i)->number, i);
    for (unsigned i = 0; i < 100; i += 2)
        zone_table_remove(z, find(z, i));
    assert_int_equal(zone_table_count(z), 50);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(find(z, i) != NULL, i % 2);
    zone_destroy(z, SIZE);
}

/* Keys are bytes: empty ones and NULs too, and one does not stand for a longer one. */
static void test_keys(void **state)
{
    struct zone *z = new_table();
    void *empty = zone_table_add(z, STR(""), NULL);
    void *nul = zone_table_add(z, (struct str){ "a\0b", 3 }, NULL);
    void *a = zone_table_add(z, STR("a"), NULL);

    (void)state;
    assert_ptr_equal(zone_table_find(z, STR("")), empty);
    assert_ptr_equal(zone_table_find(z, (struct str){ "a\0b", 3 }), nul);
    assert_ptr_equal(zone_table_find(z, STR("a")), a);
    assert_null(zone_table_find(z, (struct str){ "a\0c", 3 }));
    zone_destroy(z, SIZE);
}

/* Ten times what fits: the newest are there, and one that is asked for all the time stays. */
static void test_oldest_goes(void **state)
{
    struct zone *z = new_table();

    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        assert_non_null(add(z, i, NULL));
        assert_non_null(find(z, 0));
    }
    unsigned count = zone_table_count(z);
    assert_in_range(count, 200, 2000);
    for (unsigned i = 9999; i > 10000 - count / 2; i--)
        assert_non_null(find(z, i));
    assert_null(find(z, 1));
    zone_destroy(z, SIZE);
}

static bool is_odd(const void *data)
{
    return ((const struct data *)data)->number % 2;
}

static bool never(const void *data)
{
    (void)data;
    return false;
}

static void test_who_can_go(void **state)
{
    struct zone *z = new_table();
    unsigned fit = 0;

    (void)state;
    while (add(z, fit, never))
        fit++;
    assert_int_equal(zone_table_count(z), fit);
    assert_non_null(add(z, fit, is_odd));
    assert_null(find(z, 1));
    assert_non_null(find(z, 0));
    zone_destroy(z, SIZE);
}

/* One huge key puts nobody out. */
static void test_huge_key(void **state)
{
    static char huge[ZONE_TABLE_MAX_KEY];
    struct zone *z = new_table();

    (void)state;
    add(z, 1, NULL);
    assert_null(zone_table_add(z, (struct str){ huge, sizeof huge }, NULL));
    assert_non_null(find(z, 1));
    assert_non_null(zone_table_add(z, (struct str){ huge, 3000 }, NULL));
    zone_destroy(z, SIZE);
}

static void test_extra(void **state)
{
    struct zone *z = new_table();

    (void)state;
    assert_null(*zone_table_extra(z));
    *zone_table_extra(z) = z;
    add(z, 1, NULL);
    assert_ptr_equal(*zone_table_extra(z), z);
    zone_destroy(z, SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_find_remove), cmocka_unit_test(test_keys),
        cmocka_unit_test(test_oldest_goes),     cmocka_unit_test(test_who_can_go),
        cmocka_unit_test(test_huge_key),        cmocka_unit_test(test_extra),
    };

    zone_reserve();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Tests of src/config/names.c: a name is asked for once, and a worker finds the answer in the bundle.
 */
#include "test_config/load.h"

#include "config/bundle.h"
#include "config/names.h"

struct resolving {
    struct config config;
    struct setting setting;
};

static void start(struct resolving *r, const struct bundle *packed)
{
    *r = (struct resolving){ .config = { .generation = generation_new(), .packed = packed } };
    arena_init(&r->config.scratch);
    r->setting.config = &r->config;
}

static void end(struct resolving *r)
{
    arena_fini(&r->config.scratch);
    generation_unref(r->config.generation);
}

static void assert_address(const struct address *a, const char *text)
{
    char space[80];
    struct out o = out_fixed(space, sizeof space - 1);

    address_put(&o, a);
    *o.at = '\0';
    assert_string_equal(space, text);
}

static const char answer[] = "\4\xc0\0\2\1\x10\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1";

/* The names are none that the system knows. */
static void in_a_bundle(void **state)
{
    struct bundle_file files[] = {
        { .path = STR("name:here.invalid"), .content = { answer, sizeof answer - 1 } },
        { .path = STR("name:gone.invalid"), .content = STR("\0no such thing") },
    };
    struct bundle b = { .files = { files, 2, 2 } };
    struct names_found found;
    struct resolving r;

    (void)state;
    start(&r, &b);
    assert_true(names_find(&r.setting, STR("here.invalid"), 80, &found));
    assert_int_equal(found.count, 2);
    assert_address(&found.items[0], "192.0.2.1:80");
    assert_address(&found.items[1], "[2001:db8::1]:80");
    assert_false(names_find(&r.setting, STR("gone.invalid"), 80, &found));
    assert_true(str_eq(found.problem, STR("no such thing")));
    assert_false(names_find(&r.setting, STR(""), 80, &found));
    end(&r);
}

static void in_the_master(void **state)
{
    struct names_found found, again;
    struct resolving r;

    (void)state;
    start(&r, NULL);
    assert_true(names_find(&r.setting, STR("127.0.0.1"), 8080, &found));
    assert_true(names_find(&r.setting, STR("127.0.0.1"), 1, &again));
    assert_address(&found.items[0], "127.0.0.1:8080");
    assert_address(&again.items[0], "127.0.0.1:1");
    assert_int_equal(r.config.generation->files.count, 1);
    assert_true(str_eq(r.config.generation->files.items[0].path, STR("name:127.0.0.1")));
    assert_true(str_eq(r.config.generation->files.items[0].content, STR("\4\x7f\0\0\1")));
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_a_bundle),
        cmocka_unit_test(in_the_master),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Parts of the proxy: conditions of directives, trailers of chunked bodies.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "http/v1/v1_parse.h"
#include "script/conditions.h"

static struct template text(const char *s)
{
    return (struct template){ .text = str_of(s) };
}

static struct conditions conditions(struct arena *a, const char *first, const char *second)
{
    struct conditions c = { 0 };

    *ARRAY_PUSH(&c.list, a) = text(first);
    *ARRAY_PUSH(&c.list, a) = text(second);
    return c;
}

static void test_any_and_all(void **state)
{
    static const struct {
        const char *first, *second;
        bool any, all;
    } cases[] = {
        { "", "0", false, false }, { "1", "0", true, false }, { "", "00", true, false },
        { "no", "x", true, true }, { "0", "0", false, false },
    };
    struct conditions none = { 0 };
    struct arena a;

    (void)state;
    arena_init(&a);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct conditions c = conditions(&a, cases[i].first, cases[i].second);
        assert_int_equal(conditions_any(&c, NULL), cases[i].any);
        assert_int_equal(conditions_all(&c, NULL), cases[i].all);
    }
    assert_false(conditions_any(&none, NULL));
    assert_true(conditions_all(&none, NULL));
    arena_fini(&a);
}

/* The lines of trailers, however the body is cut into pieces. */
static void test_trailers(void **state)
{
    const struct str body = STR("3\r\nabc\r\n0;x=y\r\nA: b\r\nC-D:\te\r\n\r\n");
    char space[64];

    (void)state;
    for (size_t cut = 1; cut <= body.len; cut++) {
        struct out trailers = out_fixed(space, sizeof space);
        struct v1_chunks chunks = { .trailers = &trailers };
        struct str left = body, data;
        while (left.len) {
            size_t used, n = left.len < cut ? left.len : cut;
            assert_true(v1_chunks_next(&chunks, str_first(left, n), &used, &data));
            left = str_from(left, used + data.len);
        }
        assert_int_equal(chunks.state, CHUNK_DONE);
        assert_true(str_eq(out_str_of(&trailers), STR("A: b\r\nC-D:\te\r\n")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_and_all),
        cmocka_unit_test(test_trailers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Tests of src/http/modules/charset_map.c: tables, and conversion in pieces of any size.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "config/resolve.h"
#include "http/modules/charset_map.h"

static struct charset_maps maps;

static const struct directive rows[] = {
    { "charset_map", IN_MAIN, ARGS(2), &type_charset_map, .offset = 0, .size = sizeof maps,
      .flags = REPEATS | FREE_BLOCK, .help = "A table." },
    { 0 },
};

static struct module test_module = {
    .name = "test", .directives = rows, .conf_size = sizeof maps,
};

static struct generation *generation;

static int load(void **state)
{
    static struct module *const list[] = { &test_module, NULL };
    struct diag d;

    (void)state;
    diag_init(&d);
    modules_init(list);
    struct tree *t = tree_parse(
        STR("test.conf"),
        STR("charset_map one utf-8 { C1 D0B0; c2 d0b1; 80 e29480; 7f 41; }"
            "charset_map A B { 58 59; e0 C1; }"), &d);
    generation = config_resolve(t, STR("/"), STR("/"), &d);
    assert_int_equal(d.errors, 0);
    tree_free(t);
    diag_fini(&d);
    maps = *(struct charset_maps *)generation->main->conf[test_module.index];
    return 0;
}

static int unload(void **state)
{
    (void)state;
    generation_unref(generation);
    return 0;
}

/* Converts `text`, `step` bytes at a time, into a space with room for little more than a character. */
static size_t recode(struct charset_recoding c, struct str text, size_t step, char *result)
{
    size_t len = 0;

    while (text.len > 0) {
        struct str piece = str_first(text, text.len < step ? text.len : step);
        text = str_from(text, piece.len);
        while (piece.len > 0) {
            char space[CHARSET_CHAR_MAX + 3];
            struct out o = out_fixed(space, sizeof space);
            charset_recode(&c, &piece, &o);
            assert_false(o.overflow);
            memcpy(result + len, space, out_len(&o));
            len += out_len(&o);
        }
    }
    char space[CHARSET_CHAR_MAX];
    struct out o = out_fixed(space, sizeof space);
    charset_end(&c, &o);
    memcpy(result + len, space, out_len(&o));
    return len + out_len(&o);
}

static void check(const char *from, const char *to, struct str text, const char *want)
{
    struct charset_recoding c;
    char result[1024];

    assert_true(charset_find(&maps, str_of(from), str_of(to), &c));
    for (size_t step = 1; step <= text.len; step++) {
        size_t len = recode(c, text, step, result);
        assert_int_equal(len, strlen(want));
        assert_memory_equal(result, want, len);
    }
}

static void bytes(void **state)
{
    (void)state;
    check("A", "B", STR("aX\xe0\xff."), "aY\xc1?.");
    check("b", "a", STR("aY\xc1X"), "aX\xe0X");
}

static void to_utf8(void **state)
{
    (void)state;
    check("one", "UTF-8", STR("a\xc1\xc2\x80\xff\x7f"), "aаб─?A");
}

static void from_utf8(void **state)
{
    (void)state;
    check("utf-8", "ONE", STR("aаб─."), "a\xc1\xc2\x80.");
    check("utf-8", "one", STR("я😀\xf4\x8f\xbf\xbf"), "&#1103;&#128512;&#1114111;");
    check("utf-8", "one", STR("\xff.\xc0\x80.\xe2\x94.\xed\xa0\x80.\xf5"), "?.??.?.?.?");
    check("utf-8", "one", STR("\xe0\x80\xaf.\xf4\x90\x80\x80.\xe2\xd0\xb0"), "?.?.?\xc1");
    check("utf-8", "one", STR("a\xe2\x94"), "a?");
}

static void unknown(void **state)
{
    struct charset_recoding c;

    (void)state;
    assert_false(charset_find(&maps, STR("one"), STR("A"), &c));
    assert_false(charset_find(&maps, STR(""), STR("A"), &c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes),
        cmocka_unit_test(to_utf8),
        cmocka_unit_test(from_utf8),
        cmocka_unit_test(unknown),
    };

    return cmocka_run_group_tests(tests, load, unload);
}

/*
 * test_filters: the pure logic of filters: weights of codings, texts of sub_filter, commands of SSI.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/out.h"
#include "http/modules/accept_encoding.h"
#include "http/modules/scratch.h"
#include "http/modules/ssi/ssi_parse.h"
#include "http/modules/sub_match.h"

static void assert_text(struct str s, const char *expected)
{
    assert_int_equal(s.len, strlen(expected));
    if (s.len)
        assert_memory_equal(s.data, expected, s.len);
}

static void test_accept_encoding(void **state)
{
    static const struct {
        const char *field;
        unsigned weight;
    } cases[] = {
        { "gzip", 1000 }, { "deflate,GZip ;Q=0.5", 500 }, { "gzip;q=0.123", 123 },
        { "gzip;q=1.000", 1000 }, { "gzip;q=0", 0 }, { "gzip;q=0.", 0 }, { "gzip;q=1.", 1000 },
        { "gzip;q=1.001", 0 }, { "gzip;q=0.1234", 0 }, { "gzip;q=-1", 0 }, { "gzip;q", 0 },
        { "gzip;q=", 0 }, { "gzip;x=y", 1000 }, { "gzip;x=y; q = 0.2", 200 }, { "x-gzip, *", 0 },
        { "gzipx", 0 }, { "gzi", 0 }, { "", 0 }, { ",,gzip", 1000 }, { "gzip;q=0,gzip", 0 },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(accept_encoding_weight(str_of(cases[i].field), STR("gzip")),
                         cases[i].weight);
    assert_int_equal(accept_encoding_weight((struct str){ NULL, 0 }, STR("gzip")), 0);
}

static void test_scratch(void **state)
{
    (void)state;
    void *a = scratch_take(5000);
    assert_non_null(a);
    assert_int_equal((uintptr_t)a % _Alignof(max_align_t), 0);
    memset(a, 1, 5000);
    scratch_give(a);
    assert_ptr_equal(scratch_take(6000), a);
    scratch_give(a);
    void *large = scratch_take(40 << 20);
    memset(large, 1, 40 << 20);
    scratch_give(large);
    scratch_give(NULL);
}

/* Replaces by "[i]" with the text coming in pieces of `size` bytes, as sub.c does. */
static struct str replace(struct arena *a, struct sub_texts *t, struct str text, size_t size)
{
    struct out o = out_growing(a, 1 << 20);
    size_t from = 0, to = 0;

    while (from < text.len || to < text.len) {
        size_t at = 0;
        unsigned which = 0;
        bool last = to + size >= text.len;
        to = last ? text.len : to + size;
        for (;;) {
            struct str rest = { text.data + from, to - from };
            enum sub_found found = sub_match(t, rest, last, &at, &which);
            out_bytes(&o, rest.data, found == SUB_NONE ? rest.len : at);
            from += found == SUB_NONE ? rest.len : at;
            if (found != SUB_FOUND)
                break;
            out_printf(&o, "[%u]", which);
            from += t->items[which].text.len;
        }
    }
    return out_str_of(&o);
}

static void test_sub_match(void **state)
{
    static const struct {
        const char *texts[4], *subject, *result;
    } cases[] = {
        { { "one" }, "oNe two onone", "[0] two on[0]" },
        { { "abab" }, "abaabab", "aba[0]" },
        { { "ab", "abc", "bc" }, "ABCabbcxabc", "[0]C[0][2]x[0]c" },
        { { "abc", "ab" }, "ababcab", "[1][0][1]" },
        { { "", "x" }, "axb", "a[1]b" },
        { { "longer than the subject" }, "longer", "longer" },
        { { "a" }, "", "" },
        { { "[}" }, "{][}", "{][0]" },
    };
    struct arena a;

    (void)state;
    arena_init(&a);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct str texts[4];
        unsigned count = 0;
        while (count < 4 && cases[i].texts[count]) {
            texts[count] = str_of(cases[i].texts[count]);
            count++;
        }
        for (size_t size = 1; size < 30; size++) {
            struct sub_texts t;
            sub_texts_init(&t, &a, texts, count);
            assert_text(replace(&a, &t, str_of(cases[i].subject), size), cases[i].result);
        }
    }
    struct str text = STR("one");
    struct sub_texts t;
    sub_texts_init(&t, &a, &text, 1);
    assert_true(sub_texts_left(&t));
    sub_texts_drop(&t, 0);
    assert_false(sub_texts_left(&t));
    assert_text(replace(&a, &t, STR("one"), 2), "one");
    arena_fini(&a);
}

static void test_ssi_parse(void **state)
{
    static const struct {
        const char *text;
        bool last;
        enum ssi_found found;
        size_t start, end;
    } cases[] = {
        { "", true, SSI_NONE, 0, 0 },
        { "plain", false, SSI_NONE, 5, 5 },
        { "a<!-- x -->", true, SSI_NONE, 11, 11 },
        { "a<", false, SSI_MORE, 1, 1 },
        { "a<", true, SSI_NONE, 2, 2 },
        { "a<<!--", false, SSI_MORE, 2, 2 },
        { "a<!--#x", false, SSI_MORE, 1, 1 },
        { "a<!--#x -->b", false, SSI_COMMAND, 1, 11 },
        { "<!--#x-->", false, SSI_COMMAND, 0, 9 },
        { "<!--# x a=\"b\" c = 'd' -->", false, SSI_COMMAND, 0, 25 },
        { "<!--#x a=\"b\\\"-->\"-->", false, SSI_COMMAND, 0, 20 },
        { "<!--#x a=\"b-->", false, SSI_MORE, 0, 0 },
        { "<!--#x a=\"b-->", true, SSI_BAD, 0, 14 },
        { "<!--#x a=b-->.", false, SSI_BAD, 0, 13 },
        { "<!--#x a=b-", false, SSI_MORE, 0, 0 },
        { "<!--#-->.", false, SSI_BAD, 0, 8 },
        { "<!--#x -", true, SSI_BAD, 0, 8 },
        { "<!--#x a='12345678901'-->", false, SSI_BAD, 0, 25 },
        { "<!--#abcdefghijklmnopqrstuvwxyzabcdefgh-->", false, SSI_BAD, 0, 42 },
    };
    struct ssi_command c;
    size_t start, end;
    const char *why;

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(ssi_parse(str_of(cases[i].text), cases[i].last, 10, &c, &start, &end, &why),
                         cases[i].found);
        assert_int_equal(start, cases[i].start);
        if (cases[i].found != SSI_MORE)
            assert_int_equal(end, cases[i].end);
    }
    ssi_parse(STR("<!--#echo var=\"a b\" default='' -->"), true, 10, &c, &start, &end, &why);
    assert_text(c.name, "echo");
    assert_int_equal(c.count, 2);
    assert_text(*ssi_param(&c, "var"), "a b");
    assert_text(*ssi_param(&c, "default"), "");
    assert_null(ssi_param(&c, "encoding"));
}

static void test_ssi_expression(void **state)
{
    struct ssi_expression e;

    (void)state;
    assert_true(ssi_parse_expression(STR(" $a "), &e));
    assert_int_equal(e.operator, SSI_TRUE);
    assert_text(e.left, "$a");
    assert_true(ssi_parse_expression(STR("$a != b c "), &e));
    assert_int_equal(e.operator, SSI_NOT_EQUAL);
    assert_text(e.left, "$a");
    assert_text(e.right, "b c");
    assert_true(ssi_parse_expression(STR("$a=/x=y/"), &e));
    assert_true(e.regex);
    assert_text(e.right, "x=y");
    assert_false(ssi_parse_expression(STR("$a = /x"), &e));
    assert_false(ssi_parse_expression(STR("$a = /"), &e));
    assert_true(ssi_parse_expression(STR("="), &e));
    assert_text(e.left, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept_encoding),
        cmocka_unit_test(test_scratch),
        cmocka_unit_test(test_sub_match),
        cmocka_unit_test(test_ssi_parse),
        cmocka_unit_test(test_ssi_expression),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Unit tests of src/base/regex: semantics, errors, names, limits, sets.  What PCRE2 would answer is
 * compared at large in tests/regex; here stands what must hold without it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/regex/regex.h"
#include "base/regex/regex_backtrack.h"
#include "base/regex/regex_dfa.h"
#include "base/regex/regex_pike.h"
#include "base/regex/regex_set.h"
#include "base/regex/regex_utf8.h"

enum { GROUPS = 8 };

static struct regex *compile(struct arena *a, const char *pattern, unsigned flags)
{
    struct regex_error error = { 0 };
    struct regex *re = regex_compile(a, str_of(pattern), flags, &error);

    if (!re)
        fail_msg("/%s/: %s at %zu", pattern, error.text, error.offset);
    return re;
}

/* The groups of the first match as "whole,first,second"; "-" for one that took no part. */
static const char *groups_of(const char *pattern, unsigned flags, const char *subject)
{
    static char text[512];
    size_t offsets[2 * GROUPS];
    struct arena a;
    size_t at = 0;

    arena_init(&a);
    struct regex *re = compile(&a, pattern, flags);
    enum regex_result result = regex_match(re, str_of(subject), offsets, GROUPS);
    assert_int_equal(regex_match(re, str_of(subject), NULL, 0), result);
    for (unsigned i = 0; result == REGEX_MATCH && i <= regex_captures(re); i++) {
        if (i > 0)
            text[at++] = ',';
        if (offsets[2 * i] == SIZE_MAX) {
            text[at++] = '-';
            continue;
        }
        size_t len = offsets[2 * i + 1] - offsets[2 * i];
        memcpy(text + at, subject + offsets[2 * i], len);
        at += len;
    }
    text[at] = '\0';
    regex_fini(re);
    arena_fini(&a);
    return result == REGEX_MATCH ? text : NULL;
}

struct row {
    const char *pattern;
    unsigned flags;
    const char *subject, *groups;   /* NULL: no match */
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *got = groups_of(rows[i].pattern, rows[i].flags, rows[i].subject);
        if (!got != !rows[i].groups || (got && strcmp(got, rows[i].groups) != 0))
            fail_msg("/%s/ on \"%s\": %s, not %s", rows[i].pattern, rows[i].subject,
                     got ? got : "no match", rows[i].groups ? rows[i].groups : "no match");
    }
}

#define CHECK_ROWS(rows) check_rows((rows), sizeof(rows) / sizeof *(rows))

static void test_regular(void **state)
{
    static const struct row rows[] = {
        { "\\.php$", 0, "/index.php", ".php" },
        { "\\.php$", 0, "/index.php\n", ".php" },
        { "\\.php\\z", 0, "/index.php\n", NULL },
        { "\\.php$", 0, "/index.php5", NULL },
        { "^/api/(v\\d+)/", 0, "/api/v12/x", "/api/v12/,v12" },
        { "\\.(gif|jpe?g|png)$", REGEX_CASELESS, "/A.JPG", ".JPG,JPG" },
        { "^(.+\\.php)(/.+)$", 0, "/a.php/b.php/c", "/a.php/b.php/c,/a.php/b.php,/c" },
        { "^(.+?\\.php)(/.+)$", 0, "/a.php/b.php/c", "/a.php/b.php/c,/a.php,/b.php/c" },
        { "a|ab", 0, "ab", "a" },
        { "(a|ab)(c|bcd)", 0, "abcd", "abcd,a,bcd" },
        { "(a)|(b)", 0, "b", "b,-,b" },
        { "([a-z]*)*", 0, "abc", "abc," },
        { "(a|)+", 0, "aa", "aa," },
        { "(?:|a)*", 0, "aaa", "" },
        { "(a*)+?b", 0, "aab", "aab,aa" },
        { "x{2,3}", 0, "xxxxx", "xxx" },
        { "x{2,3}?", 0, "xxxxx", "xx" },
        { "x{,3}", 0, "x{,3}", "x{,3}" },
        { "(?i)straSSe", 0, "STRASSE", "STRASSE" },
        { "a(?i)b|c", 0, "C", "C" },
        { "(?i:a)b", 0, "AB", NULL },
        { "(?x) a b # c\n c", 0, "abc", "abc" },
        { "(?s).\n.", 0, "a\nb", "a\nb" },
        { "a.b", 0, "a\nb", NULL },
        { "(?m)^b$", 0, "a\nb\nc", "b" },
        { "(?U)a+", 0, "aaa", "a" },
        { "\\bfoo\\b", 0, "a foo b", "foo" },
        { "\\Bo", 0, "foo", "o" },
        { "[[:alpha:]]+[^[:space:]]", 0, "12ab3 ", "ab3" },
        { "[]a]+[^]]", 0, "]a]b", "]a]b" },
        { "[\\w-.]+", 0, "/a-b.c/", "a-b.c" },
        { "\\Qa.b\\E+", 0, "aabbb a.bb", "a.bb" },
        { "\\x41\\x{42}\\103\\o{104}", 0, "ABCD", "ABCD" },
        { "(?|(a)|(b))(c)", 0, "bc", "bc,b,c" },
        { "foo\\Kbar", 0, "foobar", "bar" },
        { "", 0, "abc", "" },
        { "^$", 0, "", "" },
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void test_irregular(void **state)
{
    static const struct row rows[] = {
        { "/\\.(?!well-known)", 0, "/.git", "/." },
        { "/\\.(?!well-known)", 0, "/.well-known/x", NULL },
        { "(?=.*\\d)\\w+", 0, "ab1c", "ab1c" },
        { "(?<=/api)/v(\\d)", 0, "/v1/api/v2", "/v2,2" },
        { "(?<!a|bc)d", 0, "ad bcd xd", "d" },
        { "(?<n>a|b)\\k<n>", 0, "abb", "bb,b" },
        { "(\\w)\\1", 0, "abccd", "cc,c" },
        { "(a)\\g{-1}", 0, "xaa", "aa,a" },
        { "(?i)(a)\\1", 0, "xaA", "aA,a" },
        { "(a)?\\1b", 0, "b", NULL },
        { "(?>a+)ab", 0, "aaab", NULL },
        { "(?>a|ab)c", 0, "abc", NULL },
        { "a++b", 0, "aaab", "aaab" },
        { "a++ab", 0, "aaab", NULL },
        { "\\R", 0, "a\r\nb", "\r\n" },
        { "(?!(a))b\\1?", 0, "b", "b,-" },
        { "(?=(a))ab", 0, "ab", "ab,a" },
        { "(a\\1?){3}", 0, "aaaaaa", "aaaaaa,aaa" },
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void test_utf8(void **state)
{
    static const struct row rows[] = {
        { "^.$", REGEX_UTF8, "\xC3\xA9", "\xC3\xA9" },
        { "^..$", 0, "\xC3\xA9", "\xC3\xA9" },
        { "(*UTF8)^.$", 0, "\xE2\x82\xAC", "\xE2\x82\xAC" },
        { "(*UTF)[\\x{80}-\\x{10ffff}]+", 0, "a\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80" },
        { "\xC3\x89", REGEX_UTF8 | REGEX_CASELESS, "\xC3\xA9", "\xC3\xA9" },
        { "[^a]", REGEX_UTF8, "a\xD0\xB6", "\xD0\xB6" },
        { "(?<=\\x{e9})b", REGEX_UTF8, "\xC3\xA9" "b", "b" },
        { "\\B", REGEX_UTF8, "a\xC3\xA9", "" },
    };
    struct arena a;

    (void)state;
    CHECK_ROWS(rows);
    arena_init(&a);
    struct regex *re = compile(&a, "a", REGEX_UTF8);
    assert_int_equal(regex_match(re, STR("a\xFF"), NULL, 0), REGEX_BAD_UTF8);
    regex_fini(re);
    arena_fini(&a);
    assert_true(regex_utf8_valid(STR("a\xC3\xA9\xF4\x8F\xBF\xBF")));
    assert_false(regex_utf8_valid(STR("\xC0\x80")));
    assert_false(regex_utf8_valid(STR("\xED\xA0\x80")));
    assert_false(regex_utf8_valid(STR("\xE2\x82")));
}

/* The sequences that a range is cut into hold each of its characters, and nothing else. */
static void test_utf8_sequences(void **state)
{
    static const struct { uint32_t from, to; } ranges[] = {
        { 0, 0x10FFFF }, { 0x7F, 0x80 }, { 0x3FE, 0x1005 }, { 0xD7FF, 0xE001 }, { 0xFFFF, 0x10041 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        struct regex_utf8_sequence s;
        uint32_t from = ranges[i].from;
        uint64_t count = 0;
        while (regex_utf8_next_sequence(&from, ranges[i].to, &s)) {
            uint64_t product = 1;
            for (unsigned k = 0; k < s.length; k++)
                product *= (uint64_t)(s.last[k] - s.first[k]) + 1;
            count += product;
        }
        uint64_t surrogates = ranges[i].from < 0xD800 && ranges[i].to > 0xDFFF ? 0x800 : 0;
        assert_int_equal(count, ranges[i].to - ranges[i].from + 1 - surrogates);
    }
}

static void test_errors(void **state)
{
    static const struct {
        const char *pattern, *text;
        size_t offset;
    } rows[] = {
        { "a(b", "missing closing parenthesis", 2 },
        { "a)b", "unmatched closing parenthesis", 1 },
        { "*a", "nothing stands here to be repeated", 0 },
        { "a{2}{3}", "nothing stands here to be repeated", 4 },
        { "[a", "missing ] at the end of a class", 2 },
        { "[b-a]", "range out of order in a class", 1 },
        { "[[:foo:]]", "unknown POSIX class name", 3 },
        { "a\\", "\\ at the end of the pattern", 2 },
        { "\\y", "unknown escape: this letter means nothing after \\", 1 },
        { "(a)\\2", "reference to a group that does not exist", 3 },
        { "\\k<n>", "reference to a group that does not exist", 0 },
        { "(?<n>a)(?<n>b)", "two groups have the same name", 10 },
        { "(?<=a+)b", "look-behind must have a fixed length in each alternative", 4 },
        { "(?R)", "recursion is not supported", 2 },
        { "(a)(?1)", "subroutine calls are not supported", 5 },
        { "(?(1)a)", "conditional groups are not supported", 2 },
        { "(*SKIP)a", "(*...) is not supported, but for (*UTF) at the start", 1 },
        { "\\p{L}", "Unicode properties (\\p, \\P, \\X) are not supported", 1 },
        { "a{70000}", "number too large in a {} quantifier", 6 },
        { "a{3,2}", "numbers out of order in a {} quantifier", 6 },
        { "(\\w{1,99}){1,999}",
          "the pattern is too large once its repetitions are written out", 17 },
        { "\\x{100}", "character code is too large", 5 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a;
        struct regex_error error = { 0 };
        arena_init(&a);
        if (regex_compile(&a, str_of(rows[i].pattern), 0, &error))
            fail_msg("/%s/ compiled", rows[i].pattern);
        assert_string_equal(error.text, rows[i].text);
        if (error.offset != rows[i].offset)
            fail_msg("/%s/: offset %zu", rows[i].pattern, error.offset);
        arena_fini(&a);
    }
}

static void test_names(void **state)
{
    const struct regex_name *names;
    struct arena a;

    (void)state;
    arena_init(&a);
    struct regex *re = compile(&a, "(x)(?<first>a)(?P<second>b)(?'third'c)", 0);
    assert_int_equal(regex_captures(re), 4);
    assert_int_equal(regex_names(re, &names), 3);
    assert_true(str_eq(names[0].name, STR("first")) && names[0].group == 2);
    assert_true(str_eq(names[1].name, STR("second")) && names[1].group == 3);
    assert_true(str_eq(names[2].name, STR("third")) && names[2].group == 4);
    regex_fini(re);
    arena_fini(&a);
}

/* A text of `len` bytes, all of them 'a', in the arena. */
static struct str many(struct arena *a, size_t len)
{
    char *text = arena_alloc(a, len);

    memset(text, 'a', len);
    return (struct str){ text, len };
}

/* Patterns that take a backtracking matcher time beyond measure are answered, or given up soon. */
static void test_hostile(void **state)
{
    static const struct {
        const char *pattern;
        enum regex_result result;
    } rows[] = {
        { "(a+)+b", REGEX_NO_MATCH },
        { "((a*)*)*b", REGEX_NO_MATCH },
        { "(a|aa)+$", REGEX_MATCH },
        { "(a|a?)+b", REGEX_NO_MATCH },
        { "^(.*)(.*)(.*)(.*)[^a]$", REGEX_NO_MATCH },
        { "(x?a)*(a|aa)*y", REGEX_NO_MATCH },
        { "(?=(a+)+b)c", REGEX_NO_MATCH },
        { "(?=(a+)+b)a", REGEX_LIMIT },
        { "(a*)*\\1c", REGEX_NO_MATCH },
        { "(?:a?){200}a{200}$", REGEX_MATCH },
    };
    size_t offsets[2 * GROUPS];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a;
        arena_init(&a);
        struct regex *re = compile(&a, rows[i].pattern, 0);
        enum regex_result result = regex_match(re, many(&a, 20000), offsets, GROUPS);
        if (result != rows[i].result)
            fail_msg("/%s/: %d", rows[i].pattern, (int)result);
        regex_fini(re);
        arena_fini(&a);
    }
}

/* The matcher that is sent for last gives the same captures as the one that is sent for first. */
static void test_matchers_agree(void **state)
{
    static const char *const patterns[] = { "(a|b)*?(c+)(d)?", "^(.*?)(/+)(.*)$", "(a*)*b",
                                            "(?:(a)|b)+", "\\b(\\w+)\\W", "(a?)(a*)c" };
    static const char *const subjects[] = { "", "aabccd", "/a//b", "aaab", "abab", "x yz c",
                                            "aac" };
    struct arena a;

    (void)state;
    arena_init(&a);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        struct regex *re = compile(&a, patterns[i], 0);
        struct regex_pike *pike = regex_pike_new(regex_program(re));
        for (size_t k = 0; k < sizeof subjects / sizeof *subjects; k++) {
            size_t left[2 * GROUPS] = { 0 }, right[2 * GROUPS] = { 0 };
            struct str s = str_of(subjects[k]);
            bool found = regex_match(re, s, left, regex_captures(re) + 1) == REGEX_MATCH;
            assert_int_equal(regex_pike_match(pike, s, right), found);
            if (found)
                assert_memory_equal(left, right, 2 * (regex_captures(re) + 1) * sizeof *left);
        }
        regex_pike_free(pike);
        regex_fini(re);
    }
    arena_fini(&a);
}

static int first_of(const char *const *patterns, unsigned count, const char *subject, size_t limit)
{
    struct regex *list[16];
    struct arena a;

    arena_init(&a);
    for (unsigned i = 0; i < count; i++)
        list[i] = compile(&a, patterns[i], 0);
    struct regex_set *set = regex_set_new(&a, list, count);
    if (limit)
        regex_set_cache_limit(set, limit);
    int first = regex_set_match(set, str_of(subject));
    assert_int_equal(regex_set_match(set, str_of(subject)), first);
    regex_set_fini(set);
    for (unsigned i = 0; i < count; i++)
        regex_fini(list[i]);
    arena_fini(&a);
    return first;
}

static void test_set(void **state)
{
    static const char *const patterns[] = { "\\.php$", "^/api/", "\\.(gif|png)$", "/\\.(?!well)",
                                            "^/(.*)/\\1", "^/api/v1/", "b$" };
    static const size_t limits[] = { 0, 1, 1000 };
    static const struct {
        const char *subject;
        int first;
    } rows[] = {
        { "/x.php", 0 }, { "/api/x.php", 0 }, { "/api/v1/", 1 }, { "/a.png", 2 }, { "/.git", 3 },
        { "/.well/b", 6 }, { "/ab/ab", 4 }, { "/ab/ac", -1 }, { "", -1 }, { "/.git.png", 2 },
        { "/.well/.well", 4 },
    };

    (void)state;
    for (size_t l = 0; l < sizeof limits / sizeof *limits; l++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            assert_int_equal(first_of(patterns, 7, rows[i].subject, limits[l]), rows[i].first);
    }
    assert_int_equal(first_of(patterns, 0, "x", 0), REGEX_SET_NONE);
}

/* A pattern with many states, in a cache with room for few. */
static void test_small_cache(void **state)
{
    struct arena a;
    char text[4000];
    uint32_t random = 1;

    (void)state;
    arena_init(&a);
    for (size_t i = 0; i < sizeof text; i++) {
        random = random * 1664525 + 1013904223;
        text[i] = random >> 31 ? 'a' : 'b';
    }
    struct regex *re = compile(&a, "(?:a|b)*a(?:a|b){12}c", 0);
    regex_cache_limit(re, 3000);
    assert_int_equal(regex_match(re, (struct str){ text, sizeof text }, NULL, 0), REGEX_NO_MATCH);
    memcpy(text + 3000, "abbbbbbbbbbbbc", 14);
    assert_int_equal(regex_match(re, (struct str){ text, sizeof text }, NULL, 0), REGEX_MATCH);
    regex_fini(re);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regular),
        cmocka_unit_test(test_irregular),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_utf8_sequences),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_matchers_agree),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_small_cache),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

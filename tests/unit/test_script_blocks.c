/*
 * Tests of src/script/: the blocks map, geo and split_clients.
 */
#include "test_script/engine.h"

/* ---- map ---------------------------------------------------------------------------------------- */

static void map_texts(void **state)
{
    (void)state;
    load("http { map $in $out { default none; foo bar; Baz \"b $one\"; '' empty; \\default d;"
         "                      \\~x tilde; \\\\y back; *.x star; via $later; \\include i; }"
         "       map $in $later { default L; } text $out; }");
    assert_string_equal(text_for("foo"), "bar");
    assert_string_equal(text_for("FOO"), "bar");
    assert_string_equal(text_for("baz"), "b 1");
    assert_string_equal(text_for(""), "empty");
    assert_string_equal(text_for("default"), "d");
    assert_string_equal(text_for("~x"), "tilde");
    assert_string_equal(text_for("include"), "i");
    assert_string_equal(text_for("*.x"), "star");
    assert_string_equal(text_for("a.x"), "none");
    assert_string_equal(text_for("via"), "L");
    assert_string_equal(text_for("foo."), "none");
}

static void map_without_default(void **state)
{
    (void)state;
    load("http { map $in-$one $out { a-1 yes; } text [$out]; }");
    assert_string_equal(text_for("a"), "[yes]");
    assert_string_equal(text_for("b"), "[]");
}

static void map_hostnames(void **state)
{
    (void)state;
    load("http { map_hash_max_size 4096; map_hash_bucket_size 128;"
         "       map $in $out { hostnames; default 0; example.com exact; example.* right;"
         "                      *.example.com left; .dot.example.com both; } text $out; }");
    assert_string_equal(text_for("EXAMPLE.com."), "exact");
    assert_string_equal(text_for("example.org"), "right");
    assert_string_equal(text_for("foo.example.com."), "left");
    assert_string_equal(text_for("dot.example.com"), "both");
    assert_string_equal(text_for("www.dot.example.com"), "both");
    assert_string_equal(text_for(""), "0");
}

static void map_patterns(void **state)
{
    (void)state;
    load("http { map $in $out { default none; ~^A.c$ sensitive; ~*^a.C$ insensitive;"
         "       axc exact; ~^/(\\w+)/(?<tail>.*)$ \"$1|$tail\"; ~^/ slash; ~^$ never; }"
         "       text \"$out\"; }");
    assert_string_equal(text_for("Abc"), "sensitive");
    assert_string_equal(text_for("abc"), "insensitive");
    assert_string_equal(text_for("AXC"), "exact");
    assert_string_equal(text_for("/one/two/three"), "one|two/three");
    assert_string_equal(text_for("/"), "slash");
    assert_string_equal(text_for(""), "none");
    load("http { map $in $out { ~(?<special>x+) a; ~. b; } text $out$1; }");
    assert_string_equal(text_for("axxb"), "axx");
    assert_string_equal(assigned, "xx");
    assert_string_equal(text_for("y"), "b");
}

/* More patterns than anyone tries one by one. */
static void map_many_patterns(void **state)
{
    static char text[40000];
    struct out o = out_fixed(text, sizeof text - 1);

    (void)state;
    OUT_LITERAL(&o, "http { text $out; map $in $out { default none;");
    for (unsigned i = 0; i < 500; i++)
        out_printf(&o, "~^/site%u/(.*)$ \"%u $1\";\n", i, i);
    OUT_LITERAL(&o, "~^/(.)(.)(.) last-$3; } }");
    out_char(&o, '\0');
    assert_false(o.overflow);
    load(text);
    assert_string_equal(text_for("/site7/x"), "7 x");
    assert_string_equal(text_for("/site499/"), "499 ");
    assert_string_equal(text_for("/site500/y"), "last-t");
    assert_string_equal(text_for("/si"), "none");
}

static void map_volatile(void **state)
{
    (void)state;
    load("http { map $count $v { volatile; default $count; } map $count $c { default $count; }"
         "       text \"$c $c $v $v\"; }");
    assert_string_equal(text_now(), "2 2 4 6");
}

static void map_mistakes(void **state)
{
    (void)state;
    expect_error("http { map $in out { } }", "invalid variable name \"out\"");
    expect_error("http { map $in $ { } }", "invalid variable name \"$\"");
    expect_error("http { map $in $out { a; } }", "invalid number of the map parameters");
    expect_error("http { map $in $out { a b c; } }", "invalid number of the map parameters");
    expect_error("http { map $in $out { default a; default b; } }", "duplicate default map parameter");
    expect_error("http { map $in $out { a b; A c; } }", "conflicting parameter \"A\"");
    expect_error("http { map $in $out { hostnames; a*.b c; } }", "invalid hostname or wildcard");
    expect_error("http { map $in $out { ~( c; } }", "regular expression \"(\"");
    expect_error("http { map $in $out { ~(?<one>a) c; } }", "duplicate \"one\" variable");
    expect_error("http { map $in $one { a b; } }", "the duplicate \"one\" variable");
    expect_error("http { map $what $out { a b; } }", "unknown \"what\" variable");
    expect_error("http { map $in $out { a $what; } }", "unknown \"what\" variable");
}

static void map_in_stream(void **state)
{
    (void)state;
    load("stream { map $in $out { default 0; a b; } text $out; }");
    assert_string_equal(text_for("a"), "b");
}

/* ---- geo ---------------------------------------------------------------------------------------- */

static void geo_networks(void **state)
{
    (void)state;
    load("http { geo $out { default none; 127.0.0.0/8 loop; 127.0.0.1 one; 10.0.0.0/8 ten;"
         "       10.1.0.0/16 ten-one; 2001:db8::/32 doc; ::1 six; delete 10.1.0.0/16; } text $out; }");
    assert_string_equal(text_from("127.0.0.2"), "loop");
    assert_string_equal(text_from("127.0.0.1"), "one");
    assert_string_equal(text_from("126.255.255.255"), "none");
    assert_string_equal(text_from("128.0.0.0"), "none");
    assert_string_equal(text_from("10.1.2.3"), "ten");
    assert_string_equal(text_from("2001:db8:1::5"), "doc");
    assert_string_equal(text_from("2001:db9::"), "none");
    assert_string_equal(text_from("::1"), "six");
    assert_string_equal(text_from("::ffff:10.0.0.1"), "ten");
    assert_string_equal(text_from("unix:"), "none");
}

static void geo_everything(void **state)
{
    (void)state;
    load("http { geo $out { ::/0 six; 0.0.0.0/1 low; 255.255.255.255 none; } text [$out]; }");
    assert_string_equal(text_from("::1"), "[six]");
    assert_string_equal(text_from("ffff::"), "[six]");
    assert_string_equal(text_from("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), "[six]");
    assert_string_equal(text_from("1.2.3.4"), "[low]");
    assert_string_equal(text_from("200.0.0.1"), "[]");
    assert_string_equal(text_from("unix:"), "[none]");
    load("http { geo $out { ::/0 six; 0.0.0.0/0 four; delete 0.0.0.0/0; } text [$out]; }");
    assert_string_equal(text_from("200.0.0.1"), "[]");
    load("http { geo $out { } text [$out]; }");
    assert_string_equal(text_from("200.0.0.1"), "[]");
}

static void geo_of_variable(void **state)
{
    (void)state;
    load("http { geo $in $out { default none; 192.0.2.0/24 test; 2001:db8::/32 six; } text $out; }");
    assert_string_equal(text_for("192.0.2.77"), "test");
    assert_string_equal(text_for("2001:db8::1"), "six");
    assert_string_equal(text_for("nonsense"), "none");
    assert_string_equal(text_for(""), "none");
    load("http { geo $in $out { default d; 255.255.255.255/32 none; } text $out; }");
    assert_string_equal(text_for("nonsense"), "none");
    assert_string_equal(text_for("unix:"), "none");
}

static void geo_ranges(void **state)
{
    (void)state;
    load("http { geo $in $out { ranges; default d; 10.0.0.0-10.0.0.9 ten; 10.0.0.5-10.0.0.6 mid;"
         "       10.0.0.5-10.0.0.5 five; 10.10.3.0-10.11.2.255 foo; 10.12.3.0-10.13.2.255 foo2;"
         "       delete 10.10.3.0-10.11.2.255; 0.0.0.0-0.0.0.1 low; 255.255.255.254-255.255.255.255"
         "       high; } text $out; }");
    assert_string_equal(text_for("10.0.0.4"), "ten");
    assert_string_equal(text_for("10.0.0.5"), "five");
    assert_string_equal(text_for("10.0.0.6"), "mid");
    assert_string_equal(text_for("10.0.0.7"), "ten");
    assert_string_equal(text_for("10.0.0.10"), "d");
    assert_string_equal(text_for("10.11.2.1"), "d");
    assert_string_equal(text_for("10.13.2.1"), "foo2");
    assert_string_equal(text_for("0.0.0.0"), "low");
    assert_string_equal(text_for("0.0.0.2"), "d");
    assert_string_equal(text_for("255.255.255.255"), "high");
    assert_string_equal(text_for("::1"), "high");
    assert_string_equal(text_for("::ffff:10.0.0.4"), "ten");
    assert_string_equal(text_for("x"), "high");
}

static void geo_ranges_deleted(void **state)
{
    (void)state;
    load("http { geo $in $out { ranges; default d; 127.0.0.0-127.0.0.255 test;"
         "       127.0.0.1-127.0.0.1 one; delete 127.0.0.0-127.0.0.0;"
         "       delete 127.0.0.2-127.0.0.255; } text $out; }");
    assert_string_equal(text_for("127.0.0.0"), "d");
    assert_string_equal(text_for("127.0.0.1"), "one");
    assert_string_equal(text_for("127.0.0.200"), "d");
    load("http { geo $in $out { ranges; 2001:db8::-2001:db8::ff six; } text [$out]; }");
    assert_string_equal(text_for("2001:db8::80"), "[six]");
    assert_string_equal(text_for("2001:db8::100"), "[]");
    assert_string_equal(text_for("1.2.3.4"), "[]");
}

static void geo_proxies(void **state)
{
    (void)state;
    load("http { geo $out { default d; proxy 127.0.0.0/8; proxy 2001:db8::1; 192.0.2.0/24 test;"
         "       127.0.0.0/8 loop; 198.51.100.7 seven; } text $out; }");
    assert_string_equal(text_from("127.0.0.1"), "loop");
    engine_forwarded[0] = "10.0.0.1, 192.0.2.1";
    assert_string_equal(text_from("127.0.0.1"), "test");
    assert_string_equal(text_from("2001:db8::1"), "test");
    assert_string_equal(text_from("128.0.0.1"), "d");
    engine_forwarded[0] = "192.0.2.1,127.0.0.1";
    assert_string_equal(text_from("127.0.0.9"), "loop");
    engine_forwarded[0] = "garbage";
    assert_string_equal(text_from("127.0.0.9"), "loop");

    load("http { geo $out { proxy_recursive; default d; proxy 127.0.0.0/8; 192.0.2.0/24 test;"
         "       127.0.0.0/8 loop; } text $out; }");
    engine_forwarded[0] = "127.0.0.2 , 127.0.0.3:80 ";
    engine_forwarded[1] = "10.0.0.1, 192.0.2.9:5, 127.0.0.1";
    assert_string_equal(text_from("127.0.0.1"), "test");
    engine_forwarded[1] = NULL;
    assert_string_equal(text_from("127.0.0.1"), "loop");
    engine_forwarded[0] = "192.0.2.1, nonsense, 127.0.0.3";
    assert_string_equal(text_from("127.0.0.1"), "loop");
}

static void geo_volatile(void **state)
{
    (void)state;
    load("http { geo $v { volatile; 127.0.0.1 a; default b; } geo $c { 127.0.0.1 a; default b; }"
         "       text $v$c; }");
    assert_string_equal(text_from("127.0.0.1"), "aa");
    engine_peer = "127.0.0.2";
    assert_string_equal(value_text(template_value(&engine_conf_now->text, &script)), "ba");
}

static void geo_mistakes(void **state)
{
    (void)state;
    expect_error("http { geo out { } }", "invalid variable name \"out\"");
    expect_error("http { geo in $out { } }", "invalid variable name \"in\"");
    expect_error("http { geo $what $out { } }", "unknown \"what\" variable");
    expect_error("http { geo $out { 10.0.0.0/33 a; } }", "invalid network \"10.0.0.0/33\"");
    expect_error("http { geo $out { delete x; } }", "invalid network \"x\"");
    expect_error("http { geo $out { 10.0.0.0/8 a b; } }", "invalid number of the geo parameters");
    expect_error("http { geo $out { 10.0.0.0/8; } }", "invalid number of the geo parameters");
    expect_error("http { geo $out { 10.0.0.0/8 a; ranges; } }", "must be the first directive");
    expect_error("http { geo $out { ranges; 10.0.0.9-10.0.0.0 a; } }", "invalid range");
    expect_error("http { geo $out { ranges; 10.0.0.9 a; } }", "invalid range \"10.0.0.9\"");
    expect_error("http { geo $out { ranges; 10.0.0.1-::1 a; } }", "invalid range");
    expect_error("http { geo $out { ranges; 10.0.0.1-10.0.0.9 a; 10.0.0.5-10.0.0.10 b; } }",
                 "range \"10.0.0.5-10.0.0.10\" overlaps \"10.0.0.1-10.0.0.9\"");
    expect_error("stream { geo $out { proxy 127.0.0.1; } }", "invalid network \"proxy\"");
    expect_error("http { geo $one { } }", "the duplicate \"one\" variable");
}

static void geo_warnings(void **state)
{
    (void)state;
    expect_warning("http { geo $out { 10.0.0.1/8 a; } }", "low address bits of 10.0.0.1/8");
    expect_warning("http { geo $out { 10.0.0.0/8 a; 10.0.0.0/8 b; } }",
                   "duplicate network \"10.0.0.0/8\", value: \"b\", old value: \"a\"");
    expect_warning("http { geo $out { ranges; 1.1.1.1-1.1.1.2 a; 1.1.1.1-1.1.1.2 b; } }",
                   "duplicate range \"1.1.1.1-1.1.1.2\", value: \"b\", old value: \"a\"");
    expect_warning("http { geo $out { delete 10.0.0.0/8; } }", "no network \"10.0.0.0/8\"");
    expect_warning("http { geo $out { default a; default b; } }", "duplicate default");
}

/* ---- split_clients ------------------------------------------------------------------------------ */

static void split_shares(void **state)
{
    unsigned count[3] = { 0 };
    char text[32];

    (void)state;
    load("http { split_clients \"s$in\" $out { 0.5% 0; 50% 1; * 2; } text $out; }");
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(text, sizeof text, "%u", i);
        count[text_for(text)[0] - '0']++;
    }
    assert_in_range(count[0], 60, 140);
    assert_in_range(count[1], 9700, 10300);
    load("http { split_clients $in $out { 0.01% a; } text [$out]; }");
    assert_string_equal(text_for("x"), "[]");
    load("http { split_clients $in $out { .5% a; 99.5% b; * c; } text $out; }");
    assert_string_equal(text_for("x"), "b");
}

static void split_mistakes(void **state)
{
    (void)state;
    expect_error("http { split_clients $in out { } }", "invalid variable name \"out\"");
    expect_error("http { split_clients $in $out { 50% a; 50.01% b; } }",
                 "percent total is greater than 100%");
    expect_error("http { split_clients $in $out { * a; 1% b; } }",
                 "percent total is greater than 100%");
    expect_error("http { split_clients $in $out { 50 a; } }", "invalid percent value \"50\"");
    expect_error("http { split_clients $in $out { 0% a; } }", "invalid percent value \"0%\"");
    expect_error("http { split_clients $in $out { 1.005% a; } }", "invalid percent value");
    expect_error("http { split_clients $in $out { % a; } }", "invalid percent value");
    expect_error("http { split_clients $in $out { -1% a; } }", "invalid percent value");
    expect_error("http { split_clients $in $out { 1%; } }", "invalid number of the split_clients");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_texts),
        cmocka_unit_test(map_without_default),
        cmocka_unit_test(map_hostnames),
        cmocka_unit_test(map_patterns),
        cmocka_unit_test(map_many_patterns),
        cmocka_unit_test(map_volatile),
        cmocka_unit_test(map_mistakes),
        cmocka_unit_test(map_in_stream),
        cmocka_unit_test(geo_networks),
        cmocka_unit_test(geo_everything),
        cmocka_unit_test(geo_of_variable),
        cmocka_unit_test(geo_ranges),
        cmocka_unit_test(geo_ranges_deleted),
        cmocka_unit_test(geo_proxies),
        cmocka_unit_test(geo_volatile),
        cmocka_unit_test(geo_mistakes),
        cmocka_unit_test(geo_warnings),
        cmocka_unit_test(split_shares),
        cmocka_unit_test(split_mistakes),
    };

    modules_init(modules);
    return cmocka_run_group_tests(tests, NULL, stop);
}

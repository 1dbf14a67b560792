/*
 * Tests of src/config/types: what values are taken and how they are shown, and that the rows of all
 * modules of the program are sound: every initial value is taken, and comes back when it is shown.
 */
#include "test_config/load.h"

#include <limits.h>

#include "config/types.h"
#include "weir_modules.h"

/* ---- readings ----------------------------------------------------------------------------------- */

static void sizes(void **state)
{
    size_t n;

    (void)state;
    assert_true(parse_size(STR("0"), &n) && n == 0);
    assert_true(parse_size(STR("123"), &n) && n == 123);
    assert_true(parse_size(STR("8k"), &n) && n == 8192);
    assert_true(parse_size(STR("8K"), &n) && n == 8192);
    assert_true(parse_size(STR("3M"), &n) && n == 3 << 20);
    assert_false(parse_size(STR("1g"), &n));
    assert_false(parse_size(STR(""), &n));
    assert_false(parse_size(STR("k"), &n));
    assert_false(parse_size(STR("-1"), &n));
    assert_false(parse_size(STR("1kk"), &n));
    assert_false(parse_size(STR("1k "), &n));
    assert_false(parse_size(STR("99999999999999999999"), &n));
    assert_false(parse_size(STR("18014398509481984k"), &n));
}

static void offsets(void **state)
{
    int64_t n;

    (void)state;
    assert_true(parse_offset(STR("2g"), &n) && n == (int64_t)2 << 30);
    assert_true(parse_offset(STR("1m"), &n) && n == 1 << 20);
    assert_true(parse_offset(STR("9223372036854775807"), &n) && n == INT64_MAX);
    assert_false(parse_offset(STR("9223372036854775808"), &n));
    assert_false(parse_offset(STR("8589934592g"), &n));
    assert_false(parse_offset(STR("1t"), &n));
}

static uint64_t ms_of(const char *text)
{
    uint64_t ms;

    return parse_time(str_of(text), &ms) ? ms : UINT64_MAX;
}

static void times(void **state)
{
    static const char *const wrong[] = { "", " ", "x", "1x", "s", "1m1h", "1s1s", "1ms1s", "30 5", "1.5s",
                                         "-1", "1hm", "1h m", "99999999999999999999s",
                                         "9999999999999999y", "1S", NULL };

    (void)state;
    assert_int_equal(ms_of("0"), 0);
    assert_int_equal(ms_of("10"), 10000);
    assert_int_equal(ms_of("10s"), 10000);
    assert_int_equal(ms_of("10ms"), 10);
    assert_int_equal(ms_of("5m"), 300000);
    assert_int_equal(ms_of("1h30m"), 5400000);
    assert_int_equal(ms_of("1h 30m"), 5400000);
    assert_int_equal(ms_of("1m30"), 90000);
    assert_int_equal(ms_of("1d"), 86400000);
    assert_int_equal(ms_of("1w"), 604800000);
    assert_int_equal(ms_of("1M"), 2592000000);
    assert_int_equal(ms_of("1y"), 31536000000);
    assert_int_equal(ms_of("1y2M3w4d5h6m7s8ms"), 31536000000 + 2 * 2592000000 + 3 * 604800000 +
                     4 * 86400000 + 5 * 3600000 + 6 * 60000 + 7 * 1000 + 8);
    for (unsigned i = 0; wrong[i]; i++)
        assert_int_equal(ms_of(wrong[i]), UINT64_MAX);
}

static void seconds(void **state)
{
    time_t n;

    (void)state;
    assert_true(parse_seconds(STR("1m5s"), &n) && n == 65);
    assert_true(parse_seconds(STR("30d"), &n) && n == 2592000);
    assert_false(parse_seconds(STR("1000ms"), &n));
    assert_false(parse_seconds(STR(""), &n));
}

static void flags(void **state)
{
    bool on;

    (void)state;
    assert_true(parse_flag(STR("on"), &on) && on);
    assert_true(parse_flag(STR("OFF"), &on) && !on);
    assert_false(parse_flag(STR("yes"), &on));
}

/* ---- showing ------------------------------------------------------------------------------------ */

static void shown_as(void (*print)(struct out *o, uint64_t n), uint64_t n, const char *text)
{
    char space[64];
    struct out o = out_fixed(space, sizeof space);

    print(&o, n);
    out_char(&o, '\0');
    assert_string_equal(space, text);
}

static void shown(void **state)
{
    (void)state;
    shown_as(print_size, 0, "0");
    shown_as(print_size, 1000, "1000");
    shown_as(print_size, 8192, "8k");
    shown_as(print_size, 1 << 20, "1m");
    shown_as(print_size, (uint64_t)3 << 30, "3072m");
    shown_as(print_size, 1536, "1536");
    shown_as(print_time, 0, "0");
    shown_as(print_time, 10, "10ms");
    shown_as(print_time, 75000, "75s");
    shown_as(print_time, 60000, "1m");
    shown_as(print_time, 5400000, "90m");
    shown_as(print_time, 1500, "1500ms");
    shown_as(print_time, 86400000 * 7, "7d");
}

static void word_is(const char *text, const char *written)
{
    struct arena a;

    arena_init(&a);
    struct out o = out_growing(&a, 65536);
    print_word(&o, str_of(text));
    struct str word = out_str_of(&o);
    assert_true(str_eq(word, str_of(written)));
    struct node *n = tree_line(&a, STR("x"), word);
    assert_int_equal(n->count, 2);
    assert_string_equal(n->words[1].text.data, text);
    arena_fini(&a);
}

static void words(void **state)
{
    (void)state;
    word_is("", "\"\"");
    word_is("a", "a");
    word_is("a b", "\"a b\"");
    word_is("a;b", "\"a;b\"");
    word_is("${a}b", "\"${a}b\"");
    word_is("#a", "\"#a\"");
    word_is("a#b", "a#b");
    word_is("a\"b", "a\"b");
    word_is("\"a", "\"\\\"a\"");
    word_is("a b'\"", "\"a b'\\\"\"");
    word_is("\\.php$", "\"\\.php$\"");
    word_is("\\n\n\t", "\"\\\\n\\n\\t\"");
    word_is("a\\", "\"a\\\\\"");
    word_is("\\\\", "\"\\\\\\\\\"");
}

static void any_word_comes_back(void **state)
{
    static const char alphabet[] = "ab \\\"'nt;{}$#\n";
    unsigned random = 1;
    struct arena a;

    (void)state;
    arena_init(&a);
    for (unsigned round = 0; round < 20000; round++) {
        char text[9];
        unsigned len = 0;
        for (; len < 8; len++) {
            random = random * 1103515245 + 12345;
            text[len] = alphabet[(random >> 16) % (sizeof alphabet - 1)];
            if ((random >> 24) % 8 == 0)
                break;
        }
        struct out o = out_growing(&a, 65536);
        print_word(&o, (struct str){ text, len });
        struct node *n = tree_line(&a, STR("x"), out_str_of(&o));
        assert_int_equal(n->count, 2);
        assert_true(str_eq(n->words[1].text, (struct str){ text, len }));
    }
    arena_fini(&a);
}

/* ---- types -------------------------------------------------------------------------------------- */

struct values {
    bool flag;
    unsigned number, bounded, color, bits;
    size_t size;
    int64_t offset;
    uint64_t time;
    time_t seconds;
    struct str text, path, conf_path;
    struct strings texts;
    struct bufs bufs;
};

static const struct number_range range = { 4, 32 };
static const struct name_value colors[] = { { "red", 3 }, { "green", 5 }, { NULL, 0 } };
static const struct name_value bits[] = { { "none", 0 }, { "all", 7 }, { "one", 1 }, { "two", 2 },
                                          { "four", 4 }, { NULL, 0 } };

#define VALUE(type, field) IN_MAIN, ARGS(1), &(type), FIELD(struct values, field)

static const struct directive value_rows[] = {
    { "flag", VALUE(type_flag, flag), .initial = "on", .help = "." },
    { "number", VALUE(type_number, number), .initial = "7", .help = "." },
    { "bounded", VALUE(type_number, bounded), .initial = "8", .data = &range, .help = "." },
    { "color", VALUE(type_enum, color), .initial = "red", .data = colors, .help = "." },
    { "bits", IN_MAIN, ARGS_RANGE(1, ARGS_ANY), &type_bitmask, FIELD(struct values, bits),
      .initial = "one four", .data = bits, .help = "." },
    { "size", VALUE(type_size, size), .initial = "8k", .help = "." },
    { "offset", VALUE(type_offset, offset), .initial = "1g", .help = "." },
    { "time", VALUE(type_time, time), .initial = "1h30m", .help = "." },
    { "seconds", VALUE(type_seconds, seconds), .initial = "60", .help = "." },
    { "text", VALUE(type_str, text), .initial = "\"a b\"", .help = "." },
    { "path", VALUE(type_path, path), .initial = "logs/x", .help = "." },
    { "conf_path", VALUE(type_conf_path, conf_path), .initial = "mime.types", .help = "." },
    { "texts", IN_MAIN, ARGS_RANGE(1, ARGS_ANY), &type_strings, FIELD(struct values, texts),
      .initial = "a 'b c' \"\"", .help = "." },
    { "bufs", IN_MAIN, ARGS(2), &type_bufs, FIELD(struct values, bufs), .initial = "4 8k",
      .help = "." },
    { "accepted", IN_MAIN, ARGS_RANGE(0, ARGS_ANY), &type_accepted, .help = "." },
    { 0 },
};

static struct module value_module = {
    .name = "values", .directives = value_rows, .conf_size = sizeof(struct values),
};
static struct module *const value_modules[] = { &value_module, NULL };

static const struct values *values_of(struct load *l)
{
    assert_non_null(l->generation);
    return CONF(l->generation->main->conf, value_module);
}

static void initial_values(void **state)
{
    struct load l;

    (void)state;
    load_resolve(&l, "");
    const struct values *v = values_of(&l);
    assert_true(v->flag);
    assert_int_equal(v->number, 7);
    assert_int_equal(v->bounded, 8);
    assert_int_equal(v->color, 3);
    assert_int_equal(v->bits, 5);
    assert_int_equal(v->size, 8192);
    assert_int_equal(v->offset, 1 << 30);
    assert_int_equal(v->time, 5400000);
    assert_int_equal(v->seconds, 60);
    assert_string_equal(v->text.data, "a b");
    assert_string_equal(v->path.data, "/prefix/logs/x");
    assert_string_equal(v->conf_path.data, "/prefix/conf/mime.types");
    assert_int_equal(v->texts.count, 3);
    assert_string_equal(v->texts.items[1].data, "b c");
    assert_int_equal(v->bufs.count, 4);
    assert_int_equal(v->bufs.size, 8192);
    load_fini(&l);
}

static void written_values(void **state)
{
    struct load l;

    (void)state;
    load_resolve(&l, "flag off; number 4294967295; bounded 32; color GREEN; bits two; size 1m; "
                     "offset 10; time 5; seconds 1m; text ''; path /x; conf_path y; texts z; "
                     "bufs 1 1; accepted any thing;");
    const struct values *v = values_of(&l);
    assert_false(v->flag);
    assert_int_equal(v->number, UINT_MAX);
    assert_int_equal(v->bounded, 32);
    assert_int_equal(v->color, 5);
    assert_int_equal(v->bits, 2);
    assert_int_equal(v->time, 5000);
    assert_int_equal(v->text.len, 0);
    assert_string_equal(v->path.data, "/x");
    assert_string_equal(v->conf_path.data, "/prefix/conf/y");
    load_fini(&l);
}

static void refused(const char *text, const char *messages)
{
    struct load l;

    load_resolve(&l, text);
    assert_string_equal(load_show_messages(&l), messages);
    load_fini(&l);
}

static void refused_values(void **state)
{
    (void)state;
    refused("flag yes;",
            "invalid value \"yes\" in \"flag\" directive, it must be \"on\" or \"off\" in f:1\n");
    refused("number x;", "\"number\" directive invalid number in f:1\n");
    refused("number 4294967296;", "\"number\" directive invalid number in f:1\n");
    refused("bounded 3;", "value must be between 4 and 32 in f:1\n");
    refused("bounded 33;", "value must be between 4 and 32 in f:1\n");
    refused("color blue;", "invalid value \"blue\" in f:1\n");
    refused("bits one\nthree;", "invalid value \"three\" in f:2\n");
    refused("bits one one;", "[warn] duplicate value \"one\" in f:1\n");
    refused("size 1g;", "\"size\" directive invalid value in f:1\n");
    refused("offset x;", "\"offset\" directive invalid value in f:1\n");
    refused("time 1q;", "\"time\" directive invalid value in f:1\n");
    refused("seconds 1ms;", "\"seconds\" directive invalid value in f:1\n");
    refused("bufs 0 8k;", "\"bufs\" directive invalid value in f:1\n");
    refused("bufs 4 0;", "\"bufs\" directive invalid value in f:1\n");
}

/* ---- rows --------------------------------------------------------------------------------------- */

static struct str print_field(struct load *l, const struct directive *row, const void *field)
{
    struct out o = out_growing(&l->arena, 1 << 20);

    row->type->print(row, field, &o);
    return arena_str(&l->arena, out_str_of(&o));
}

/* Takes a value as the row's own type would; what it became. */
static struct str take(struct load *l, struct config *c, struct module *m,
                       const struct directive *row, struct str text)
{
    char *conf = arena_zalloc(&l->arena, m->conf_size);
    struct setting s = { .config = c, .block = c->generation->main, .row = row, .module = m,
                         .conf = conf };

    s.node = tree_line(&l->arena, str_of(row->name), text);
    if (!row->type->parse(&s, conf + row->offset))
        fail_msg("\"%s %.*s\" is refused: %s", row->name, STR_ARG(text), load_show_messages(l));
    return print_field(l, row, conf + row->offset);
}

static void check_value(struct load *l, struct config *c, struct module *m,
                        const struct directive *row)
{
    if (!row->initial || !row->type || !row->type->print || row->flags & FREE_BLOCK)
        return;
    struct str first = take(l, c, m, row, str_of(row->initial));
    struct str second = take(l, c, m, row, first);
    if (!str_eq(first, second))
        fail_msg("\"%s %s\" is shown as \"%.*s\", and that as \"%.*s\"", row->name, row->initial,
                 STR_ARG(first), STR_ARG(second));
}

static void check_row(const struct module *m, const struct directive *row)
{
    if (!row->contexts || !row->help || !*row->help || !row->type == !row->open)
        fail_msg("the row of \"%s\" in %s is not complete", row->name, m->name);
    if (row->args.min > row->args.max || row->offset + row->size > m->conf_size)
        fail_msg("the row of \"%s\" in %s is wrong", row->name, m->name);
    if (row->initial && !row->size)
        fail_msg("the row of \"%s\" in %s has an initial value and no field", row->name, m->name);
    if (row->type && (!row->type->name || !row->type->expected || !row->type->parse))
        fail_msg("the type of \"%s\" in %s is not complete", row->name, m->name);
    if (row->type && row->size && !row->type->print)
        fail_msg("the type of \"%s\" in %s can not be shown", row->name, m->name);
}

/* A name means one thing in a context, but in blocks that are a module's own. */
static void check_name(const struct module *m, const struct directive *row)
{
    unsigned contexts = row->contexts & ~(unsigned)IN_OTHER;

    if (contexts && modules_find(str_of(row->name), contexts, NULL) != row)
        fail_msg("\"%s\" of %s is another row in one of its contexts", row->name, m->name);
}

static void check_rows(struct module *const *list)
{
    struct load l;

    modules_init(list);
    load_resolve(&l, "");
    assert_string_equal(load_show_messages(&l), "");
    struct config c = { .generation = l.generation, .tree = l.tree, .diag = &l.diag,
                        .prefix = STR("/prefix/"), .conf_prefix = STR("/prefix/conf/") };
    for (unsigned i = 0; i < modules_count(); i++) {
        struct module *m = modules_at(i);
        for (const struct directive *row = m->directives; row && row->name; row++) {
            check_row(m, row);
            check_name(m, row);
            check_value(&l, &c, m, row);
        }
    }
    arena_fini(&c.scratch);
    load_fini(&l);
    modules_init(value_modules);
}

static void own_rows(void **state)
{
    (void)state;
    check_rows(value_modules);
}

static void all_rows(void **state)
{
    (void)state;
    check_rows(weir_modules);
}

static int init(void **state)
{
    (void)state;
    modules_init(value_modules);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(offsets),
        cmocka_unit_test(times),
        cmocka_unit_test(seconds),
        cmocka_unit_test(flags),
        cmocka_unit_test(shown),
        cmocka_unit_test(words),
        cmocka_unit_test(any_word_comes_back),
        cmocka_unit_test(initial_values),
        cmocka_unit_test(written_values),
        cmocka_unit_test(refused_values),
        cmocka_unit_test(own_rows),
        cmocka_unit_test(all_rows),
    };

    return cmocka_run_group_tests(tests, init, NULL);
}

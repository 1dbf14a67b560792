/*
 * Tests of src/script/: variables, templates, and the tables that map and geo rest on.
 */
#include "test_script/engine.h"

#include "script/forwarded.h"
#include "script/hostnames.h"
#include "script/networks.h"

/* ---- variables ---------------------------------------------------------------------------------- */

static void variable_slots(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a);

    struct variables *names = variables_new(&a);

    variables_add_all(names, engine_variables);
    assert_int_equal(variables_count(names), 0);

    const struct variable *one = variables_use(names, STR("one"));

    assert_non_null(one);
    assert_ptr_equal(variables_use(names, STR("ONE")), one);
    assert_int_equal(variables_count(names), 1);
    assert_null(variables_use(names, STR("two")));
    assert_null(variables_find(names, STR("host")));
    assert_int_equal(variables_use(names, STR("host"))->index, 1);
    assert_non_null(variables_find(names, STR("Host")));
    arena_fini(&a);
}

static void variable_prefixes(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a);

    struct variables *names = variables_new(&a);

    variables_add_all(names, engine_variables);

    const struct variable *x = variables_use(names, STR("arg_Name"));

    assert_true(str_eq(x->rest, STR("name")));
    assert_ptr_equal(x->get, get_rest);
    assert_ptr_equal(variables_use(names, STR("arg_name")), x);
    assert_ptr_equal(variables_use(names, STR("arg_long_name"))->get, get_data);
    assert_ptr_equal(variables_use(names, STR("arg_"))->get, get_rest);

    /* A definition of the whole name goes before the prefix, also for those who use it already. */
    struct variable own = { .name = STR("arg_name"), .get = get_count };

    assert_true(variables_add(names, &own));
    assert_ptr_equal(x->get, get_count);
    assert_false(variables_add(names, &own));
    arena_fini(&a);
}

static void variable_definitions(void **state)
{
    struct arena a;
    struct variable var = { .name = STR("one"), .get = get_count };
    struct variable weak = { .name = STR("later"), .flags = VARIABLE_WEAK };
    struct variable later = { .name = STR("later"), .get = get_count, .flags = VARIABLE_CHANGEABLE };
    const struct node *node;
    unsigned at = 0, word;

    (void)state;
    arena_init(&a);

    struct variables *names = variables_new(&a);

    variables_add_all(names, engine_variables);
    assert_false(variables_add(names, &var));
    weak.name = STR("one");
    assert_false(variables_add(names, &weak));
    weak.name = STR("later");

    const struct variable *wanted = variables_want(names, STR("later"), NULL, 3);

    assert_ptr_equal(variables_undefined(names, &at, &node, &word), wanted);
    assert_int_equal(word, 3);
    assert_null(variables_undefined(names, &at, &node, &word));
    assert_true(variables_add(names, &weak));
    at = 0;
    assert_null(variables_undefined(names, &at, &node, &word));
    assert_null(wanted->get);
    assert_true(variables_add(names, &later));
    assert_true(variables_add(names, &weak));
    assert_ptr_equal(wanted->get, get_count);
    assert_ptr_equal(variables_use(names, STR("later")), wanted);
    arena_fini(&a);
}

static void variable_prefix_added_late(void **state)
{
    struct arena a;
    const struct node *node;
    unsigned at = 0, word;

    (void)state;
    arena_init(&a);

    struct variables *names = variables_new(&a);
    const struct variable *wanted = variables_want(names, STR("arg_x"), NULL, 1);

    assert_null(variables_use(names, STR("arg_x")));
    variables_add_all(names, engine_variables);
    assert_null(variables_undefined(names, &at, &node, &word));
    assert_ptr_equal(wanted->get, get_rest);
    assert_true(str_eq(wanted->rest, STR("x")));
    arena_fini(&a);
}

static void variable_caching(void **state)
{
    (void)state;
    load("http { text \"$cached $cached $count $count $cached\"; }");
    assert_string_equal(text_now(), "1 1 2 3 1");
    give("count", "x");
    assert_string_equal(value_of("count"), "x");
    assert_string_equal(value_of("count"), "x");
}

static void variable_failures(void **state)
{
    (void)state;
    load("http { text \"a${failure}b$nothing\"; }");
    assert_string_equal(text_now(), "ab");
    assert_true(script.failed);
    assert_int_equal(variable_value(&script, variables_find(engine_names, STR("failure")))->state,
                     VALUE_NOT_FOUND);
    assert_int_equal(variable_value(&script, variables_find(engine_names, STR("nothing")))->state,
                     VALUE_NOT_FOUND);
}

static void variable_cycles(void **state)
{
    (void)state;
    load("http { map x $a { default \"<$b>\"; } map x $b { default \"($a)\"; } text $a$one; }");
    assert_string_equal(text_now(), "<()>1");
    assert_true(script.failed);
    load("http { map $a $a { default x; } text $a; }");
    assert_string_equal(text_now(), "x");
    assert_true(script.failed);
}

static void variable_depth(void **state)
{
    static char text[20000];
    struct out o = out_fixed(text, sizeof text - 1);

    (void)state;
    OUT_LITERAL(&o, "http { text $v0;");
    for (unsigned i = 0; i < 200; i++)
        out_printf(&o, "map $v%u $v%u { default x; y z; }\n", i + 1, i);
    OUT_LITERAL(&o, "map 1 $v200 { default x; } }");
    out_char(&o, '\0');
    assert_false(o.overflow);
    load(text);
    assert_string_equal(text_now(), "x");
    assert_true(script.failed);
    assert_int_equal(script.depth, 0);
}

static void variable_by_name(void **state)
{
    (void)state;
    load("http { text $cached; }");
    script_start();
    assert_true(str_eq(value_str(&(struct value){ 0 }), STR("")));

    struct value v = variable_named(&script, STR("HOST"));

    assert_true(str_eq(value_str(&v), STR("example.com")));
    v = variable_named(&script, STR("arg_Some"));
    assert_true(str_eq(value_str(&v), STR("rest:some")));
    v = variable_named(&script, STR("cached"));
    assert_true(str_eq(value_str(&v), STR("1")));
    v = variable_named(&script, STR("cached"));
    assert_true(str_eq(value_str(&v), STR("1")));
    v = variable_named(&script, STR("unknown"));
    assert_int_equal(v.state, VALUE_NOT_FOUND);
}

static void variable_setters(void **state)
{
    (void)state;
    load("http { text $special; }");
    script_start();
    give("special", "given");
    assert_string_equal(assigned, "given");
    assert_string_equal(value_of("special"), "s");
}

/* ---- templates ---------------------------------------------------------------------------------- */

static void template_texts(void **state)
{
    (void)state;
    load("http { text plain; }");
    assert_true(template_is_text(&engine_conf_now->text));
    assert_string_equal(text_now(), "plain");
    load("http { text ''; }");
    assert_true(template_is_empty(&engine_conf_now->text));
    assert_string_equal(text_now(), "");
    load("http { }");
    assert_true(template_is_empty(&engine_conf_now->text));
    load("http { text a$one; }");
    assert_false(template_is_text(&engine_conf_now->text));
    assert_string_equal(text_now(), "a1");
}

static void template_references(void **state)
{
    (void)state;
    load("http { text \"$one${one}x ${HOST}$one-$arg_a-b $1$2${3}0\"; }");
    assert_string_equal(text_now(), "11x example.com1-rest:a-b 0");

    const struct str captures[] = { STR("whole"), STR("first"), STR("second") };

    script.captures = captures;
    script.capture_count = 3;
    assert_string_equal(value_text(template_value(&engine_conf_now->text, &script)),
                        "11x example.com1-rest:a-b firstsecond0");
}

static void template_values(void **state)
{
    char space[8];
    struct out o = out_fixed(space, sizeof space);

    (void)state;
    load("http { text $host; }");
    script_start();

    const struct variable *host = variables_find(engine_names, STR("host"));

    assert_ptr_equal(template_value(&engine_conf_now->text, &script).data,
                     variable_value(&script, host)->data);
    assert_string_equal(template_value_nul(&engine_conf_now->text, &script).data, "example.com");
    template_put(&engine_conf_now->text, &script, &o);
    assert_true(o.overflow);
    assert_true(out_len(&o) <= sizeof space);
}

static void template_too_long(void **state)
{
    char *large = malloc(TEMPLATE_MAX);

    (void)state;
    assert_non_null(large);
    memset(large, 'x', TEMPLATE_MAX - 1);
    large[TEMPLATE_MAX - 1] = '\0';
    load("http { text a$in$one; }");
    script_start();
    variable_assign(&script, variables_find(engine_names, STR("in")), str_of(large));
    assert_int_equal(template_value(&engine_conf_now->text, &script).len, 0);
    assert_true(script.failed);
    unload();
    free(large);
}

static void template_mistakes(void **state)
{
    (void)state;
    expect_error("http { text $; }", "invalid variable name");
    expect_error("http { text a$-; }", "invalid variable name");
    expect_error("http { text 'a${'; }", "closing bracket in \"a${\" variable is missing");
    expect_error("http { text 'a${one'; }", "variable is missing");
    expect_error("http { text '${}'; }", "invalid variable name");
    expect_error("http { text '${a-b}'; }", "variable is missing");
    expect_error("http { text $unknown; }", "unknown \"unknown\" variable");
    expect_error("http { text $0; }", "unknown \"0\" variable");
}

static void template_safety(void **state)
{
    (void)state;
    assert_true(template_safe(STR("")));
    assert_true(template_safe(STR("all good\t\xff")));
    assert_false(template_safe(STR("a\rb")));
    assert_false(template_safe(STR("a\n")));
    assert_false(template_safe(STR("a\0b")));
}

/* ---- host names --------------------------------------------------------------------------------- */

static const char *host_find(const struct hostnames *h, const char *name)
{
    const char *found = hostnames_find(h, str_of(name));

    return found ? found : "-";
}

static void hostname_wildcards(void **state)
{
    static char names[][16] = {
        "example.com", "*.example.com", "*.a.example.com", ".dot.com", "mail.*", "mail.example.*",
        "",
    };
    struct arena a;
    struct hostnames h;

    (void)state;
    arena_init(&a);
    hostnames_init(&h, &a);
    assert_string_equal(host_find(&h, "x"), "-");
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(hostnames_add(&h, str_of(names[i]), true, names[i]), HOSTNAMES_ADDED);
    assert_string_equal(host_find(&h, "EXAMPLE.com"), "example.com");
    assert_string_equal(host_find(&h, "www.example.COM"), "*.example.com");
    assert_string_equal(host_find(&h, ".example.com"), "*.example.com");
    assert_string_equal(host_find(&h, "x.y.example.com"), "*.example.com");
    assert_string_equal(host_find(&h, "x.a.example.com"), "*.a.example.com");
    assert_string_equal(host_find(&h, "a.example.com"), "*.example.com");
    assert_string_equal(host_find(&h, "wexample.com"), "-");
    assert_string_equal(host_find(&h, "dot.com"), ".dot.com");
    assert_string_equal(host_find(&h, "www.dot.com"), ".dot.com");
    assert_string_equal(host_find(&h, "mail.org"), "mail.*");
    assert_string_equal(host_find(&h, "Mail.example.org"), "mail.example.*");
    assert_string_equal(host_find(&h, "mail.example.com"), "*.example.com");
    assert_string_equal(host_find(&h, "mail"), "-");
    assert_string_equal(host_find(&h, "mails.org"), "-");
    assert_string_equal(host_find(&h, ""), "");
    arena_fini(&a);
}

static void hostname_mistakes(void **state)
{
    static const struct {
        const char *name;
        enum hostnames_added result;
    } cases[] = {
        { "a.com", HOSTNAMES_ADDED },       { "A.COM", HOSTNAMES_CONFLICT },
        { "*.a.com", HOSTNAMES_ADDED },     { ".a.com", HOSTNAMES_CONFLICT },
        { "*.A.com", HOSTNAMES_CONFLICT },  { "www.*", HOSTNAMES_ADDED },
        { "WWW.*", HOSTNAMES_CONFLICT },    { "a*.com", HOSTNAMES_INVALID },
        { "*.a.*", HOSTNAMES_INVALID },     { "a..com", HOSTNAMES_INVALID },
        { "**.com", HOSTNAMES_INVALID },    { "*", HOSTNAMES_INVALID },
        { "a.*.com", HOSTNAMES_INVALID },   { ".b.com", HOSTNAMES_ADDED },
        { "b.com", HOSTNAMES_CONFLICT },
    };
    struct arena a;
    struct hostnames h;

    (void)state;
    arena_init(&a);
    hostnames_init(&h, &a);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(hostnames_add(&h, str_of(cases[i].name), true, &h), cases[i].result);
    assert_int_equal(hostnames_add(&h, STR("*"), false, &h), HOSTNAMES_ADDED);
    assert_int_equal(hostnames_add(&h, STR("a..b"), false, &h), HOSTNAMES_ADDED);
    arena_fini(&a);
}

static void hostname_many(void **state)
{
    struct arena a;
    struct hostnames h;

    (void)state;
    arena_init(&a);
    hostnames_init(&h, &a);
    for (uintptr_t i = 1; i <= 20000; i++) {
        struct str name = arena_printf(&a, "n%u.example.com", (unsigned)i);

        assert_int_equal(hostnames_add(&h, name, false, (void *)i), HOSTNAMES_ADDED);
    }
    for (uintptr_t i = 1; i <= 20000; i++) {
        struct str name = arena_printf(&a, "N%u.example.com", (unsigned)i);

        assert_ptr_equal(hostnames_find(&h, name), (void *)i);
    }
    arena_fini(&a);
}

/* ---- networks ----------------------------------------------------------------------------------- */

/* The table against a search through the whole list. */
static void networks_against_search(void **state)
{
    enum { COUNT = 400, LOOKUPS = 4000 };
    static struct network list[COUNT];
    struct networks table;
    struct arena a;

    (void)state;
    arena_init(&a);
    srand(7);
    for (unsigned ranked = 0; ranked < 2; ranked++) {
        for (unsigned i = 0; i < COUNT; i++) {
            uint32_t first = (uint32_t)rand() % 5000, size = 1u << ((unsigned)rand() % 10);

            list[i] = (struct network){
                .first = ip_of_v4(first), .last = ip_of_v4(first + size - 1),
                .value = (uint32_t)rand() % 7, .rank = ranked ? 10000 - size : 0, .order = i,
            };
        }
        networks_sort(list, COUNT);
        networks_build(&table, &a, list, COUNT);
        for (uint32_t at = 0; at < LOOKUPS; at++) {
            struct ip ip = ip_of_v4(at);
            const struct network *best = NULL;

            for (unsigned i = 0; i < COUNT; i++) {
                const struct network *n = &list[i];

                if (!ip_less(ip, n->first) && !ip_less(n->last, ip) &&
                    (!best || n->rank > best->rank ||
                     (n->rank == best->rank && n->order > best->order)))
                    best = n;
            }
            assert_int_equal(networks_find(&table, ip), best ? best->value : 0);
        }
    }
    arena_fini(&a);
}

/* ---- forwarded ---------------------------------------------------------------------------------- */

static const char *follow(bool recursive, const char *peer, const char *line, bool *more)
{
    static char text[64];
    struct cidr trusted[2];
    struct address a;
    struct out o = out_fixed(text, sizeof text - 1);
    bool stray;

    assert_true(cidr_parse(STR("10.0.0.0/8"), &trusted[0], &stray));
    assert_true(cidr_parse(STR("::1"), &trusted[1], &stray));
    assert_true(address_parse_ip(str_of(peer), 7, &a));

    struct peer p = peer_of(&a);
    struct forwarded f = { trusted, 2, recursive };

    *more = forwarded_follow(&f, str_of(line), &p);
    peer_put_ip(&o, &p);
    out_printf(&o, " %u", p.port);
    out_char(&o, '\0');
    return text;
}

static void forwarded_lines(void **state)
{
    bool more;

    (void)state;
    assert_string_equal(follow(false, "10.1.1.1", "1.1.1.1, 2.2.2.2", &more), "2.2.2.2 0");
    assert_false(more);
    assert_string_equal(follow(true, "10.1.1.1", "1.1.1.1:99, 10.2.2.2", &more), "1.1.1.1 99");
    assert_true(more);
    assert_string_equal(follow(true, "10.1.1.1", "1.1.1.1, 2.2.2.2", &more), "2.2.2.2 0");
    assert_false(more);
    assert_string_equal(follow(true, "11.1.1.1", "1.1.1.1", &more), "11.1.1.1 7");
    assert_string_equal(follow(true, "::1", "[2001:db8::5]:80", &more), "2001:db8::5 80");
    assert_string_equal(follow(true, "::1", "2001:db8::5", &more), "2001:db8::5 0");
    assert_string_equal(follow(true, "::1", "", &more), "::1 7");
    assert_string_equal(follow(true, "::1", " ,, ", &more), "::1 7");
    assert_string_equal(follow(true, "::1", "1.1.1.1:99999", &more), "::1 7");
    assert_string_equal(follow(true, "::1", "1.1.1.1, unknown", &more), "::1 7");
    assert_string_equal(follow(true, "::1", ":80", &more), "::1 7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variable_slots),
        cmocka_unit_test(variable_prefixes),
        cmocka_unit_test(variable_definitions),
        cmocka_unit_test(variable_prefix_added_late),
        cmocka_unit_test(variable_caching),
        cmocka_unit_test(variable_failures),
        cmocka_unit_test(variable_cycles),
        cmocka_unit_test(variable_depth),
        cmocka_unit_test(variable_by_name),
        cmocka_unit_test(variable_setters),
        cmocka_unit_test(template_texts),
        cmocka_unit_test(template_references),
        cmocka_unit_test(template_values),
        cmocka_unit_test(template_too_long),
        cmocka_unit_test(template_mistakes),
        cmocka_unit_test(template_safety),
        cmocka_unit_test(hostname_wildcards),
        cmocka_unit_test(hostname_mistakes),
        cmocka_unit_test(hostname_many),
        cmocka_unit_test(networks_against_search),
        cmocka_unit_test(forwarded_lines),
    };

    modules_init(modules);
    return cmocka_run_group_tests(tests, NULL, stop);
}

/*
 * Tests of src/script/: variables, templates, map, geo, split_clients, and what they rest on.  An engine
 * of our own opens the blocks http and stream.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "script/forwarded.h"
#include "script/geo.h"
#include "script/hostnames.h"
#include "script/map.h"
#include "script/networks.h"
#include "script/split_clients.h"
#include "script/template.h"

/* ---- an engine ---------------------------------------------------------------------------------- */

struct engine_conf {
    struct template text;
};

static struct variables *engine_names;
static struct engine_conf *engine_conf_now;
static const char *engine_peer, *engine_forwarded[4];
static unsigned counter;
static char assigned[64];

static void hook_peer(const struct script *s, struct peer *p)
{
    struct address a;

    (void)s;
    if (strcmp(engine_peer, "unix:") == 0) {
        *p = (struct peer){ .family = AF_UNIX };
        return;
    }
    assert_true(address_parse_ip(str_of(engine_peer), 1234, &a));
    *p = peer_of(&a);
}

static bool hook_forwarded(const struct script *s, unsigned i, struct str *line)
{
    (void)s;
    if (i >= 4 || !engine_forwarded[i])
        return false;
    *line = str_of(engine_forwarded[i]);
    return true;
}

static const struct variables_hooks http_hooks = { hook_peer, hook_forwarded };
static const struct variables_hooks stream_hooks = { hook_peer, NULL };

static bool set_value(struct value *v, struct str text)
{
    *v = (struct value){ .data = text.data, .len = (uint32_t)text.len, .state = VALUE_FOUND };
    return true;
}

static bool get_data(struct script *s, const struct variable *var, struct value *v)
{
    (void)s;
    return set_value(v, str_of((const char *)var->data));
}

static bool get_rest(struct script *s, const struct variable *var, struct value *v)
{
    return set_value(v, arena_concat(s->arena, STR("rest:"), var->rest));
}

static bool get_count(struct script *s, const struct variable *var, struct value *v)
{
    (void)var;
    return set_value(v, arena_printf(s->arena, "%u", ++counter));
}

static bool get_nothing(struct script *s, const struct variable *var, struct value *v)
{
    (void)s, (void)var, (void)v;
    return true;
}

static bool get_failure(struct script *s, const struct variable *var, struct value *v)
{
    set_value(v, STR("half done"));
    return variable_fail(s, "no %.*s today", STR_ARG(var->name));
}

static void set_special(struct script *s, const struct variable *var, struct str value)
{
    (void)s, (void)var;
    snprintf(assigned, sizeof assigned, "%.*s", STR_ARG(value));
}

static const struct variable engine_variables[] = {
    { .name = STR_INIT("one"), .get = get_data, .data = (uintptr_t) "1" },
    { .name = STR_INIT("host"), .get = get_data, .data = (uintptr_t) "example.com" },
    { .name = STR_INIT("count"), .get = get_count, .flags = VARIABLE_VOLATILE },
    { .name = STR_INIT("cached"), .get = get_count },
    { .name = STR_INIT("nothing"), .get = get_nothing },
    { .name = STR_INIT("failure"), .get = get_failure },
    { .name = STR_INIT("special"), .get = get_data, .data = (uintptr_t) "s", .set = set_special,
      .flags = VARIABLE_CHANGEABLE },
    { .name = STR_INIT("arg_"), .get = get_rest, .flags = VARIABLE_PREFIX },
    { .name = STR_INIT("arg_long_"), .get = get_data, .data = (uintptr_t) "long",
      .flags = VARIABLE_PREFIX },
    { .name = STR_INIT("in"), .get = get_rest, .flags = VARIABLE_CHANGEABLE },
    { .name = { NULL, 0 } },
};

static struct module engine_module;

static bool open_engine(struct setting *s)
{
    bool http = str_eq(setting_arg(s, 0), STR("http"));

    engine_names = variables_new(setting_arena(s));
    variables_set_hooks(engine_names, http ? &http_hooks : &stream_hooks);
    variables_add_all(engine_names, engine_variables);
    config_set_variables(s->block, engine_names);

    struct block *b = config_block(s, http ? IN_HTTP : IN_STREAM, NULL);

    engine_conf_now = CONF(b->conf, engine_module);
    return config_end_variables(s);
}

static const struct directive engine_rows[] = {
    { "http", IN_MAIN, ARGS(0), .open = open_engine, .help = "A block." },
    { "stream", IN_MAIN, ARGS(0), .open = open_engine, .help = "A block." },
    { "text", IN_HTTP | IN_STREAM, ARGS(1), &type_template, FIELD(struct engine_conf, text),
      .help = "A template." },
    { .name = NULL },
};

static struct module engine_module = {
    .name = "engine", .directives = engine_rows, .conf_size = sizeof(struct engine_conf),
};

static struct module *const modules[] = {
    &engine_module, &http_map_module, &stream_map_module, &http_geo_module, &stream_geo_module,
    &http_split_clients_module, &stream_split_clients_module, NULL,
};

/* A configuration that was loaded, and an evaluation. */
static struct generation *loaded;
static struct diag diag;
static struct script script;
static struct arena script_arena;

static void unload(void)
{
    if (loaded) {
        arena_fini(&script_arena);
        generation_unref(loaded);
        diag_fini(&diag);
    }
    loaded = NULL;
}

static void script_start(void)
{
    arena_fini(&script_arena);
    script = (struct script){
        .arena = &script_arena,
        .names = engine_names,
        .values = ARENA_NEW_ARRAY(&script_arena, struct value, variables_count(engine_names)),
    };
}

/* Resolves a text; what is wrong with it stays in `diag`. */
static struct generation *resolve(const char *text)
{
    diag_init(&diag);

    struct tree *tree = tree_parse(STR("test.conf"), str_of(text), &diag);
    struct generation *g = config_resolve(tree, STR("/prefix/"), STR("/conf/"), &diag);

    tree_free(tree);
    return g;
}

static void load(const char *text)
{
    unload();
    counter = 0;
    memset(engine_forwarded, 0, sizeof engine_forwarded);
    loaded = resolve(text);
    if (!loaded)
        diag_print(&diag, stderr, false);
    assert_non_null(loaded);
    arena_init(&script_arena);
    script_start();
}

static const char *value_text(struct str value)
{
    static char text[4096];

    snprintf(text, sizeof text, "%.*s", STR_ARG(value));
    return text;
}

/* What the directive `text` gives, in an evaluation of its own. */
static const char *text_now(void)
{
    script_start();
    return value_text(template_value(&engine_conf_now->text, &script));
}

static const char *value_of(const char *name)
{
    return value_text(value_str(variable_value(&script, variables_find(engine_names, str_of(name)))));
}

static void give(const char *name, const char *value)
{
    const struct variable *var = variables_find(engine_names, str_of(name));

    assert_non_null(var);
    variable_assign(&script, var, str_of(value));
}

/* text_now() with $in set. */
static const char *text_for(const char *in)
{
    script_start();
    give("in", in);
    return value_text(template_value(&engine_conf_now->text, &script));
}

static const char *text_from(const char *peer)
{
    engine_peer = peer;
    return text_now();
}

/* Resolves a text that has a mistake, and looks for what it must say. */
static void expect_message(const char *text, enum log_level level, const char *message)
{
    bool found = false;

    unload();

    struct generation *g = resolve(text);

    if (level <= LOG_LEVEL_EMERG)
        assert_null(g);
    else
        assert_non_null(g);
    for (unsigned i = 0; i < diag.items.count; i++)
        found |= diag.items.items[i].level == level &&
                 str_find(diag.items.items[i].message, str_of(message)) >= 0;
    if (!found) {
        fprintf(stderr, "\"%s\" is not among:\n", message);
        diag_print(&diag, stderr, false);
    }
    assert_true(found);
    if (g)
        generation_unref(g);
    diag_fini(&diag);
}

static void expect_error(const char *text, const char *message)
{
    expect_message(text, LOG_LEVEL_EMERG, message);
}

static void expect_warning(const char *text, const char *message)
{
    expect_message(text, LOG_LEVEL_WARN, message);
}

static int stop(void **state)
{
    (void)state;
    unload();
    return 0;
}

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
    static char *const names[] = {
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

/* ---- map ---------------------------------------------------------------------------------------- */

static void map_texts(void **state)
{
    (void)state;
    load("http { map $in $out { default none; foo bar; Baz \"b $one\"; '' empty; \\default d;"
         "                      \\~x tilde; \\\\y back; *.x star; via $later; }"
         "       map $in $later { default L; } text $out; }");
    assert_string_equal(text_for("foo"), "bar");
    assert_string_equal(text_for("FOO"), "bar");
    assert_string_equal(text_for("baz"), "b 1");
    assert_string_equal(text_for(""), "empty");
    assert_string_equal(text_for("default"), "d");
    assert_string_equal(text_for("~x"), "tilde");
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

/* The table against a search through the whole list. */
static void geo_against_search(void **state)
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
        cmocka_unit_test(variable_slots), cmocka_unit_test(variable_prefixes),
        cmocka_unit_test(variable_definitions), cmocka_unit_test(variable_prefix_added_late),
        cmocka_unit_test(variable_caching), cmocka_unit_test(variable_failures),
        cmocka_unit_test(variable_cycles), cmocka_unit_test(variable_depth),
        cmocka_unit_test(variable_by_name), cmocka_unit_test(variable_setters),
        cmocka_unit_test(template_texts), cmocka_unit_test(template_references),
        cmocka_unit_test(template_values), cmocka_unit_test(template_too_long),
        cmocka_unit_test(template_mistakes), cmocka_unit_test(template_safety),
        cmocka_unit_test(hostname_wildcards), cmocka_unit_test(hostname_mistakes),
        cmocka_unit_test(hostname_many), cmocka_unit_test(map_texts),
        cmocka_unit_test(map_without_default), cmocka_unit_test(map_hostnames),
        cmocka_unit_test(map_patterns), cmocka_unit_test(map_volatile),
        cmocka_unit_test(map_mistakes), cmocka_unit_test(map_in_stream),
        cmocka_unit_test(geo_networks), cmocka_unit_test(geo_everything),
        cmocka_unit_test(geo_of_variable), cmocka_unit_test(geo_ranges),
        cmocka_unit_test(geo_ranges_deleted), cmocka_unit_test(geo_proxies),
        cmocka_unit_test(geo_volatile), cmocka_unit_test(geo_mistakes),
        cmocka_unit_test(geo_warnings), cmocka_unit_test(geo_against_search),
        cmocka_unit_test(forwarded_lines), cmocka_unit_test(split_shares),
        cmocka_unit_test(split_mistakes),
    };

    modules_init(modules);
    return cmocka_run_group_tests(tests, NULL, stop);
}

/*
 * Tests of src/config/resolve: how rows are found and applied, inherited and shared, and what is said of
 * lines that can't be; and of what a generation registers.
 */
#include "test_config/load.h"

#include "config/error_log.h"
#include "config/types.h"
#include "base/syslog.h"

/* ---- a small program: main, http, server, location, and a block of its own ---------------------- */

struct web_conf {
    unsigned number;
    struct str name, own;
    struct strings list;
    unsigned finished;                 /* counts finish() on this struct and those it is a copy of */
};

struct side_conf {
    unsigned value;
    bool finished;
};

static unsigned web_finishes, side_finishes, late_finishes;
static struct block *last_server, *last_location, *last_box;
static char order[256];                /* what was done, in its order */

static void note(const char *what)
{
    strncat(order, what, sizeof order - strlen(order) - 1);
}

static bool open_http(struct setting *s)
{
    note("http ");
    return config_block(s, IN_HTTP, NULL) != NULL;
}

static bool open_server(struct setting *s)
{
    last_server = config_open(s, IN_SERVER, s);
    note("server ");
    config_close(s, last_server);
    return true;
}

static bool open_location(struct setting *s)
{
    note("location ");
    last_location = config_block(s, IN_LOCATION, NULL);
    return true;
}

static bool open_box(struct setting *s)
{
    last_box = config_block(s, IN_OTHER, NULL);
    return true;
}

static bool finish_web(struct setting *s, void *conf)
{
    struct web_conf *web = conf;

    web_finishes++;
    web->finished++;
    note("finish ");
    return web->number != 13 || setting_error(s, 0, "13 is not allowed");
}

static bool finish_side(struct setting *s, void *conf)
{
    (void)s;
    side_finishes++;
    ((struct side_conf *)conf)->finished = true;
    return true;
}

static bool finish_late(struct setting *s, void *conf)
{
    (void)s;
    (void)conf;
    late_finishes++;
    return true;
}

/* A line's words, appended; the children of a block, too. */
static bool parse_list(struct setting *s, void *field)
{
    struct strings *list = field;
    ARRAY(struct str) all = { list->items, list->count, list->count };

    for (const struct node *n = s->node->children; n; n = n->next)
        *ARRAY_PUSH(&all, setting_arena(s)) = arena_str(setting_arena(s), n->words[0].text);
    for (unsigned i = 1; i < s->node->count; i++)
        *ARRAY_PUSH(&all, setting_arena(s)) = arena_str(setting_arena(s), setting_arg(s, i));
    list->items = all.items;
    list->count = all.count;
    return true;
}

static void print_list(const struct directive *row, const void *field, struct out *o)
{
    (void)row;
    (void)field;
    (void)o;
}

static const struct type type_list = { "word ...", "words", parse_list, print_list };

#define ANYWHERE (IN_HTTP | IN_SERVER | IN_LOCATION)

static const struct directive web_rows[] = {
    { "http", IN_MAIN, ARGS(0), .open = open_http, .help = "." },
    { "server", IN_HTTP, ARGS(0), .open = open_server, .flags = REPEATS, .help = "." },
    { "location", IN_SERVER | IN_LOCATION, ARGS(1), .open = open_location, .flags = REPEATS,
      .syntax = "path { ... }", .help = "." },
    { "early", IN_MAIN, ARGS(0), &type_accepted, .flags = EARLY, .help = "." },
    { 0 },
};
static struct module web_blocks = { .name = "blocks", .directives = web_rows };

static const struct directive conf_rows[] = {
    { "number", ANYWHERE, ARGS(1), &type_number, FIELD(struct web_conf, number), .initial = "1",
      .help = "." },
    { "name", ANYWHERE, ARGS(1), &type_str, FIELD(struct web_conf, name), .initial = "x",
      .help = "." },
    { "own", ANYWHERE, ARGS(1), &type_str, FIELD(struct web_conf, own), .initial = "none",
      .flags = NOT_INHERITED, .help = "." },
    { "list", ANYWHERE, ARGS_RANGE(1, 3), &type_list, FIELD(struct web_conf, list),
      .initial = "a b", .flags = REPEATS, .help = "." },
    { "more", ANYWHERE, ARGS(1), &type_list, FIELD(struct web_conf, list), .flags = REPEATS,
      .help = "." },
    { "free", ANYWHERE, ARGS(0), &type_list, FIELD(struct web_conf, list), .flags = FREE_BLOCK,
      .help = "." },
    { "accepted", ANYWHERE, ARGS(1), &type_accepted, .help = "." },
    { "old", ANYWHERE, ARGS(0), &type_accepted, .flags = DEPRECATED, .help = "Write new." },
    { 0 },
};
static struct module web = {
    .name = "web", .directives = conf_rows, .conf_size = sizeof(struct web_conf), .finish = finish_web,
};

static const struct directive side_rows[] = {
    { "value", IN_MAIN | IN_LOCATION, ARGS(1), &type_number, FIELD(struct side_conf, value),
      .initial = "5", .help = "." },
    { 0 },
};
static struct module side = {
    .name = "side", .directives = side_rows, .conf_size = sizeof(struct side_conf),
    .finish = finish_side,
};

static const struct directive late_rows[] = {
    { "late", IN_SERVER | IN_LOCATION, ARGS(1), &type_number, FIELD(struct side_conf, value),
      .initial = "0", .help = "." },
    { "box", IN_HTTP, ARGS(0), .open = open_box, .help = "." },
    { "number", IN_OTHER, ARGS(1), &type_number, FIELD(struct side_conf, value), .help = "." },
    { 0 },
};
static struct module late = {
    .name = "late", .directives = late_rows, .conf_size = sizeof(struct side_conf),
    .finish = finish_late,
};

static const struct directive stream_rows[] = {
    { "stream_only", IN_STREAM, ARGS(0), &type_accepted, .help = "." },
    { "name", IN_STREAM, ARGS(0), &type_accepted, .help = "." },
    { 0 },
};
static struct module stream = { .name = "stream", .directives = stream_rows };

static struct module *const program[] = { &web_blocks, &web, &side, &late, &stream, NULL };

static void load(struct load *l, const char *text)
{
    web_finishes = side_finishes = late_finishes = 0;
    last_server = last_location = last_box = NULL;
    order[0] = '\0';
    load_resolve(l, text);
}

static const struct web_conf *web_of(const struct block *b)
{
    return CONF(b->conf, web);
}

/* ---- inheritance -------------------------------------------------------------------------------- */

static void values_are_inherited(void **state)
{
    struct load l;

    (void)state;
    load(&l, "http { number 2; server { name s; location / { number 3; } } }");
    assert_non_null(l.generation);
    assert_int_equal(web_of(last_server)->number, 2);
    assert_string_equal(web_of(last_server)->name.data, "s");
    assert_int_equal(web_of(last_location)->number, 3);
    assert_string_equal(web_of(last_location)->name.data, "s");
    assert_int_equal(web_of(l.generation->main)->number, 1);
    load_fini(&l);
}

static void structs_are_shared(void **state)
{
    struct load l;

    (void)state;
    load(&l, "http { server { accepted x; location / { value 6; } } }");
    const struct block *http = last_server->parent;
    assert_ptr_equal(last_server->conf, http->parent ? last_server->conf : NULL);
    assert_ptr_equal(web_of(last_server), web_of(http));
    assert_ptr_equal(web_of(last_location), web_of(http));
    assert_ptr_equal(CONF(last_server->conf, side), CONF(l.generation->main->conf, side));
    assert_ptr_not_equal(CONF(last_location->conf, side), CONF(l.generation->main->conf, side));
    load_fini(&l);
}

static void a_block_that_says_nothing_costs_nothing(void **state)
{
    struct load l;

    (void)state;
    load(&l, "http { number 2; server { late 1; location / { } } }");
    assert_ptr_equal(last_location->conf, last_server->conf);
    load_fini(&l);
}

static void some_values_are_not_inherited(void **state)
{
    struct load l;

    (void)state;
    load(&l, "http { own h; server { name s; location / { } } }");
    assert_string_equal(web_of(last_server->parent)->own.data, "h");
    assert_string_equal(web_of(last_server)->own.data, "none");
    assert_string_equal(web_of(last_location)->own.data, "none");
    assert_ptr_equal(web_of(last_location), web_of(last_server));
    load_fini(&l);
    /* Also where the nested block itself sets nothing. */
    load(&l, "http { server { own s; location / { } } }");
    assert_string_equal(web_of(last_server)->own.data, "s");
    assert_string_equal(web_of(last_location)->own.data, "none");
    load_fini(&l);
}

static void lists_are_replaced(void **state)
{
    struct load l;

    (void)state;
    load(&l, "http { list h; server { list s; list t u; location / { } } }");
    assert_int_equal(web_of(last_server->parent)->list.count, 1);
    assert_int_equal(web_of(last_location)->list.count, 3);
    assert_string_equal(web_of(last_server)->list.items[2].data, "u");
    assert_int_equal(web_of(l.generation->main)->list.count, 2);
    load_fini(&l);
    /* Two rows may fill one list. */
    load(&l, "http { more h; server { list s; more t; list u; } }");
    assert_int_equal(web_of(last_server->parent)->list.count, 1);
    assert_int_equal(web_of(last_server)->list.count, 3);
    load_fini(&l);
    load(&l, "http { free { x y; z; } }");
    assert_int_equal(l.diag.errors, 0);
    load_fini(&l);
}

/* ---- order -------------------------------------------------------------------------------------- */

static void own_lines_come_first(void **state)
{
    struct load l;

    (void)state;
    load(&l, "http { server { location /a { } number 2; location /b { } } number 3; server { } }");
    assert_string_equal(order, "http finish finish server location location server ");
    assert_int_equal(web_of(last_server)->number, 3);
    load_fini(&l);
}

static void blocks_are_listed(void **state)
{
    struct load l;
    unsigned contexts[16] = { 0 }, count = 0;

    (void)state;
    load(&l, "http { server { location /a { } } server { } }");
    for (const struct block *b = l.generation->main; b; b = b->next)
        contexts[count++] = b->context;
    assert_int_equal(count, 5);
    assert_int_equal(contexts[0], IN_MAIN);
    assert_int_equal(contexts[2], IN_SERVER);
    assert_int_equal(contexts[3], IN_LOCATION);
    assert_int_equal(contexts[4], IN_SERVER);
    load_fini(&l);
}

static void finish_runs_where_rows_begin(void **state)
{
    struct load l;

    (void)state;
    load(&l, "");
    assert_int_equal(web_finishes, 0);
    assert_int_equal(side_finishes, 1);
    load_fini(&l);
    load(&l, "http { server { location / { location /a { } } } server { number 2; } }");
    assert_int_equal(web_finishes, 2);         /* http, and the second server */
    assert_int_equal(side_finishes, 1);
    assert_int_equal(late_finishes, 1);        /* its own block `box` may stand in http */
    assert_int_equal(web_of(l.generation->main)->finished, 0);
    assert_int_equal(web_of(last_server)->finished, 2);
    load_fini(&l);
    load(&l, "http { number 13; }");
    assert_string_equal(load_show_messages(&l), "13 is not allowed in f:1\n");
    assert_null(l.generation);
    load_fini(&l);
}

static void blocks_of_a_module(void **state)
{
    struct load l;

    (void)state;
    load(&l, "http { number 2; box { number 7; } }");
    assert_int_equal(((struct side_conf *)CONF(last_box->conf, late))->value, 7);
    assert_int_equal(web_of(last_box)->number, 2);
    load_fini(&l);
    load(&l, "http { box { name x; } }");
    assert_string_equal(load_show_messages(&l), "\"name\" directive is not allowed here in f:1\n");
    load_fini(&l);
}

/* ---- mistakes ----------------------------------------------------------------------------------- */

static void says(const char *text, const char *messages)
{
    struct load l;

    load(&l, text);
    assert_string_equal(load_show_messages(&l), messages);
    load_fini(&l);
}

static void hints(const char *text, const char *hint)
{
    struct load l;

    load(&l, text);
    if (!strstr(load_show_mistakes(&l), hint))
        fail_msg("\"%s\" is not in: %s", hint, load_show_mistakes(&l));
    load_fini(&l);
}

static void unknown_names(void **state)
{
    (void)state;
    says("nubmer 1;\nhttp {\nnubmer 1; }",
         "unknown directive \"nubmer\" in f:1\nunknown directive \"nubmer\" in f:3\n");
    hints("http { nubmer 1; }", "= did you mean \"number\"?\n");
    hints("onw 1;", "= did you mean \"own\"?  It may stand in: http, server, location\n");
    says("own 1;", "\"own\" directive is not allowed here in f:1\n");
    hints("own 1;", "= \"own\" may stand in: http, server, location\n");
    hints("name 1;", "= \"name\" may stand in: http, stream, server, location\n");
    says("http { server { server { } } }", "\"server\" directive is not allowed here in f:1\n");
}

static void wrong_forms(void **state)
{
    (void)state;
    says("http;", "directive \"http\" has no opening \"{\" in f:1\n");
    says("http { number 1 { } }", "directive \"number\" is not terminated by \";\" in f:1\n");
    says("http { free; }", "directive \"free\" has no opening \"{\" in f:1\n");
    says("http { number; }", "invalid number of arguments in \"number\" directive in f:1\n");
    says("http { number 1 2; }", "invalid number of arguments in \"number\" directive in f:1\n");
    says("http x { }", "invalid number of arguments in \"http\" directive in f:1\n");
    hints("http { number; }", "= syntax: number number;\n");
    hints("http { server { location { } } }", "= syntax: location path { ... }\n");
    hints("http { number 1\nname x; }", "= is \";\" missing after \"1\" in line 1?\n");
    hints("http { list 1\nname x; number y; }", "expected: a number from 0 to");
}

static void duplicates(void **state)
{
    (void)state;
    says("http { number 1;\nnumber 2; }", "\"number\" directive is duplicate in f:2\n");
    hints("http { number 1;\nnumber 2; }", "= the first one stands in f:1\n");
    says("http { }\nhttp { bad; }", "\"http\" directive is duplicate in f:2\n");
    says("http { number 1; server { number 2; } }", "");
    says("http { list a; list b; server { } server { } }", "");
}

static void flags_of_rows(void **state)
{
    (void)state;
    says("early;\nhttp { }\n", "");
    says("http { }\nearly;", "\"early\" directive is specified too late in f:2\n");
    says("http { old; }", "[warn] the \"old\" directive is deprecated: Write new. in f:1\n");
}

static void all_mistakes_in_their_order(void **state)
{
    (void)state;
    says("a;\nhttp {\n server {\n b;\n location / { c;\n }\n }\n number x;\n}\nd;",
         "unknown directive \"a\" in f:1\n"
         "unknown directive \"b\" in f:4\n"
         "unknown directive \"c\" in f:5\n"
         "\"number\" directive invalid number in f:8\n"
         "unknown directive \"d\" in f:10\n");
}

/* ---- modules ------------------------------------------------------------------------------------ */

static void index_of_rows(void **state)
{
    struct module *m;

    (void)state;
    assert_string_equal(modules_find(STR("name"), IN_SERVER, &m)->name, "name");
    assert_ptr_equal(m, &web);
    assert_non_null(modules_find(STR("name"), IN_STREAM, &m));
    assert_ptr_equal(m, &stream);
    assert_null(modules_find(STR("name"), IN_MAIN, NULL));
    assert_null(modules_find(STR("nam"), ~0u, NULL));
    assert_int_equal(modules_contexts(STR("name")), ANYWHERE | IN_STREAM);
    assert_int_equal(modules_contexts(STR("none")), 0);
    assert_false(modules_add(&web));
    assert_int_equal(modules_count(), 5);
    assert_ptr_equal(modules_at(side.index), &side);
}

static void modules_can_be_added(void **state)
{
    static const struct directive rows[] = {
        { "added", IN_MAIN, ARGS(1), &type_number, .offset = 0, .size = sizeof(unsigned),
          .initial = "9", .help = "." },
        { 0 },
    };
    static struct module added = { .name = "added", .directives = rows,
                                   .conf_size = sizeof(unsigned) };
    struct load l;

    (void)state;
    assert_true(modules_add(&added));
    load(&l, "");
    assert_int_equal(*(unsigned *)CONF(l.generation->main->conf, added), 9);
    load_fini(&l);
    modules_init(program);
    says("added 1;", "unknown directive \"added\" in f:1\n");
}

/* ---- many servers ------------------------------------------------------------------------------- */

static void many_servers(void **state)
{
    struct load l;
    struct arena a;

    (void)state;
    arena_init(&a);
    struct out o = out_growing(&a, 64 << 20);
    OUT_LITERAL(&o, "http {\n");
    for (unsigned i = 0; i < 5000; i++)
        out_printf(&o, "server { name server%u; location / { } location /x { number 2; } }\n", i);
    OUT_LITERAL(&o, "}\n");
    out_char(&o, '\0');
    load(&l, o.start);
    assert_int_equal(l.diag.errors, 0);
    assert_string_equal(web_of(last_server)->name.data, "server4999");
    load_fini(&l);
    arena_fini(&a);
}

/* ---- generations -------------------------------------------------------------------------------- */

static void log_files_are_registered_once(void **state)
{
    struct generation *g = generation_new();
    char path[32];

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(path, sizeof path, "/log/%u", i % 1000);
        struct log_file *f = generation_log_file(g, str_of(path));
        assert_int_equal(f->fd, -1);
        assert_string_equal(f->path.data, path);
        assert_ptr_equal(g->log_files.items[i % 1000], f);
    }
    assert_int_equal(g->log_files.count, 1000);
    generation_temp_folder(g, STR("/a"));
    generation_temp_folder(g, STR("/b"));
    generation_temp_folder(g, STR("/a"));
    assert_int_equal(g->temp_folders.count, 2);
    generation_unref(g);
}

static void count_up(void *data)
{
    (*(unsigned *)data)++;
}

static void generations_are_counted(void **state)
{
    struct generation *g = generation_new();
    unsigned cleaned = 0;

    (void)state;
    generation_cleanup(g, count_up, &cleaned);
    generation_cleanup(g, count_up, &cleaned);
    generation_unref(generation_ref(g));
    assert_int_equal(cleaned, 0);
    generation_unref(g);
    assert_int_equal(cleaned, 2);
    generation_unref(NULL);
}

/* ---- error_log ---------------------------------------------------------------------------------- */

static struct module *const log_program[] = { &web_blocks, &error_log_module, NULL };

static const struct log *log_of(const struct block *b)
{
    return &((const struct error_log_conf *)CONF(b->conf, error_log_module))->log;
}

static void error_log_of_its_own_accord(void **state)
{
    struct load l;

    (void)state;
    modules_init(log_program);
    load(&l, "");
    const struct log *log = error_log_main(l.generation);
    assert_int_equal(log->count, 1);
    assert_int_equal(log->level, LOG_LEVEL_ERROR);
    assert_int_equal(l.generation->log_files.count, 1);
    assert_ptr_equal(log->targets[0].file, l.generation->log_files.items[0]);
    load_fini(&l);
    error_log_default_path = STR("/given/x.log");
    load(&l, "");
    assert_string_equal(error_log_main(l.generation)->targets[0].file->path.data, "/given/x.log");
    load_fini(&l);
    error_log_default_path = STR("stderr");
    load(&l, "");
    assert_int_equal(error_log_main(l.generation)->targets[0].file->fd, 2);
    assert_int_equal(l.generation->log_files.count, 0);
    load_fini(&l);
    error_log_default_path = (struct str){ NULL, 0 };
}

static void error_logs(void **state)
{
    struct load l;

    (void)state;
    load(&l, "error_log a.log; error_log b.log info; http { error_log a.log warn; server { } }");
    const struct log *log = error_log_main(l.generation);
    assert_int_equal(log->count, 2);
    assert_int_equal(log->level, LOG_LEVEL_INFO);
    assert_string_equal(log->targets[0].file->path.data, "/prefix/a.log");
    assert_int_equal(l.generation->log_files.count, 2);        /* not the default one */
    assert_int_equal(log_of(last_server)->count, 1);
    assert_int_equal(log_of(last_server)->level, LOG_LEVEL_WARN);
    assert_ptr_equal(log_of(last_server)->targets[0].file, log->targets[0].file);
    load_fini(&l);
    load(&l, "error_log syslog:server=127.0.0.1,tag=x notice; error_log stderr;");
    log = error_log_main(l.generation);
    assert_string_equal(log->targets[0].syslog->tag.data, "x");
    assert_int_equal(log->level, LOG_LEVEL_NOTICE);
    assert_int_equal(log->targets[1].file->fd, 2);
    load_fini(&l);
}

static void bad_error_logs(void **state)
{
    (void)state;
    says("error_log x loud;", "invalid log level \"loud\" in f:1\n");
    says("error_log memory:32m debug;",
         "logging to memory is not supported: name a file instead in f:1\n");
    says("error_log;", "invalid number of arguments in \"error_log\" directive in f:1\n");
    struct load l;
    load(&l, "error_log syslog:bad=1;");
    assert_int_equal(l.diag.errors, 1);
    load_fini(&l);
    modules_init(program);
}

static int init(void **state)
{
    (void)state;
    modules_init(program);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_inherited),
        cmocka_unit_test(structs_are_shared),
        cmocka_unit_test(a_block_that_says_nothing_costs_nothing),
        cmocka_unit_test(some_values_are_not_inherited),
        cmocka_unit_test(lists_are_replaced),
        cmocka_unit_test(own_lines_come_first),
        cmocka_unit_test(blocks_are_listed),
        cmocka_unit_test(finish_runs_where_rows_begin),
        cmocka_unit_test(blocks_of_a_module),
        cmocka_unit_test(unknown_names),
        cmocka_unit_test(wrong_forms),
        cmocka_unit_test(duplicates),
        cmocka_unit_test(flags_of_rows),
        cmocka_unit_test(all_mistakes_in_their_order),
        cmocka_unit_test(index_of_rows),
        cmocka_unit_test(modules_can_be_added),
        cmocka_unit_test(many_servers),
        cmocka_unit_test(log_files_are_registered_once),
        cmocka_unit_test(generations_are_counted),
        cmocka_unit_test(error_log_of_its_own_accord),
        cmocka_unit_test(error_logs),
        cmocka_unit_test(bad_error_logs),
    };

    return cmocka_run_group_tests(tests, init, NULL);
}

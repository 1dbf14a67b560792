/*
 * Tests of src/config/reference*.c: help, list, man page, HTML, completion and dump.
 */
#include "test_config/load.h"

#include "config/reference.h"
#include "config/types.h"

/* ---- a program of a few directives ----------------------------------------------------------- */

struct outer_conf {
    bool daemon;
    unsigned level;
};

struct inner_conf {
    size_t size;
    struct str root, once, text;
    struct strings index;
    unsigned masks;
};

static bool open_web(struct setting *s)
{
    return config_block(s, IN_HTTP, NULL) != NULL;
}

static bool open_server(struct setting *s)
{
    return config_block(s, IN_SERVER, NULL) != NULL;
}

static bool parse_lines(struct setting *s, void *field)
{
    (void)s;
    (void)field;
    return true;
}

static const struct type type_lines = { "", "lines", parse_lines, print_nothing };
static const struct name_value levels[] = { { "low", 0 }, { "high", 1 }, { NULL, 0 } };
static const struct name_value masks[] = { { "x", 1 }, { "y", 2 }, { NULL, 0 } };

static const struct directive outer_rows[] = {
    { "daemon", IN_MAIN, ARGS(1), &type_flag, FIELD(struct outer_conf, daemon), .initial = "on",
      .help = "Go away." },
    { "level", IN_MAIN, ARGS(1), &type_enum, FIELD(struct outer_conf, level), .initial = "low",
      .data = levels, .help = "How \\much. And <why>." },
    { "web", IN_MAIN, ARGS(0), .open = open_web, .help = "The web." },
    { 0 },
};
static const struct directive inner_rows[] = {
    { "buffer_size", IN_HTTP | IN_SERVER, ARGS(1), &type_size, FIELD(struct inner_conf, size),
      .initial = "8k", .help = "Bytes." },
    { "root", IN_HTTP | IN_SERVER, ARGS(1), &type_path, FIELD(struct inner_conf, root),
      .initial = "html", .help = "A folder." },
    { "once", IN_HTTP | IN_SERVER, ARGS(1), &type_str, FIELD(struct inner_conf, once),
      .flags = NOT_INHERITED, .help = "Here alone." },
    { "text", IN_SERVER, ARGS(1), &type_str, FIELD(struct inner_conf, text), .initial = "\"\"",
      .syntax = "[ a | \"b\" ] ...", .help = ".Starts with a dot." },
    { "index", IN_HTTP | IN_SERVER, ARGS_RANGE(1, ARGS_ANY), &type_strings,
      FIELD(struct inner_conf, index), .flags = REPEATS, .help = "Files." },
    { "masks", IN_HTTP, ARGS_RANGE(1, 2), &type_bitmask, FIELD(struct inner_conf, masks),
      .data = masks, .help = "Some." },
    { "old", IN_HTTP, ARGS(1), &type_accepted, .flags = DEPRECATED, .help = "Has no effect." },
    { "map", IN_HTTP | IN_SERVER, ARGS(1), &type_lines, FIELD(struct inner_conf, masks),
      .flags = FREE_BLOCK, .syntax = "name", .help = "Pairs." },
    { "server", IN_HTTP, ARGS(0), .open = open_server, .flags = REPEATS, .help = "A server." },
    { 0 },
};

static struct module outer_module = {
    .name = "ngx_core_module", .directives = outer_rows, .conf_size = sizeof(struct outer_conf),
};
static struct module inner_module = {
    .name = "ngx_web_inner_module",
    .directives = inner_rows,
    .conf_size = sizeof(struct inner_conf),
};

/* ---- what is printed ------------------------------------------------------------------------- */

static char *printed;
static size_t printed_size;

static FILE *begin(void)
{
    free(printed);
    printed = NULL;
    return open_memstream(&printed, &printed_size);
}

static const char *text_of(void (*print)(FILE *f))
{
    FILE *f = begin();

    print(f);
    fclose(f);
    return printed;
}

static bool help(const char *name)
{
    FILE *f = begin();
    bool found = reference_help(f, str_of(name));

    fclose(f);
    return found;
}

static void has(const char *part)
{
    if (!strstr(printed, part))
        fail_msg("\"%s\" is not in:\n%s", part, printed);
}

static void help_of_directives(void **state)
{
    (void)state;
    assert_true(help("buffer_size"));
    assert_string_equal(printed,
                        "buffer_size                                               "
                        "ngx_web_inner_module\n\n"
                        "    syntax    buffer_size size;\n"
                        "    value     a size such as 8k or 1m\n"
                        "    default   8k\n"
                        "    context   http, server\n\n"
                        "    Bytes.\n");
    assert_true(help("level"));
    has("syntax    level low | high;\n");
    assert_true(help("masks"));
    has("syntax    masks x | y ...;\n");
    has("default   none\n");
    assert_true(help("map"));
    has("syntax    map name { ... }\n");
    assert_true(help("server"));
    has("syntax    server { ... }\n");
    assert_true(help("old"));
    has("    Has no effect.\n    Deprecated.\n");
    assert_true(help("once"));
    has("Nested blocks do not inherit it.\n");
}

static void help_of_modules(void **state)
{
    (void)state;
    assert_true(help("ngx_web_inner_module"));
    has("\n    server { ... }\n        A server.\n");
    assert_true(help("web_inner"));
    assert_true(help("core_module"));
}

static void help_of_unknown(void **state)
{
    (void)state;
    assert_false(help("bufer_size"));
    assert_string_equal(printed, "There is no directive \"bufer_size\". Did you mean: "
                                 "buffer_size?\n");
    assert_false(help("size"));
    assert_string_equal(printed, "There is no directive \"size\". Did you mean: buffer_size?\n");
    assert_false(help("xxxxxxxxx"));
    assert_string_equal(printed, "There is no directive \"xxxxxxxxx\". weir help --list shows them "
                                 "all.\n");
    assert_false(help(""));
}

static void list(void **state)
{
    (void)state;
    text_of(reference_list);
    has("ngx_core_module\tdaemon\tmain\ton\ton | off\n");
    has("ngx_core_module\tweb\tmain\t\t{ ... }\n");
    has("ngx_web_inner_module\tmap\thttp,server\t\tname { ... }\n");
    has("ngx_web_inner_module\told\thttp\t\tvalue\n");
}

static void man(void **state)
{
    (void)state;
    text_of(reference_man);
    has(".Ss ngx_web_inner_module\n");
    has(".It Ic level Ar \"low | high\\&\"\nHow \\emuch.\nAnd <why>.\n");
    has(".It Ic text Ar \"[ a | \"\"b\"\" ] ...\\&\"\n\\&.Starts with a dot.\n");
}

static void html(void **state)
{
    (void)state;
    text_of(reference_html);
    has("<article id=\"level\">");
    has("And &lt;why&gt;.");
    has("<pre><b>text</b> [ a | &quot;b&quot; ] ...;</pre>");
    assert_null(strstr(printed, "src="));          /* no other file */
    assert_null(strstr(printed, "http://"));
}

static void completion(void **state)
{
    (void)state;
    text_of(reference_completion);
    has("_weir_names='buffer_size\ndaemon\nindex\n");
    has("_weir_main='daemon\nlevel\nweb\n'");
}

/* ---- dump ------------------------------------------------------------------------------------ */

static const char configuration[] =
    "level high;\n"
    "web {\n"
    "    root files;\n"
    "    index a 'b c';\n"
    "    index d;\n"
    "    once \"in web\";\n"
    "    map m { a b; include { c; } }\n"
    "    server { text 'a;b'; }\n"
    "    server { index e; root /srv; }\n"
    "}\n";

static const char *dump(const char *text)
{
    struct load l;
    FILE *f = begin();

    load_resolve(&l, text);
    assert_string_equal(load_show_messages(&l), "");
    reference_dump(f, l.generation, l.tree);
    fclose(f);
    load_fini(&l);
    return printed;
}

/* Without what stands behind "#", and without empty lines and spaces. */
static char *bare(const char *text)
{
    char *copy = test_malloc(strlen(text) + 1), *to = copy;

    for (const char *at = text; *at;) {
        if (*at == '#') {
            at += strcspn(at, "\n");
            continue;
        }
        if (*at != ' ' && (*at != '\n' || (to > copy && to[-1] != '\n')))
            *to++ = *at;
        at++;
    }
    *to = '\0';
    return copy;
}

static void dump_of_values(void **state)
{
    (void)state;
    dump(configuration);
    has("# daemon on;                                            # default\n");
    has("level high;                                             # f:1\n");
    has("    # buffer_size 8k;                                   # default\n");
    has("    index a \"b c\";                                      # f:4\n");
    char *values = bare(printed);
    assert_string_equal(values, "levelhigh;\n"
                                "web{\n"
                                "root/prefix/files;\n"
                                "indexa\"bc\";\n"
                                "indexd;\n"
                                "once\"inweb\";\n"
                                "mapm{\nab;\ninclude{\nc;\n}\n}\n"
                                "server{\nroot/prefix/files;\nindexa\"bc\";\nindexd;\n"
                                "text\"a;b\";\n}\n"
                                "server{\nindexe;\nroot/srv;\n}\n"
                                "}\n");
    test_free(values);
}

/* The dump is a configuration, and its own dump says the same. */
static void dump_of_dump(void **state)
{
    (void)state;
    char *first = test_malloc(strlen(dump(configuration)) + 1);
    strcpy(first, printed);
    char *values = bare(first), *again = bare(dump(first));
    /* What was inherited stands there as a line now: the order may differ, the number may not. */
    assert_int_equal(strlen(values), strlen(again));
    test_free(first);
    test_free(values);
    test_free(again);
}

static int init(void **state)
{
    static struct module *const modules[] = { &outer_module, &inner_module, NULL };

    (void)state;
    modules_init(modules);
    return 0;
}

static int fini(void **state)
{
    (void)state;
    free(printed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_of_directives),
        cmocka_unit_test(help_of_modules),
        cmocka_unit_test(help_of_unknown),
        cmocka_unit_test(list),
        cmocka_unit_test(man),
        cmocka_unit_test(html),
        cmocka_unit_test(completion),
        cmocka_unit_test(dump_of_values),
        cmocka_unit_test(dump_of_dump),
    };

    return cmocka_run_group_tests(tests, init, fini);
}

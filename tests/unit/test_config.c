/*
 * Tests of src/config/: the grammar, included files, and how mistakes are shown.
 */
#include "test_config/load.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- words and blocks --------------------------------------------------------------------------- */

static void reads(const char *text, const char *tree)
{
    struct load l;

    load_parse(&l, text);
    assert_string_equal(load_show_messages(&l), "");
    assert_string_equal(load_show_tree(&l), tree);
    load_fini(&l);
}

static void words(void **state)
{
    (void)state;
    reads("", "");
    reads(" \t\r\n", "");
    reads("a;", "[a];");
    reads("a b c;", "[a] [b] [c];");
    reads("a b;c d;", "[a] [b];[c] [d];");
    reads("a\n  b\r\n\tc\n;", "[a] [b] [c];");
    reads("\xef\xbb\xbf" "a b;", "[a] [b];");
    reads("a b\\; c;", "[a] [b\\;] [c];");
}

static void quotes(void **state)
{
    (void)state;
    reads("a \"b c\";", "[a] [b c];");
    reads("a 'b \"c\"';", "[a] [b \"c\"];");
    reads("a \"\" '';", "[a] [] [];");
    reads("\"a\" b;", "[a] [b];");
    reads("a b\"c\"d;", "[a] [b\"c\"d];");
    reads("a \"x;{}#y\";", "[a] [x;{}#y];");
    reads("a \"b\nc\";", "[a] [b\nc];");
    reads("if (\"$a\" = \"b\") { c; }", "[if] [(\"$a\"] [=] [b] [)]{[c];}");
    reads("a \"b\"{ c; }", "[a] [b]{[c];}");
}

static void escapes(void **state)
{
    (void)state;
    reads("a b\\\"c \\'d \\\\e;", "[a] [b\"c] ['d] [\\e];");
    reads("a \\t \\r \\n;", "[a] [\t] [\r] [\n];");
    reads("a \\.php$ \\d+\\x;", "[a] [\\.php$] [\\d+\\x];");
    reads("a \"\\\"b\\\" \\. \\$ \\n\";", "[a] [\"b\" \\. \\$ \n];");
    reads("a '\\'' \"\\\\\";", "[a] ['] [\\];");
    reads("a b\\ c;", "[a] [b\\ c];");
    reads("a b\\{c;", "[a] [b\\{c];");
}

static void braces(void **state)
{
    (void)state;
    reads("a { }", "[a]{}");
    reads("a{b;}c;", "[a]{[b];}[c];");
    reads("a { b { c; } d; } e;", "[a]{[b]{[c];}[d];}[e];");
    reads("a ${b}c$d;", "[a] [${b}c$d];");
    reads("a ${{b;", "[a] [${{b];");
    reads("a \"${b}\";", "[a] [${b}];");
    reads("a b}c;", "[a] [b}c];");
    reads("a \\${ b; }", "[a] [\\$]{[b];}");
    reads("a b$ { c; }", "[a] [b$]{[c];}");
}

static void comments(void **state)
{
    (void)state;
    reads("# a\nb;# c\n", "[b];");
    reads("a b#c;", "[a] [b#c];");
    reads("a # b;\n c;", "[a] [c];");
    reads("a \"#b\" \\#c;", "[a] [#b] [\\#c];");
    reads("a; # \"unclosed {", "[a];");
}

static void places(void **state)
{
    struct load l;

    (void)state;
    load_parse(&l, "\n a  \"b\"\n\tcc;\nd {\n}\n");
    const struct node *n = l.tree->top;
    assert_int_equal(n->words[0].line, 2);
    assert_int_equal(n->words[0].column, 2);
    assert_int_equal(n->words[1].column, 5);
    assert_int_equal(n->words[1].width, 3);
    assert_int_equal(n->words[2].line, 3);
    assert_int_equal(n->words[2].column, 2);
    assert_int_equal(n->words[2].width, 2);
    assert_int_equal(n->next->end_line, 5);
    assert_ptr_equal(tree_find(l.tree->top, STR("d")), n->next);
    assert_null(tree_find(l.tree->top, STR("x")));
    load_fini(&l);
}

/* ---- mistakes ----------------------------------------------------------------------------------- */

/* What is said, and what is read in spite of it. */
static void fails(const char *text, const char *messages, const char *tree)
{
    struct load l;

    load_parse(&l, text);
    assert_string_equal(load_show_messages(&l), messages);
    assert_string_equal(load_show_tree(&l), tree);
    load_fini(&l);
}

static void broken_blocks(void **state)
{
    (void)state;
    fails("a;\n}\nb;", "unexpected \"}\" in f:2\n", "[a];[b];");
    fails("a {\nb\n}\nc;", "unexpected \"}\" in f:3\n", "[a]{}[c];");
    fails("a {\n b;\n", "unexpected end of file, expecting \"}\" in f:2\n", "[a]{[b];}");
    fails("a {\n b { c;", "unexpected end of file, expecting \"}\" in f:2\n"
                         "unexpected end of file, expecting \"}\" in f:2\n", "[a]{[b]{[c];}}");
    fails("a b", "unexpected end of file, expecting \";\" or \"}\" in f:1\n", "");
    fails(";\na;", "unexpected \";\" in f:1\n", "[a];");
    fails("{ a; }\nb;", "unexpected \"{\" in f:1\n", "[b];");
    fails("a { { b; } }\nc;", "unexpected \"{\" in f:1\n", "[a]{}[c];");
}

static void broken_quotes(void **state)
{
    (void)state;
    fails("a \"b\"c;\nd;", "unexpected \"c\" in f:1\n", "[d];");
    fails("a \"b\"c { d; }\ne;", "unexpected \"c\" in f:1\n", "[e];");
    fails("a \"b\"#c;\nd;", "unexpected \"#\" in f:1\n", "[d];");
    fails("a \"b;\nc;\n", "unexpected end of file, expecting \";\" or \"}\" in f:1\n", "[c];");
    fails("x { a 'b;\nc; }\n", "unexpected end of file, expecting \";\" or \"}\" in f:1\n",
          "[x]{[c];}");
    /* A quote too few turns all others inside out: only one mistake is told. */
    fails("a \"b;\nc d;\ne \"f\";\ng \"h\";\n", "unexpected \"f\" in f:3\n", "[c] [d];[e] [f];[g] [h];");
    fails("a \"b {\nc;\n}\ne \"f\";\n", "unexpected \"f\" in f:4\n", "[e] [f];");
}

static char *repeated(const char *text, size_t count, const char *end)
{
    size_t len = strlen(text);
    char *all = malloc(count * len + strlen(end) + 1);

    for (size_t i = 0; i < count; i++)
        memcpy(all + i * len, text, len);
    strcpy(all + count * len, end);
    return all;
}

static void limits(void **state)
{
    struct load l;
    char *text = repeated("x", TREE_MAX_LINE + 1, ";\ny;");

    (void)state;
    fails(text, "too long parameter in f:1\n", "[y];");
    free(text);
    text = repeated("x ", TREE_MAX_LINE + 1, "; y;");
    fails(text, "too long line in f:1\n", "[y];");
    free(text);
    text = repeated("a {", TREE_MAX_DEPTH + 1, "");
    load_parse(&l, text);
    assert_non_null(strstr(load_show_messages(&l), "too many nested blocks in f:1\n"));
    load_fini(&l);
    free(text);
    text = repeated("a {", TREE_MAX_DEPTH, "");
    load_parse(&l, text);
    assert_null(strstr(load_show_messages(&l), "too many"));
    load_fini(&l);
    free(text);
    text = repeated("}\n", 5000, "");          /* no more than can be read */
    load_parse(&l, text);
    assert_int_equal(l.diag.errors, 5000);
    assert_int_equal(l.diag.items.count, DIAG_MAX);
    assert_non_null(strstr(load_show_mistakes(&l), "4000 more mistakes are not shown"));
    load_fini(&l);
    free(text);
}

static void no_text(void **state)
{
    struct load l;

    (void)state;
    load_init(&l);
    l.tree = tree_parse(STR("f"), STR("\xff\xfe" "a\0\n\0b\0"), &l.diag);
    assert_string_equal(load_show_messages(&l), "unexpected NUL byte, this is no text in f:1\n");
    assert_non_null(strstr(load_show_mistakes(&l), "UTF-16"));
    load_fini(&l);
}

static void shown(void **state)
{
    struct load l;

    (void)state;
    load_parse(&l, "server {\n\tname \"b\"c;\n");
    assert_string_equal(load_show_mistakes(&l),
                        "weir: [emerg] unexpected \"c\" in f:2\n"
                        "     2 |  name \"b\"c;\n"
                        "       |          ^\n"
                        "       = a quoted word ends with a space, \";\", \"{\" or \")\"\n"
                        "weir: [emerg] unexpected end of file, expecting \"}\" in f:2\n"
                        "       = the block \"server\" of line 1 is not closed\n");
    load_fini(&l);
}

static void shown_safely(void **state)
{
    struct load l;
    struct str text = STR("a \"\xc3\xa4\x1b[2J\"b;");

    (void)state;
    load_init(&l);
    l.tree = tree_parse(STR("f"), text, &l.diag);
    assert_string_equal(load_show_mistakes(&l),
                        "weir: [emerg] unexpected \"b\" in f:1\n"
                        "     1 | a \"\xc3\xa4?[2J\"b;\n"
                        "       |          ^\n"
                        "       = a quoted word ends with a space, \";\", \"{\" or \")\"\n");
    load_fini(&l);
}

/* What is no UTF-8 is shown somehow. */
static void junk_is_shown(void **state)
{
    struct load l;
    char *junk[] = { repeated("\xbd", 125, "er {\n} }\n"), repeated("\xbd", 300, " \"x\"y;"),
                     repeated("\xff", 60, " \"x\"y;\xbd"), repeated("\xbd", 5000, "") };

    (void)state;
    for (unsigned i = 0; i < sizeof junk / sizeof junk[0]; i++) {
        load_resolve(&l, junk[i]);
        assert_non_null(strstr(load_show_mistakes(&l), "^"));
        load_fini(&l);
        free(junk[i]);
    }
}

static void long_lines_are_cut(void **state)
{
    struct load l;
    char *text = repeated("abcdefg ", 100, "\"x\"y;");

    (void)state;
    load_parse(&l, text);
    const char *shown_text = load_show_mistakes(&l);
    const char *line = strchr(shown_text, '\n') + 1, *caret = strchr(line, '\n') + 1;
    assert_true(caret - line < 120);
    assert_int_equal(line[strchr(caret, '^') - caret], 'y');
    load_fini(&l);
    free(text);
}

/* ---- files -------------------------------------------------------------------------------------- */

static char folder[] = "/tmp/weir-test-XXXXXX";

static struct str path_of(struct load *l, const char *name)
{
    return arena_printf(&l->arena, "%s/%s", folder, name);
}

static void write_file(const char *name, const char *text)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void read_files(struct load *l, const char *globals)
{
    load_init(l);
    l->tree = tree_read(path_of(l, "main.conf"), str_of(globals), &l->diag);
}

/* Messages without the folder's name. */
static const char *messages(struct load *l)
{
    struct str rest = str_of(load_show_messages(l)), name = str_of(folder);
    struct out o = out_growing(&l->arena, 65536);
    ptrdiff_t at;

    while ((at = str_find(rest, name)) >= 0) {
        out_str(&o, str_first(rest, (size_t)at));
        rest = str_from(rest, (size_t)at + name.len + 1);
    }
    out_str(&o, rest);
    out_char(&o, '\0');
    return o.start;
}

static void files_are(const char *globals, const char *tree, const char *said)
{
    struct load l;

    read_files(&l, globals);
    assert_string_equal(messages(&l), said);
    assert_string_equal(load_show_tree(&l), tree);
    load_fini(&l);
}

static void includes(void **state)
{
    (void)state;
    write_file("main.conf", "a; include one.conf; b { include d/*.conf; c; }\ninclude \"none/*\";");
    write_file("one.conf", "one;\ninclude two.conf;");
    write_file("two.conf", "\xef\xbb\xbf" "two { x; }");
    write_file("d/2.conf", "d2;");
    write_file("d/1.conf", "d1;\r\n");
    write_file("d/3.conf", "include two.conf; d3;");
    files_are("", "[a];[one];[two]{[x];}[b]{[d1];[d2];[two]{[x];}[d3];[c];}", "");
}

static void includes_are_kept_once(void **state)
{
    struct load l;

    (void)state;
    write_file("main.conf", "include two.conf; include two.conf; b { include two.conf; }");
    read_files(&l, "");
    assert_int_equal(l.tree->files.count, 2);
    assert_true(str_ends(l.tree->files.items[1].path, STR("/two.conf")));
    assert_int_equal(l.tree->top->file, 1);
    load_fini(&l);
}

static void missing_files(void **state)
{
    struct load l;

    (void)state;
    write_file("main.conf", "a;\n include none.conf;\nb;\ninclude;\ninclude a b;\n");
    files_are("", "[a];[b];", "open() \"none.conf\" failed (2: No such file or directory) in main.conf:2\n"
              "invalid number of arguments in \"include\" directive in main.conf:4\n"
              "invalid number of arguments in \"include\" directive in main.conf:5\n");
    write_file("main.conf", "include d;");
    files_are("", "", "read() \"d\" failed (21: Is a directory) in main.conf:1\n");
    load_init(&l);
    l.tree = tree_read(STR("/nowhere/x.conf"), STR(""), &l.diag);
    assert_string_equal(load_show_mistakes(&l), "weir: [emerg] open() \"/nowhere/x.conf\" failed "
                                                "(2: No such file or directory)\n");
    load_fini(&l);
}

static void blocks_end_in_their_file(void **state)
{
    (void)state;
    write_file("main.conf", "a { include open.conf; b; } c;");
    write_file("open.conf", "x; }\ny {");
    files_are("", "[a]{[x];[y]{}[b];}[c];", "unexpected \"}\" in open.conf:1\n"
              "unexpected end of file, expecting \"}\" in open.conf:2\n");
}

static void include_loops(void **state)
{
    struct load l;
    char path[256];

    (void)state;
    write_file("main.conf", "a; include l1.conf; b;");
    write_file("l1.conf", "c;\ninclude l2.conf; d;");
    write_file("l2.conf", "include ./l1.conf; e;");
    files_are("", "[a];[c];[e];[d];[b];", "\"./l1.conf\" includes itself in l2.conf:1\n");
    read_files(&l, "");
    assert_non_null(strstr(load_show_mistakes(&l), "it is included from "));
    load_fini(&l);

    snprintf(path, sizeof path, "%s/link.conf", folder);
    assert_int_equal(symlink("main.conf", path), 0);
    write_file("main.conf", "include link.conf; b;");
    files_are("", "[b];", "\"link.conf\" includes itself in main.conf:1\n");
}

static void long_include_chain(void **state)
{
    struct load l;

    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        char name[32], text[64];
        snprintf(name, sizeof name, "d/chain%u", i);
        snprintf(text, sizeof text, "include d/chain%u;", i + 1);
        write_file(name, text);
    }
    write_file("main.conf", "include d/chain0;");
    read_files(&l, "");
    assert_string_equal(messages(&l), "more than 100 files include each other in d/chain99:1\n");
    load_fini(&l);
}

static void globals(void **state)
{
    (void)state;
    write_file("main.conf", "b;");
    files_are("a 1; c 2;", "[a] [1];[c] [2];[b];", "");
    files_are("a 1", "[b];", "unexpected end of parameter, expecting \";\" in command line\n");
    files_are("a }", "[b];", "unexpected \"}\" in command line\n");
}

static void lines_of_texts(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a);
    struct node *n = tree_line(&a, STR("log_format"), STR("main '$a \"b\"' x"));
    assert_int_equal(n->count, 4);
    assert_string_equal(n->words[0].text.data, "log_format");
    assert_string_equal(n->words[2].text.data, "$a \"b\"");
    assert_int_equal(n->words[0].line, 0);
    n = tree_line(&a, STR("x"), STR(""));
    assert_int_equal(n->count, 1);
    arena_fini(&a);
}

static int make_folder(void **state)
{
    char path[256];

    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/d", folder);
    return mkdir(path, 0700);
}

static int remove_folder(void **state)
{
    char command[256];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(quotes),
        cmocka_unit_test(escapes),
        cmocka_unit_test(braces),
        cmocka_unit_test(comments),
        cmocka_unit_test(places),
        cmocka_unit_test(broken_blocks),
        cmocka_unit_test(broken_quotes),
        cmocka_unit_test(limits),
        cmocka_unit_test(no_text),
        cmocka_unit_test(shown),
        cmocka_unit_test(shown_safely),
        cmocka_unit_test(junk_is_shown),
        cmocka_unit_test(long_lines_are_cut),
        cmocka_unit_test(includes),
        cmocka_unit_test(includes_are_kept_once),
        cmocka_unit_test(missing_files),
        cmocka_unit_test(blocks_end_in_their_file),
        cmocka_unit_test(include_loops),
        cmocka_unit_test(long_include_chain),
        cmocka_unit_test(globals),
        cmocka_unit_test(lines_of_texts),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

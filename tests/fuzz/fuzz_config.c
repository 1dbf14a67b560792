/*
 * fuzz_config: texts of configurations, read, resolved against a few directives and blocks of every
 * kind, and dumped.  A dump is a configuration without mistakes.  `include` is left out: it would
 * read this machine's files.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "config/reference.h"
#include "config/types.h"

struct conf {
    bool flag;
    unsigned number, names, mask;
    size_t size;
    int64_t offset;
    uint64_t time;
    time_t seconds;
    struct str str, path, once;
    struct strings strings;
    struct bufs bufs;
};

static bool open_http(struct setting *s)
{
    return config_block(s, IN_HTTP, NULL) != NULL;
}

static bool open_server(struct setting *s)
{
    struct block *b = config_open(s, IN_SERVER, NULL);

    config_close(s, b);
    return true;
}

static bool open_location(struct setting *s)
{
    return config_block(s, IN_LOCATION, NULL) != NULL;
}

static bool parse_free(struct setting *s, void *field)
{
    (void)field;
    for (const struct node *n = s->node->children; n; n = n->next) {
        if (n->block)
            return setting_error(s, 0, "unexpected block");
    }
    return true;
}

#define EVERYWHERE (IN_MAIN | IN_HTTP | IN_SERVER | IN_LOCATION)
#define ROW(name, count, kind) name, EVERYWHERE, count, &(kind)

static const struct type type_free = { "", "lines", parse_free, print_nothing };
static const struct name_value names[] = { { "zero", 0 }, { "one", 1 }, { "two", 2 }, { NULL, 0 } };
static const struct number_range range = { 3, 99 };
static const struct directive rows[] = {
    { ROW("flag", ARGS(1), type_flag), FIELD(struct conf, flag), .initial = "on" },
    { ROW("number", ARGS(1), type_number), FIELD(struct conf, number), .initial = "3",
      .data = &range },
    { ROW("enum", ARGS(1), type_enum), FIELD(struct conf, names), .initial = "two", .data = names },
    { ROW("mask", ARGS_RANGE(1, ARGS_ANY), type_bitmask), FIELD(struct conf, mask), .data = names },
    { ROW("size", ARGS(1), type_size), FIELD(struct conf, size) },
    { ROW("offset", ARGS(1), type_offset), FIELD(struct conf, offset) },
    { ROW("time", ARGS(1), type_time), FIELD(struct conf, time) },
    { ROW("seconds", ARGS(1), type_seconds), FIELD(struct conf, seconds) },
    { ROW("str", ARGS(1), type_str), FIELD(struct conf, str) },
    { ROW("path", ARGS(1), type_path), FIELD(struct conf, path) },
    { ROW("strings", ARGS_RANGE(1, ARGS_ANY), type_strings), FIELD(struct conf, strings),
      .flags = REPEATS },
    { ROW("bufs", ARGS(2), type_bufs), FIELD(struct conf, bufs), .initial = "4 8k" },
    { "once", IN_HTTP | IN_SERVER | IN_LOCATION, ARGS(1), &type_str, FIELD(struct conf, once),
      .flags = NOT_INHERITED },
    { "map", IN_HTTP | IN_LOCATION, ARGS(1), &type_free, FIELD(struct conf, mask),
      .flags = FREE_BLOCK },
    { "http", IN_MAIN, ARGS(0), .open = open_http },
    { "server", IN_HTTP, ARGS(0), .open = open_server, .flags = REPEATS },
    { "location", IN_SERVER | IN_LOCATION, ARGS_RANGE(1, 2), .open = open_location,
      .flags = REPEATS },
    { 0 },
};

static struct module module = {
    .name = "fuzz_module", .directives = rows, .conf_size = sizeof(struct conf),
};

/* Reads a text; gives its dump if it has no mistake. */
static char *dump(struct str text, size_t *len)
{
    char *shown = NULL;
    size_t size;
    struct diag d;
    FILE *f = open_memstream(&shown, &size);

    diag_init(&d);
    struct tree *t = tree_parse(STR("f"), text, &d);
    struct generation *g = config_resolve(t, STR("/p/"), STR("/p/c/"), &d);
    assert((g != NULL) == (d.errors == 0));
    if (g)
        reference_dump(f, g, t);
    else
        diag_print(&d, f, true);
    bool good = g != NULL;
    generation_unref(g);
    tree_free(t);
    diag_fini(&d);
    fclose(f);
    *len = size;
    if (good)
        return shown;
    free(shown);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct module *const modules[] = { &module, NULL };
    struct str text = { (const char *)data, size };
    size_t len, again_len;

    if (str_find(text, STR("include")) >= 0)
        return 0;
    if (modules_count() == 0)
        modules_init(modules);
    char *first = dump(text, &len);
    if (!first)
        return 0;
    char *again = dump((struct str){ first, len }, &again_len);
    assert(again);
    free(first);
    free(again);
    return 0;
}

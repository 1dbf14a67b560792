/*
 * engine: what http and stream are to the script floor, for its tests: blocks of those names, variables
 * of all kinds, and a directive `text` whose value the tests look at.
 */
#ifndef TEST_SCRIPT_ENGINE_H
#define TEST_SCRIPT_ENGINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/address.h"
#include "script/geo.h"
#include "script/map.h"
#include "script/split_clients.h"
#include "script/template.h"

struct engine_conf {
    struct template text;
};

static struct variables *engine_names;
static struct engine_conf *engine_conf_now;
static const char *engine_peer = "192.0.2.1", *engine_forwarded[4];
static unsigned counter;
static char assigned[64];

static inline void hook_peer(const struct script *s, struct peer *p)
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

static inline bool hook_forwarded(const struct script *s, unsigned i, struct str *line)
{
    (void)s;
    if (i >= 4 || !engine_forwarded[i])
        return false;
    *line = str_of(engine_forwarded[i]);
    return true;
}

static const struct variables_hooks http_hooks = { hook_peer, hook_forwarded };
static const struct variables_hooks stream_hooks = { hook_peer, NULL };

static inline bool set_value(struct value *v, struct str text)
{
    *v = (struct value){ .data = text.data, .len = (uint32_t)text.len, .state = VALUE_FOUND };
    return true;
}

static inline bool get_data(struct script *s, const struct variable *var, struct value *v)
{
    (void)s;
    return set_value(v, str_of((const char *)var->data));
}

static inline bool get_rest(struct script *s, const struct variable *var, struct value *v)
{
    return set_value(v, arena_concat(s->arena, STR("rest:"), var->rest));
}

static inline bool get_count(struct script *s, const struct variable *var, struct value *v)
{
    (void)var;
    return set_value(v, arena_printf(s->arena, "%u", ++counter));
}

static inline bool get_nothing(struct script *s, const struct variable *var, struct value *v)
{
    (void)s, (void)var, (void)v;
    return true;
}

static inline bool get_failure(struct script *s, const struct variable *var, struct value *v)
{
    set_value(v, STR("half done"));
    return variable_fail(s, "no %.*s today", STR_ARG(var->name));
}

static inline void set_special(struct script *s, const struct variable *var, struct str value)
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

static inline bool open_engine(struct setting *s)
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

static inline void unload(void)
{
    if (loaded) {
        arena_fini(&script_arena);
        generation_unref(loaded);
        diag_fini(&diag);
    }
    loaded = NULL;
}

static inline void script_start(void)
{
    arena_fini(&script_arena);
    script = (struct script){
        .arena = &script_arena,
        .names = engine_names,
        .values = ARENA_NEW_ARRAY(&script_arena, struct value, variables_count(engine_names)),
    };
}

/* Resolves a text; what is wrong with it stays in `diag`. */
static inline struct generation *resolve(const char *text)
{
    diag_init(&diag);

    struct tree *tree = tree_parse(STR("test.conf"), str_of(text), &diag);
    struct generation *g = config_resolve(tree, STR("/prefix/"), STR("/conf/"), &diag);

    tree_free(tree);
    return g;
}

static inline void load(const char *text)
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

static inline const char *value_text(struct str value)
{
    static char text[4096];

    snprintf(text, sizeof text, "%.*s", STR_ARG(value));
    return text;
}

/* What the directive `text` gives, in an evaluation of its own. */
static inline const char *text_now(void)
{
    script_start();
    return value_text(template_value(&engine_conf_now->text, &script));
}

static inline const char *value_of(const char *name)
{
    return value_text(value_str(variable_value(&script, variables_find(engine_names, str_of(name)))));
}

static inline void give(const char *name, const char *value)
{
    const struct variable *var = variables_find(engine_names, str_of(name));

    assert_non_null(var);
    variable_assign(&script, var, str_of(value));
}

/* text_now() with $in set. */
static inline const char *text_for(const char *in)
{
    script_start();
    give("in", in);
    return value_text(template_value(&engine_conf_now->text, &script));
}

static inline const char *text_from(const char *peer)
{
    engine_peer = peer;
    return text_now();
}

/* Resolves a text that has a mistake, and looks for what it must say. */
static inline void expect_message(const char *text, enum log_level level, const char *message)
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

static inline void expect_error(const char *text, const char *message)
{
    expect_message(text, LOG_LEVEL_EMERG, message);
}

static inline void expect_warning(const char *text, const char *message)
{
    expect_message(text, LOG_LEVEL_WARN, message);
}

static inline int stop(void **state)
{
    (void)state;
    unload();
    return 0;
}

#endif

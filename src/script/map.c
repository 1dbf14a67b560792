/*
 * map: see map.h.  Exact texts first, then host names with wildcards, then the regular expressions in
 * their order, all of them at once; values are templates, one for all lines of the same text.
 */
#include "script/map.h"

#include "config/types.h"
#include "script/hostnames.h"
#include "script/pattern_set.h"
#include "script/template.h"

struct map {
    struct template source;
    bool hostnames;                    /* wildcards count, and a dot at the end does not */
    struct hostnames keys;             /* to struct template */
    struct pattern_set *patterns;      /* NULL: none */
    const struct template **pattern_values;
    const struct template *fallback;
};

/* A block being read. */
struct map_load {
    struct setting line;
    struct map *map;
    struct arena scratch;
    struct table values;               /* text to struct template */
    ARRAY(const struct template *) pattern_values;     /* in the generation's arena */
    bool is_volatile, has_default;
};

static const struct template nothing = { .text = STR_INIT("") };

static const struct template *map_find(const struct map *m, struct script *s, struct str key)
{
    const struct template *found;
    unsigned index;

    if (m->hostnames && key.len > 0 && key.data[key.len - 1] == '.')
        key.len--;
    found = hostnames_find(&m->keys, key);
    if (found)
        return found;
    if (m->patterns && key.len > 0 &&
        pattern_set_match(m->patterns, s, key, &index) == PATTERN_MATCH)
        return m->pattern_values[index];
    return m->fallback;
}

static bool map_get(struct script *s, const struct variable *var, struct value *v)
{
    const struct map *m = (const struct map *)var->data;
    const struct template *found = map_find(m, s, template_value(&m->source, s));
    struct str value = template_value(found, s);

    *v = (struct value){ .data = value.data, .len = (uint32_t)value.len, .state = VALUE_FOUND };
    return true;
}

/* The template of word 1 of the line; NULL after setting_error(). */
static struct template *map_value(struct map_load *l)
{
    struct str text = setting_arg(&l->line, 1);
    uint32_t hash = str_hash(text);
    struct table_entry *e = table_find(&l->values, hash, text);

    if (e)
        return e->value;

    struct template *t = ARENA_NEW(setting_arena(&l->line), struct template);

    if (!template_compile(&l->line, 1, config_variables(&l->line), t))
        return NULL;
    table_add(&l->values, hash, t->text, t);
    return t;
}

static bool map_add_pattern(struct map_load *l, struct str text, const struct template *value)
{
    struct arena *a = setting_arena(&l->line);
    bool caseless = text.len > 0 && text.data[0] == '*';
    struct pattern *p;

    p = pattern_compile(&l->line, 0, caseless ? str_from(text, 1) : text, caseless);
    if (!p)
        return false;
    if (!l->map->patterns)
        l->map->patterns = pattern_set_new(a);
    pattern_set_add(l->map->patterns, p);
    *ARRAY_PUSH(&l->pattern_values, a) = value;
    return true;
}

static bool map_add_key(struct map_load *l, struct str key, struct template *value)
{
    if (key.len > 0 && key.data[0] == '\\')
        key = str_from(key, 1);
    switch (hostnames_add(&l->map->keys, key, l->map->hostnames, value)) {
    case HOSTNAMES_CONFLICT:
        return setting_error(&l->line, 0, "conflicting parameter \"%.*s\"", STR_ARG(key));
    case HOSTNAMES_INVALID:
        return setting_error(&l->line, 0, "invalid hostname or wildcard \"%.*s\"", STR_ARG(key));
    case HOSTNAMES_ADDED:
        break;
    }
    return true;
}

static bool map_set_default(struct map_load *l, const struct template *value)
{
    if (l->has_default)
        return setting_error(&l->line, 0, "duplicate default map parameter");
    l->has_default = true;
    l->map->fallback = value;
    return true;
}

/* A line of one word. */
static bool map_option(struct map_load *l)
{
    struct str word = setting_arg(&l->line, 0);

    if (str_eq(word, STR("hostnames")))
        l->map->hostnames = true;
    else if (str_eq(word, STR("volatile")))
        l->is_volatile = true;
    else
        return setting_error(&l->line, 0, "invalid number of the map parameters");
    return true;
}

static bool map_line(struct map_load *l)
{
    struct template *value;
    struct str key = setting_arg(&l->line, 0);

    if (l->line.node->block || l->line.node->count > 2)
        return setting_error(&l->line, 0, "invalid number of the map parameters");
    if (l->line.node->count == 1)
        return map_option(l);
    value = map_value(l);
    if (!value)
        return false;
    if (str_eq(key, STR("default")))
        return map_set_default(l, value);
    if (key.len > 0 && key.data[0] == '~')
        return map_add_pattern(l, str_from(key, 1), value);
    return map_add_key(l, key, value);
}

static bool map_block(struct setting *s, struct map *m, bool *is_volatile)
{
    struct map_load l = { .line = *s, .map = m };
    bool good = true;

    arena_init(&l.scratch);
    table_init(&l.values, &l.scratch, false);
    for (const struct node *n = s->node->children; n; n = n->next) {
        l.line.node = n;
        good &= map_line(&l);
    }
    if (m->patterns)
        pattern_set_end(m->patterns, s->config->generation);
    m->pattern_values = l.pattern_values.items;
    *is_volatile = l.is_volatile;
    arena_fini(&l.scratch);
    return good;
}

static bool map_parse(struct setting *s, void *field)
{
    struct map *m = ARENA_NEW(setting_arena(s), struct map);
    struct variable var = { .get = map_get, .data = (uintptr_t)m, .flags = VARIABLE_CHANGEABLE };
    bool is_volatile = false, good;

    (void)field;
    m->fallback = &nothing;
    hostnames_init(&m->keys, setting_arena(s));
    good = template_compile(s, 1, config_variables(s), &m->source);
    good &= map_block(s, m, &is_volatile);
    if (is_volatile)
        var.flags |= VARIABLE_VOLATILE;
    return config_define_variable(s, 2, &var) && good;
}

static const struct type type_map = {
    .name = "map",
    .expected = "a block of texts and values",
    .parse = map_parse,
};

#define MAP_ROWS(where)                                                                            \
    {                                                                                              \
        { "map", where, ARGS(2), &type_map, .flags = REPEATS | FREE_BLOCK,                         \
          .syntax = "string $variable { text value; ... }",                                        \
          .help = "Defines a variable whose value depends on the string: texts without regard to " \
                  "case, with \"hostnames\" also *.example.com and mail.*, regular expressions "   \
                  "behind ~ and (without regard to case) ~*, and default." },                      \
        { "map_hash_max_size", where, ARGS(1), &type_accepted, .default_text = "2048",             \
          .help = "Taken for compatibility: the table of a map has the size that it needs." },     \
        { "map_hash_bucket_size", where, ARGS(1), &type_accepted, .default_text = "64",            \
          .help = "Taken for compatibility: the table of a map has the size that it needs." },     \
        { .name = NULL },                                                                          \
    }

static const struct directive http_rows[] = MAP_ROWS(IN_HTTP);
static const struct directive stream_rows[] = MAP_ROWS(IN_STREAM);

struct module http_map_module = { .name = "ngx_http_map_module", .directives = http_rows };
struct module stream_map_module = { .name = "ngx_stream_map_module", .directives = stream_rows };

/*
 * mime: see mime.h.
 */
#include "http/mime.h"

#include "config/resolve.h"
#include "http/core.h"
#include "script/table.h"

enum { MAX_EXTENSION = 64 };

struct mime_types {
    struct table table;                /* lower-case extension → struct str * */
};

static struct mime_types *types_new(struct setting *s)
{
    struct mime_types *t = ARENA_NEW(setting_arena(s), struct mime_types);

    table_init(&t->table, setting_arena(s), true);
    return t;
}

static void add(struct setting *s, struct mime_types *t, struct str type, struct str extension)
{
    struct arena *a = setting_arena(s);
    struct table_entry *e = table_find(&t->table, str_hash_nocase(extension), extension);
    struct str *kept = ARENA_NEW(a, struct str);

    *kept = arena_str(a, type);
    if (e) {
        setting_warn(s, 0, "duplicate extension \"%.*s\", content type: \"%.*s\", "
                     "previous content type: \"%.*s\"", STR_ARG(extension), STR_ARG(type),
                     STR_ARG(*(struct str *)e->value));
        e->value = kept;
    } else
        table_add(&t->table, str_hash_nocase(extension), arena_str(a, extension), kept);
}

/* types { media/type extension...; } */
static bool parse_types(struct setting *s, void *field)
{
    struct mime_types *t = types_new(s);
    const struct node *outer = s->node;

    if (!outer->block) {                       /* the initial value, written as "type ext type ext" */
        for (unsigned i = 1; i + 1 < outer->count; i += 2)
            add(s, t, setting_arg(s, i), setting_arg(s, i + 1));
    }
    for (const struct node *n = outer->children; n; n = n->next) {
        s->node = n;
        if (n->block || n->count < 2)
            setting_error(s, 0, "a line of \"types\" is a media type and its file extensions");
        for (unsigned i = 1; i < n->count; i++)
            add(s, t, n->words[0].text, n->words[i].text);
    }
    s->node = outer;
    *(struct mime_types **)field = t;
    return true;
}

static void print_types(const struct directive *row, const void *field, struct out *o)
{
    const struct mime_types *t = *(struct mime_types *const *)field;

    (void)row;
    out_printf(o, "{ ... %u extensions }", t ? t->table.count : 0);
}

const struct type type_mime = { "types", "lines of a media type and extensions", parse_types,
                                print_types };

struct str mime_type(const struct core_conf *conf, struct str path)
{
    ptrdiff_t dot = str_rindex(path, '.');

    if (dot <= 0 || path.data[dot - 1] == '/' || path.len - (size_t)dot > MAX_EXTENSION)
        return conf->default_type;
    struct str extension = str_from(path, (size_t)dot + 1);
    if (str_index(extension, '/') >= 0)
        return conf->default_type;
    struct table_entry *e =
        table_find(&conf->types->table, str_hash_nocase(extension), extension);
    return e ? *(struct str *)e->value : conf->default_type;
}

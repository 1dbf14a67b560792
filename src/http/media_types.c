/*
 * media_types: see media_types.h.
 */
#include "http/media_types.h"

#include "config/resolve.h"
#include "config/types.h"

static char in_list;                   /* what a table's entries point at */

static bool add(struct setting *s, struct media_types *t, struct str type)
{
    uint32_t hash = str_hash_nocase(type);

    if (table_find(t->table, hash, type))
        return false;
    table_add(t->table, hash, arena_str(setting_arena(s), type), &in_list);
    return true;
}

static bool parse(struct setting *s, void *field)
{
    struct media_types *t = field;

    if (!t->table) {
        t->table = ARENA_NEW(setting_arena(s), struct table);
        table_init(t->table, setting_arena(s), true);
        add(s, t, STR("text/html"));
    }
    for (unsigned i = 1; i < s->node->count; i++) {
        struct str type = setting_arg(s, i);
        if (str_eq(type, STR("*")))
            t->any = true;
        else if (!add(s, t, type) && !str_eq_nocase(type, STR("text/html")))
            setting_warn(s, i, "duplicate MIME type \"%.*s\"", STR_ARG(type));
    }
    return true;
}

static void print(const struct directive *row, const void *field, struct out *o)
{
    const struct media_types *t = field;

    (void)row;
    if (t->any) {
        out_char(o, '*');
        return;
    }
    for (unsigned i = 0; t->table && i < t->table->count; i++) {
        if (i > 0)
            out_char(o, ' ');
        print_word(o, table_key(&t->table->items[i]));
    }
}

const struct type type_media_types = {
    "mime-type ...", "media types such as text/css, or *", parse, print,
};

bool media_types_have(const struct media_types *t, struct str type)
{
    if (t->any)                                /* also where the type is not known */
        return true;
    return type.len && table_find(t->table, str_hash_nocase(type), type) != NULL;
}

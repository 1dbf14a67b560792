/*
 * reference_rows: see reference_rows.h.
 */
#include "config/reference_rows.h"

#include "config/reference.h"
#include "config/types.h"

static const struct {
    unsigned contexts;
    const char *name;
} context_names[] = {
    { IN_MAIN, "main" }, { IN_EVENTS, "events" }, { IN_HTTP, "http" }, { IN_MAIL, "mail" },
    { IN_STREAM, "stream" }, { IN_SERVER | IN_STREAM_SERVER | IN_MAIL_SERVER, "server" },
    { IN_UPSTREAM | IN_STREAM_UPSTREAM, "upstream" }, { IN_LOCATION, "location" },
    { IN_SERVER_IF, "if in server" }, { IN_LOCATION_IF, "if in location" },
    { IN_LIMIT_EXCEPT, "limit_except" }, { IN_OTHER, "a block of this module" },
};

void reference_context_names(struct out *o, unsigned contexts, const char *separator)
{
    bool first = true;

    for (unsigned i = 0; i < sizeof context_names / sizeof context_names[0]; i++) {
        if (!(contexts & context_names[i].contexts))
            continue;
        if (!first)
            out_str(o, str_of(separator));
        out_str(o, str_of(context_names[i].name));
        first = false;
    }
}

void reference_contexts(struct out *o, unsigned contexts)
{
    reference_context_names(o, contexts, ", ");
}

/* ---- groups ---- */

static struct reference_group *group_of(struct reference_groups *g, const char *name,
                                        struct arena *a)
{
    for (unsigned i = 0; i < g->list.count; i++) {
        if (strcmp(g->list.items[i].name, name) == 0)
            return &g->list.items[i];
    }
    struct reference_group *fresh = ARRAY_PUSH(&g->list, a);
    fresh->name = name;
    return fresh;
}

struct reference_groups reference_groups(struct arena *a)
{
    struct reference_groups groups = { 0 };

    for (unsigned i = 0; i < modules_count(); i++) {
        const struct module *m = modules_at(i);
        if (!m->directives || !m->directives->name)
            continue;
        struct reference_group *g = group_of(&groups, m->name, a);
        for (const struct directive *row = m->directives; row->name; row++)
            *ARRAY_PUSH(&g->rows, a) = row;
    }
    return groups;
}

/* ---- texts of a row ---- */

/* "on | off | always" */
static void put_names(struct out *o, const struct name_value *names)
{
    for (const struct name_value *n = names; n && n->name; n++)
        out_printf(o, n == names ? "%s" : " | %s", n->name);
}

static bool is_switch(const char *text)
{
    return text && (strcmp(text, "on") == 0 || strcmp(text, "off") == 0);
}

/* The arguments by the row's type, where no text of its own says them. */
static void put_arguments(struct out *o, const struct directive *row)
{
    const struct type *t = row->type;

    if (!t || row->args.max == 0)
        return;
    if (t == &type_enum || t == &type_bitmask)
        put_names(o, row->data);
    else if (t == &type_accepted)
        out_str(o, is_switch(row->default_text) ? STR("on | off") : STR("value"));
    else
        out_str(o, str_of(t->name));
    if (t == &type_bitmask)
        OUT_LITERAL(o, " ...");
}

void reference_syntax(struct out *o, const struct directive *row)
{
    size_t before = out_len(o);

    if (row->syntax)
        out_str(o, str_of(row->syntax));
    else
        put_arguments(o, row);
    if (!row->open && !(row->flags & FREE_BLOCK))
        return;
    if (row->syntax && strchr(row->syntax, '{'))
        return;
    out_str(o, out_len(o) > before ? STR(" { ... }") : STR("{ ... }"));
}

const char *reference_default(const struct directive *row)
{
    return row->default_text ? row->default_text : row->initial;
}

void reference_remarks(struct out *o, const struct directive *row)
{
    size_t before = out_len(o);

    if (row->flags & DEPRECATED)
        OUT_LITERAL(o, "Deprecated.");
    if ((row->flags & REPEATS) && !row->open)
        out_printf(o, "%sMay be given several times.", out_len(o) > before ? " " : "");
    if (row->flags & NOT_INHERITED)
        out_printf(o, "%sNested blocks do not inherit it.", out_len(o) > before ? " " : "");
}

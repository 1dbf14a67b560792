/*
 * explain_directives: which lines count in a block, and where each of them stands.
 */
#include "config/types.h"
#include "http/explain.h"
#include "http/location.h"

#define LEVELS (IN_HTTP | IN_SERVER | IN_LOCATION | IN_LOCATION_IF | IN_LIMIT_EXCEPT)

struct str explain_place(struct explain *e, const struct node *n)
{
    if (!n || n->file >= e->tree->files.count)
        return STR("");
    const struct tree_file *f = &e->tree->files.items[n->file];
    if (f->command_line)
        return f->path;
    return arena_printf(&e->arena, "%.*s:%u", STR_ARG(f->path), n->words[0].line);
}

struct str explain_words(struct explain *e, const struct node *n, const char *end)
{
    struct out o = out_growing(&e->arena, SIZE_MAX);

    for (unsigned i = 0; i < n->count; i++) {
        if (i)
            out_char(&o, ' ');
        print_word(&o, n->words[i].text);
    }
    out_str(&o, str_of(end));
    return out_str_of(&o);
}

struct str explain_location_name(struct explain *e, const struct location *l)
{
    const struct node *n = l->block ? l->block->node : NULL;

    if (!n || l->kind == LOCATION_SERVER)
        return STR("server");
    struct out o = out_growing(&e->arena, SIZE_MAX);
    unsigned first = str_eq(n->words[0].text, STR("location")) ? 1 : 0;
    for (unsigned i = first; i < n->count; i++) {
        if (i > first)
            out_char(&o, ' ');
        out_str(&o, n->words[i].text);
    }
    return out_str_of(&o);
}

/* ---- lines of a block and of those around it ---- */

/* A row that a nearer block has set. */
struct known {
    const struct directive *row;
    const struct module *module;
    const struct block *block;
};

struct known_list {
    ARRAY(struct known) list;
};

/* Rows of one field fill one list together: allow and deny, gzip_types' kin. */
static bool same_value(const struct known *k, const struct directive *row, const struct module *m)
{
    return k->row == row || (row->size && k->row->size && k->module == m &&
                             k->row->offset == row->offset);
}

/* The block that set it before, or NULL. */
static const struct block *set_by(const struct known_list *known, const struct directive *row,
                                  const struct module *m)
{
    for (unsigned i = 0; i < known->list.count; i++) {
        if (same_value(&known->list.items[i], row, m))
            return known->list.items[i].block;
    }
    return NULL;
}

/* The outermost blocks' lines come last, as they are the furthest away. */
static void add_lines(struct explain *e, struct known_list *known, const struct block *b,
                      const struct block *inner)
{
    struct str from = b == inner ? STR("") : b->node->words[0].text;

    if (b != inner && b->context == IN_LOCATION)
        from = explain_words(e, b->node, "");
    for (const struct node *n = b->node->children; n; n = n->next) {
        struct module *m = NULL;
        const struct directive *row = modules_find(n->words[0].text, b->context, &m);
        bool inherited = row && row->size && !(row->flags & NOT_INHERITED) &&
                         (row->contexts & (IN_SERVER | IN_LOCATION));
        if (!row || row->open || (row->flags & FREE_BLOCK) || (b != inner && !inherited))
            continue;
        const struct block *setter = set_by(known, row, m);
        if (setter && setter != b)
            continue;
        if (!setter)
            *ARRAY_PUSH(&known->list, &e->arena) = (struct known){ row, m, b };
        *ARRAY_PUSH(&e->directives, &e->arena) =
            (struct explain_directive){ explain_words(e, n, ";"), from, explain_place(e, n) };
    }
}

void explain_directives(struct explain *e, const struct block *b)
{
    struct known_list known = { 0 };

    for (const struct block *at = b; at && at->node && (at->context & LEVELS); at = at->parent)
        add_lines(e, &known, at, b);
}

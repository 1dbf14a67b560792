/*
 * reference_dump: `weir dump`: for each block its effective values and where each comes from, as a
 * configuration that means the same.  What is inherited is repeated in the block; defaults stand as
 * comments in the outermost block that they hold in.
 */
#include "config/reference.h"
#include "config/types.h"

enum { INDENT = 4, REMARK_COLUMN = 56 };

/* A value that a line gave, in some block. */
struct given {
    const struct directive *row;
    const struct module *module;
    const struct node *first;          /* the first of its lines */
};

struct given_list {
    ARRAY(struct given) list;
};

struct dump {
    FILE *f;
    struct arena arena;
    const struct tree *tree;
    const struct block *next;          /* the block that is opened next, mostly */
    const struct generation *generation;
};

/* ---- lines ---- */

static struct str place_of(struct dump *d, const struct node *n)
{
    if (n->file >= d->tree->files.count)
        return STR("");
    const struct tree_file *f = &d->tree->files.items[n->file];
    if (f->command_line)
        return f->path;
    return arena_printf(&d->arena, "%.*s:%u", STR_ARG(f->path), n->words[0].line);
}

static void put_line(struct dump *d, unsigned depth, struct str text, const char *remark,
                     struct str place)
{
    int width = (int)(INDENT * depth + text.len);

    fprintf(d->f, "%*s%.*s", (int)(INDENT * depth), "", STR_ARG(text));
    if (*remark || place.len)
        fprintf(d->f, "%*s# %s%s%.*s", width < REMARK_COLUMN ? REMARK_COLUMN - width : 2, "",
                remark, *remark && place.len ? ", " : "", STR_ARG(place));
    fputc('\n', d->f);
}

/* A line as it was written, with `end` behind it. */
static struct str words_of(struct dump *d, const struct node *n, const char *end)
{
    struct out o = out_growing(&d->arena, SIZE_MAX);

    for (unsigned i = 0; i < n->count; i++) {
        if (i)
            out_char(&o, ' ');
        print_word(&o, n->words[i].text);
    }
    out_str(&o, str_of(end));
    return out_str_of(&o);
}

/* What the block has for a row, as its type shows it; empty if that can't say it. */
static struct str value_of(struct dump *d, const struct block *b, const struct given *g)
{
    struct out o = out_growing(&d->arena, SIZE_MAX);
    const struct directive *row = g->row;

    if (!row->type || !row->type->print || row->size == 0 || g->module->conf_size == 0)
        return STR("");
    out_printf(&o, "%s ", row->name);
    size_t name = out_len(&o);
    row->type->print(row, (const char *)b->conf[g->module->index] + row->offset, &o);
    if (out_len(&o) == name)
        return STR("");
    out_char(&o, ';');
    return out_str_of(&o);
}

/* ---- values ---- */

static const struct directive *row_of(const struct block *b, const struct node *n,
                                      struct module **module)
{
    if (b->context != IN_OTHER)
        return modules_find(n->words[0].text, b->context, module);
    *module = modules_at(b->module->index);
    return modules_find_own(b->module, n->words[0].text);
}

static const struct node *lines_of(const struct dump *d, const struct block *b)
{
    return b->node ? b->node->children : d->tree->top;
}

static bool holds(const struct given_list *given, const struct directive *row)
{
    for (unsigned i = 0; i < given->list.count; i++) {
        if (given->list.items[i].row == row)
            return true;
    }
    return false;
}

/* What the block's own lines give, once for each row. */
static struct given_list own_values(struct dump *d, const struct block *b)
{
    struct given_list own = { 0 };

    for (const struct node *n = lines_of(d, b); n; n = n->next) {
        struct module *m = NULL;
        const struct directive *row = row_of(b, n, &m);
        if (row && !row->open && !holds(&own, row))
            *ARRAY_PUSH(&own.list, &d->arena) = (struct given){ row, m, n };
    }
    return own;
}

static void put_free_block(struct dump *d, unsigned depth, const struct node *n)
{
    bool told = n->parent && n->parent->file == n->file && !n->block;

    put_line(d, depth, words_of(d, n, n->block ? " {" : ";"), "",
             told ? STR("") : place_of(d, n));
    for (const struct node *i = n->children; i; i = i->next)
        put_free_block(d, depth + 1, i);
    if (n->block)
        put_line(d, depth, STR("}"), "", STR(""));
}

/* A line that gives a value.  What only a list of lines can say is shown as it was written. */
static void put_given(struct dump *d, unsigned depth, const struct block *b, const struct given *g,
                      const struct node *n, const char *remark)
{
    struct str text = g->row->flags & REPEATS ? STR("") : value_of(d, b, g);

    if (g->row->flags & FREE_BLOCK)
        put_free_block(d, depth, n);
    else
        put_line(d, depth, text.len ? text : words_of(d, n, ";"), remark, place_of(d, n));
}

static void put_inherited(struct dump *d, unsigned depth, const struct block *b,
                          const struct given *g)
{
    if (g->row->flags & FREE_BLOCK) {              /* would hide all else: its place is enough */
        put_line(d, depth, arena_printf(&d->arena, "# %s { ... }", g->row->name), "inherited",
                 place_of(d, g->first));
        return;
    }
    for (const struct node *n = g->first; n; n = n->next) {
        if (n == g->first || str_eq(n->words[0].text, g->first->words[0].text))
            put_given(d, depth, b, g, n, "inherited");
        if (!(g->row->flags & REPEATS))
            return;
    }
}

/* Adds to a block's own values what it takes over from outside, and shows that. */
static void inherit(struct dump *d, unsigned depth, const struct block *b, struct given_list *own,
                    const struct given_list *outer)
{
    for (unsigned i = 0; i < outer->list.count; i++) {
        const struct given *g = &outer->list.items[i];
        if ((g->row->flags & NOT_INHERITED) || g->row->size == 0 || holds(own, g->row))
            continue;
        *ARRAY_PUSH(&own->list, &d->arena) = *g;
        if (g->row->contexts & b->context)
            put_inherited(d, depth, b, g);
    }
}

/* Whether a row's initial value is shown in this block: it is the outermost one that the row may
 * stand in, and there is only one such block. */
static bool shows_initial(const struct block *b, const struct directive *row)
{
    if (!(row->contexts & b->context & (IN_MAIN | IN_EVENTS | IN_HTTP | IN_STREAM | IN_MAIL)))
        return false;
    for (b = b->parent; b; b = b->parent) {
        if (row->contexts & b->context)
            return false;
    }
    return true;
}

static void put_initials(struct dump *d, unsigned depth, const struct block *b,
                         const struct given_list *own)
{
    for (unsigned i = 0; i < modules_count(); i++) {
        const struct module *m = modules_at(i);
        for (const struct directive *row = m->directives; row && row->name; row++) {
            struct given g = { row, m, NULL };
            if (row->open || (row->flags & FREE_BLOCK) || !shows_initial(b, row) || holds(own, row))
                continue;
            struct str text = value_of(d, b, &g);
            if (text.len && (row->initial || !str_ends(text, STR(" \"\";"))))
                put_line(d, depth, arena_concat(&d->arena, STR("# "), text), "default", STR(""));
        }
    }
}

/* ---- blocks ---- */

/* Blocks are mostly opened in the order of the file. */
static const struct block *block_of(struct dump *d, const struct node *n)
{
    const struct block *b = d->next;

    while (b && b->node != n)
        b = b->next;
    for (b = b ? b : d->generation->main; b && b->node != n;)
        b = b->next;
    if (b)
        d->next = b->next;
    return b;
}

static void put_block(struct dump *d, unsigned depth, const struct block *b,
                      const struct given_list *outer)
{
    struct given_list own = own_values(d, b);

    inherit(d, depth, b, &own, outer);
    put_initials(d, depth, b, &own);
    for (const struct node *n = lines_of(d, b); n; n = n->next) {
        struct given g = { .first = n };
        struct module *m = NULL;
        g.row = row_of(b, n, &m);
        g.module = m;
        const struct block *inner = g.row && g.row->open ? block_of(d, n) : NULL;
        if (!g.row || (g.row->open && !inner))
            continue;
        if (!inner) {
            put_given(d, depth, b, &g, n, "");
            continue;
        }
        fputc('\n', d->f);
        put_line(d, depth, words_of(d, n, " {"), "", place_of(d, n));
        put_block(d, depth + 1, inner, &own);
        put_line(d, depth, STR("}"), "", STR(""));
    }
}

void reference_dump(FILE *f, const struct generation *g, const struct tree *t)
{
    struct dump d = { .f = f, .tree = t, .generation = g, .next = g->main };
    struct given_list nothing = { 0 };

    arena_init(&d.arena);
    put_block(&d, 0, g->main, &nothing);
    arena_fini(&d.arena);
}

/*
 * resolve: see resolve.h.
 */
#include "config/resolve.h"

#include <limits.h>

#include "config/reference.h"
#include "config/types.h"

/* A nested block that was found good and waits until its block's own lines are applied. */
struct opening {
    struct opening *next;
    const struct node *node;
    const struct directive *row;
    const struct module *module;
};

/* A block while its own lines are applied. */
struct applying {
    struct block *block;
    struct opening **tail;
    const struct block *parent;        /* NULL at the root */
    unsigned first;                    /* in config.applied: where this block's rows begin */
    bool blocks;                       /* a nested block stands before */
};

/* ---- mistakes ---- */

/* Where a word that is a directive's name begins a new line, the line above is likely to lack its end.
 * An empty text if there is no such word up to `last`. */
static struct str missing_semicolon(struct setting *s, unsigned last)
{
    const struct word *w = s->node->words;

    for (unsigned i = 1; i <= last && i < s->node->count; i++) {
        if (w[i].line > w[i - 1].line && modules_contexts(w[i].text))
            return arena_printf(&s->config->scratch, "is \";\" missing after \"%.*s\" in line %u?",
                                STR_ARG(w[i - 1].text), w[i - 1].line);
    }
    return STR("");
}

static void tell(struct setting *s, enum log_level level, unsigned word, int error, struct str hint,
                 const char *format, va_list args)
{
    struct str message = arena_vprintf(&s->config->scratch, format, args);
    struct str guess = missing_semicolon(s, word);

    diag_at(s->config->diag, level, s->config->tree, s->node, word, error, guess.len ? guess : hint,
            message);
}

bool setting_error(struct setting *s, unsigned word, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell(s, LOG_LEVEL_EMERG, word, 0, STR(""), format, args);
    va_end(args);
    return false;
}

bool setting_errno(struct setting *s, unsigned word, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell(s, LOG_LEVEL_EMERG, word, error, STR(""), format, args);
    va_end(args);
    return false;
}

bool setting_error_hint(struct setting *s, unsigned word, struct str hint, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell(s, LOG_LEVEL_EMERG, word, 0, hint, format, args);
    va_end(args);
    return false;
}

void setting_warn(struct setting *s, unsigned word, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell(s, LOG_LEVEL_WARN, word, 0, STR(""), format, args);
    va_end(args);
}

void setting_advise(struct setting *s, unsigned word, const char *format, ...)
{
    va_list args;

    if (!s->config->diag->advise)
        return;
    va_start(args, format);
    tell(s, LOG_LEVEL_WARN, word, 0, STR(""), format, args);
    va_end(args);
}

bool setting_invalid(struct setting *s, unsigned word)
{
    struct str expected = s->row && s->row->type && s->row->type->expected
        ? arena_printf(&s->config->scratch, "expected: %s", s->row->type->expected) : STR("");

    return setting_error_hint(s, word, expected, "\"%.*s\" directive invalid value",
                              STR_ARG(s->node->words[0].text));
}

static struct str join_path(struct setting *s, struct str folder, struct str path)
{
    if (path.len && path.data[0] == '/')
        folder = STR("");
    return arena_concat(setting_arena(s), folder, path);
}

struct str setting_path(struct setting *s, struct str path)
{
    return join_path(s, s->config->prefix, path);
}

struct str setting_conf_path(struct setting *s, struct str path)
{
    return join_path(s, s->config->conf_prefix, path);
}

/* ---- structs ---- */

static bool owns(const struct applying *a, const struct module *m)
{
    return !a->parent || a->block->conf[m->index] != a->parent->conf[m->index];
}

/* The block's vector becomes its own, to put a struct of its own in. */
static void own_vector(struct applying *a, struct arena *arena)
{
    if (a->block->conf != a->parent->conf)
        return;
    a->block->conf = arena_alloc(arena, modules_count() * sizeof(void *));
    memcpy(a->block->conf, a->parent->conf, modules_count() * sizeof(void *));
}

static const struct directive *next_reset(const struct directive *row)
{
    while (row->name && !((row->flags & NOT_INHERITED) && row->size))
        row++;
    return row->name ? row : NULL;
}

/* Fields that a block does not take over from its parent begin with the initial value. */
static void reset_fields(struct config *c, const struct module *m, char *conf)
{
    const char *initial = c->initial[m->index];

    for (const struct directive *row = m->directives; (row = next_reset(row)) != NULL; row++)
        memcpy(conf + row->offset, initial + row->offset, row->size);
}

static bool must_reset(struct config *c, const struct module *m, const char *conf)
{
    const char *initial = c->initial[m->index];

    for (const struct directive *row = m->directives; (row = next_reset(row)) != NULL; row++) {
        if (memcmp(conf + row->offset, initial + row->offset, row->size) != 0)
            return true;
    }
    return false;
}

static void *own_struct(struct config *c, struct applying *a, const struct module *m)
{
    struct arena *arena = &c->generation->arena;

    if (m->conf_size == 0)
        return NULL;
    if (!owns(a, m)) {
        own_vector(a, arena);
        void *copy = arena_alloc(arena, m->conf_size);
        memcpy(copy, a->block->conf[m->index], m->conf_size);
        if (m->resets)
            reset_fields(c, m, copy);
        a->block->conf[m->index] = copy;
    }
    return a->block->conf[m->index];
}

/* What the parent set for itself alone must not be seen here, even where the block sets nothing. */
static void reset_structs(struct config *c, struct applying *a)
{
    for (unsigned i = 0; i < modules_count(); i++) {
        const struct module *m = modules_at(i);
        if (m->resets && m->conf_size && must_reset(c, m, a->parent->conf[i]))
            own_struct(c, a, m);
    }
}

/* ---- lines ---- */

static const struct directive *find_row(const struct block *b, struct str name, struct module **m)
{
    if (b->context != IN_OTHER)
        return modules_find(name, b->context, m);
    *m = modules_at(b->module->index);
    return modules_find_own(b->module, name);
}

static struct str where_allowed(struct config *c, struct str name)
{
    struct out o = out_growing(&c->scratch, 1024);

    out_printf(&o, "\"%.*s\" may stand in: ", STR_ARG(name));
    reference_contexts(&o, modules_contexts(name));
    return out_str_of(&o);
}

/* The name nearest to a mistyped one among the rows of some contexts; NULL: none is near. */
static const char *nearest(struct str name, unsigned contexts)
{
    unsigned best = (unsigned)(name.len / 3) + 1;
    const char *found = NULL;

    for (unsigned i = 0; i < modules_count(); i++) {
        for (const struct directive *row = modules_at(i)->directives; row && row->name; row++) {
            unsigned distance = row->contexts & contexts ? str_distance(name, str_of(row->name)) : 64;
            if (distance < best) {
                best = distance;
                found = row->name;
            }
        }
    }
    return found;
}

static struct str did_you_mean(struct config *c, struct str name, unsigned context)
{
    const char *near = nearest(name, context);
    struct out o = out_growing(&c->scratch, 1024);

    if (!near)
        near = nearest(name, ~context);
    if (!near)
        return STR("");
    out_printf(&o, "did you mean \"%s\"?", near);
    if (!(modules_contexts(str_of(near)) & context)) {
        OUT_LITERAL(&o, "  It may stand in: ");
        reference_contexts(&o, modules_contexts(str_of(near)));
    }
    return out_str_of(&o);
}

static void unknown(struct setting *s)
{
    struct str name = s->node->words[0].text;

    if (modules_contexts(name))
        setting_error_hint(s, 0, where_allowed(s->config, name),
                           "\"%.*s\" directive is not allowed here", STR_ARG(name));
    else
        setting_error_hint(s, 0, did_you_mean(s->config, name, s->block->context),
                           "unknown directive \"%.*s\"", STR_ARG(name));
}

/* What a person should have written. */
static struct str syntax(struct setting *s)
{
    const struct directive *row = s->row;
    const char *args = row->syntax ? row->syntax : row->type ? row->type->name : "";
    const char *end = row->open || (row->flags & FREE_BLOCK) ? "" : ";";

    return arena_printf(&s->config->scratch, "syntax: %s%s%s%s", row->name, *args ? " " : "", args,
                        end);
}

/* Number of arguments, block or not: what the row says of a line's form. */
static bool check_form(struct setting *s)
{
    const struct directive *row = s->row;
    const struct node *n = s->node;
    unsigned given = n->count - 1;
    bool wants_block = row->open || (row->flags & FREE_BLOCK);

    if (wants_block && !n->block)
        return setting_error_hint(s, 0, syntax(s), "directive \"%s\" has no opening \"{\"",
                                  row->name);
    if (!wants_block && n->block)
        return setting_error_hint(s, 0, syntax(s), "directive \"%s\" is not terminated by \";\"",
                                  row->name);
    if (given >= row->args.min && (given <= row->args.max || row->args.max == ARGS_ANY))
        return true;
    struct str guess = missing_semicolon(s, given);
    return setting_error_hint(s, 0, guess.len ? guess : syntax(s),
                              "invalid number of arguments in \"%s\" directive", row->name);
}

/* Whether the row was applied, or one that fills the same list (allow and deny). */
static bool is_applied(const struct applied *a, const struct setting *s)
{
    const struct directive *row = s->row;

    return a->row == row || (a->module == s->module && (a->row->flags & row->flags & REPEATS) &&
                             row->size && a->row->size == row->size &&
                             a->row->offset == row->offset);
}

/* Notes that the row is applied; false if it was before and may not be again. */
static bool first_time(struct setting *s, const struct applying *a, bool *first)
{
    struct config *c = s->config;
    unsigned i = a->first;

    while (i < c->applied.count && !is_applied(&c->applied.items[i], s))
        i++;
    *first = i == c->applied.count;
    if (*first)
        *ARRAY_PUSH(&c->applied, &c->scratch) = (struct applied){ s->row, s->module, s->node };
    if (*first || (s->row->flags & REPEATS))
        return true;
    const struct node *n = c->applied.items[i].node;
    const struct tree_file *f = &c->tree->files.items[n->file];
    struct str hint = arena_printf(&c->scratch, "the first one stands in %.*s:%u", STR_ARG(f->path),
                                   n->words[0].line);
    return setting_error_hint(s, 0, hint, "\"%s\" directive is duplicate", s->row->name);
}

/* Of a row that is known: whether it may be written here, like this. */
static bool check_line(struct setting *s, const struct applying *a, bool *first)
{
    if (!check_form(s) || !first_time(s, a, first))
        return false;
    if ((s->row->flags & EARLY) && a->blocks)
        return setting_error_hint(s, 0, STR("it must stand before all blocks"),
                                  "\"%s\" directive is specified too late", s->row->name);
    if ((s->row->flags & DEPRECATED) && *first)
        setting_warn(s, 0, "the \"%s\" directive is deprecated: %s", s->row->name, s->row->help);
    return true;
}

static void open_later(struct setting *s, struct applying *a)
{
    struct opening *o = ARENA_NEW(&s->config->scratch, struct opening);

    *o = (struct opening){ .node = s->node, .row = s->row, .module = s->module };
    *a->tail = o;
    a->tail = &o->next;
    if (s->row->size)
        own_struct(s->config, a, s->module);
}

static void apply_line(struct config *c, struct applying *a, const struct node *n)
{
    struct setting s = { .config = c, .block = a->block, .node = n };
    struct module *m = NULL;
    bool first;

    s.row = find_row(a->block, n->words[0].text, &m);
    if (!s.row) {
        unknown(&s);
        return;
    }
    s.module = m;
    if (!check_line(&s, a, &first))
        return;
    if (s.row->open) {
        open_later(&s, a);
        return;
    }
    s.conf = s.row->type == &type_accepted ? a->block->conf[m->index] : own_struct(c, a, m);
    char *field = s.conf ? (char *)s.conf + s.row->offset : NULL;
    if (first && (s.row->flags & REPEATS) && s.row->size)
        memset(field, 0, s.row->size);
    s.row->type->parse(&s, field);
}

/* Whether a module's rows begin in this block: they may stand here, and in none of those around. */
static bool begins_in(const struct module *m, const struct block *b)
{
    if (!(m->contexts & b->context) || (b->context == IN_OTHER && b->module != m))
        return false;
    for (b = b->parent; b; b = b->parent) {
        if (m->contexts & b->context)
            return false;
    }
    return true;
}

static const struct word root_word = { .text = STR_INIT("main") };
static const struct node root_node = {
    .words = (struct word *)(uintptr_t)&root_word, .count = 1, .file = UINT_MAX,
};

static void finish_modules(struct config *c, struct applying *a)
{
    for (unsigned i = 0; i < modules_count(); i++) {
        struct module *m = modules_at(i);
        struct setting s = { .config = c, .block = a->block, .module = m };
        if (!m->finish)
            continue;
        bool copies = m->wants_copy && a->parent && m->wants_copy(a->parent->conf[i]);
        if (begins_in(m, a->block) || copies)
            own_struct(c, a, m);
        else if (!a->parent || !owns(a, m))
            continue;
        s.node = a->block->node ? a->block->node : &root_node;
        s.conf = m->conf_size ? a->block->conf[i] : NULL;
        m->finish(&s, s.conf);
    }
}

static const struct node *first_line(const struct block *b, const struct config *c)
{
    return b->node ? b->node->children : c->tree->top;
}

static void apply_block(struct config *c, struct block *b)
{
    struct applying a = { .block = b, .parent = b->parent, .first = c->applied.count,
                          .tail = &b->openings };

    if (c->last)
        c->last->next = b;
    c->last = b;
    if (a.parent)
        reset_structs(c, &a);
    for (const struct node *n = first_line(b, c); n; n = n->next) {
        apply_line(c, &a, n);
        a.blocks |= n->block;
    }
    c->applied.count = a.first;
    finish_modules(c, &a);
}

/* Opens the blocks among a block's lines. */
static void open_blocks(struct config *c, struct block *b)
{
    for (const struct opening *o = b->openings; o; o = o->next) {
        struct setting s = { .config = c, .block = b, .node = o->node, .row = o->row,
                             .module = o->module };
        s.conf = o->module->conf_size ? b->conf[o->module->index] : NULL;
        o->row->open(&s);
    }
    b->openings = NULL;                        /* they do not outlive the load */
}

struct block *config_open(struct setting *s, enum context context, void *object)
{
    struct block *b = ARENA_NEW(setting_arena(s), struct block);

    *b = (struct block){ .parent = s->block, .node = s->node, .module = s->module,
                         .context = context, .conf = s->block->conf, .object = object };
    apply_block(s->config, b);
    return b;
}

void config_close(struct setting *s, struct block *b)
{
    open_blocks(s->config, b);
}

struct block *config_block(struct setting *s, enum context context, void *object)
{
    struct block *b = config_open(s, context, object);

    config_close(s, b);
    return b;
}

/* ---- the root ---- */

/* A struct of initial values: each row's text is parsed by the row's own type. */
static char *initial_struct(struct config *c, struct block *root, struct module *m)
{
    char *conf = m->conf_size ? arena_zalloc(&c->generation->arena, m->conf_size) : NULL;

    for (const struct directive *row = m->directives; conf && row && row->name; row++) {
        if (!row->initial || !row->type)
            continue;
        struct setting s = { .config = c, .block = root, .row = row, .module = m, .conf = conf };
        s.node = tree_line(&c->scratch, str_of(row->name), str_of(row->initial));
        row->type->parse(&s, conf + row->offset);
    }
    return conf;
}

static struct block *root_block(struct config *c)
{
    struct arena *a = &c->generation->arena;
    struct block *root = ARENA_NEW(a, struct block);

    root->context = IN_MAIN;
    root->conf = ARENA_NEW_ARRAY(a, void *, modules_count() + 1);
    c->initial = ARENA_NEW_ARRAY(&c->scratch, void *, modules_count() + 1);
    for (unsigned i = 0; i < modules_count(); i++) {
        struct module *m = modules_at(i);
        root->conf[i] = initial_struct(c, root, m);
        if (!m->resets || !m->conf_size)
            continue;
        c->initial[i] = arena_alloc(&c->scratch, m->conf_size);
        memcpy(c->initial[i], root->conf[i], m->conf_size);
    }
    return root;
}

static struct generation *resolve(struct config *c, struct str prefix, struct str conf_prefix)
{
    struct generation *g = c->generation = generation_new();

    arena_init_blocks(&c->scratch);
    c->prefix = arena_str(&g->arena, prefix);
    c->conf_prefix = arena_str(&g->arena, conf_prefix);
    g->main = root_block(c);
    apply_block(c, g->main);
    open_blocks(c, g->main);
    arena_fini(&c->scratch);
    if (c->diag->errors == 0)
        return g;
    generation_unref(g);
    return NULL;
}

struct generation *config_resolve(const struct tree *t, struct str prefix, struct str conf_prefix,
                                  struct diag *diag)
{
    struct config c = { .tree = t, .diag = diag };

    return resolve(&c, prefix, conf_prefix);
}

struct generation *config_resolve_packed(const struct bundle *b, struct diag *diag)
{
    struct config c = { .tree = b->tree, .packed = b, .diag = diag };

    return resolve(&c, b->prefix, b->conf_prefix);
}

struct generation *config_resolve_again(const struct bundle *b, struct diag *diag)
{
    struct config c = { .tree = b->tree, .held = b, .diag = diag };

    return resolve(&c, b->prefix, b->conf_prefix);
}

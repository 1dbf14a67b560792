/*
 * resolve: see resolve.h.
 */
#include "config/resolve.h"

#include "config/reference.h"

/* What is known of a block while its own lines are applied. */
struct applying {
    struct block *block;
    const struct block *parent;
    unsigned char *own;                /* by module: has its own copy in this block */
    ARRAY(const struct node *) seen;   /* the first line of each row that was applied */
    ARRAY(const struct directive *) rows;
};

/* ---- mistakes ---- */

static void tell(struct setting *s, enum log_level level, unsigned word, int error, struct str hint,
                 const char *format, va_list args)
{
    struct str message = arena_vprintf(&s->config->scratch, format, args);

    diag_at(s->config->diag, level, s->config->tree, s->node, word, error, hint, message);
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

bool setting_invalid(struct setting *s, unsigned word)
{
    struct str expected = s->row && s->row->type && s->row->type->expected
        ? arena_printf(&s->config->scratch, "expected: %s", s->row->type->expected) : STR("");

    return setting_error_hint(s, word, expected, "invalid value \"%.*s\" in \"%.*s\" directive",
                              STR_ARG(setting_arg(s, word)), STR_ARG(s->node->words[0].text));
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

/* The block's vector becomes its own, to put a struct of its own in. */
static void own_vector(struct applying *a, struct arena *arena)
{
    if (a->block->conf != a->parent->conf)
        return;
    a->block->conf = arena_alloc(arena, modules_count() * sizeof(void *));
    memcpy(a->block->conf, a->parent->conf, modules_count() * sizeof(void *));
}

/* Fields that a block does not take over from its parent begin as they began at the root. */
static void reset_fields(struct config *c, const struct module *m, char *conf)
{
    const char *initial = c->generation->main->conf[m->index];

    for (const struct directive *row = m->directives; row->name; row++) {
        if ((row->flags & NOT_INHERITED) && row->size)
            memcpy(conf + row->offset, initial + row->offset, row->size);
    }
}

static void *own_struct(struct config *c, struct applying *a, const struct module *m)
{
    struct arena *arena = &c->generation->arena;

    if (m->conf_size == 0)
        return NULL;
    if (!a->own[m->index]) {
        own_vector(a, arena);
        void *copy = arena_alloc(arena, m->conf_size);
        memcpy(copy, a->block->conf[m->index], m->conf_size);
        reset_fields(c, m, copy);
        a->block->conf[m->index] = copy;
        a->own[m->index] = 1;
    }
    return a->block->conf[m->index];
}

/* ---- lines ---- */

static struct str where_allowed(struct config *c, struct str name)
{
    const struct directive *row = modules_find(name, ~0u, NULL);
    struct out o = out_growing(&c->scratch, 1024);

    out_printf(&o, "\"%.*s\" may stand in: ", STR_ARG(name));
    reference_contexts(&o, row->contexts);
    return out_str_of(&o);
}

/* The known name that is nearest to a mistyped one, among those that may stand in `context`. */
static struct str nearest(struct config *c, struct str name, unsigned context)
{
    unsigned best = (unsigned)(name.len / 3) + 1;
    struct str found = { NULL, 0 };

    for (unsigned i = 0; i < modules_count(); i++) {
        for (const struct directive *row = modules_at(i)->directives; row && row->name; row++) {
            unsigned distance = row->contexts & context ? str_distance(name, str_of(row->name)) : 64;
            if (distance < best) {
                best = distance;
                found = str_of(row->name);
            }
        }
    }
    return found.len ? arena_printf(&c->scratch, "did you mean \"%.*s\"?", STR_ARG(found))
                     : STR("");
}

static void unknown(struct setting *s, unsigned context)
{
    struct str name = s->node->words[0].text;

    if (modules_find(name, ~0u, NULL))
        setting_error_hint(s, 0, where_allowed(s->config, name),
                           "\"%.*s\" directive is not allowed here", STR_ARG(name));
    else
        setting_error_hint(s, 0, nearest(s->config, name, context), "unknown directive \"%.*s\"",
                           STR_ARG(name));
}

/* Number of arguments, block or not: what the row says of a line's form. */
static bool check_form(struct setting *s)
{
    const struct directive *row = s->row;
    const struct node *n = s->node;
    unsigned given = n->count - 1;
    bool wants_block = row->open || (row->flags & FREE_BLOCK);

    if (wants_block && !n->block)
        return setting_error(s, 0, "directive \"%s\" has no opening \"{\"", row->name);
    if (!wants_block && n->block)
        return setting_error(s, 0, "directive \"%s\" is not terminated by \";\"", row->name);
    if (given >= row->args.min && (given <= row->args.max || row->args.max == ARGS_ANY))
        return true;
    struct str hint = row->syntax
        ? arena_printf(&s->config->scratch, "syntax: %s %s", row->name, row->syntax) : STR("");
    return setting_error_hint(s, 0, hint, "invalid number of arguments in \"%s\" directive",
                              row->name);
}

/* Notes that the row was applied; false if it was before and may not be again. */
static bool first_time(struct setting *s, struct applying *a, bool *first)
{
    struct arena *scratch = &s->config->scratch;

    *first = true;
    for (unsigned i = 0; i < a->rows.count; i++) {
        if (a->rows.items[i] != s->row)
            continue;
        *first = false;
        if (s->row->flags & REPEATS)
            return true;
        const struct node *n = a->seen.items[i];
        struct str hint = arena_printf(scratch, "the first one stands in %.*s:%u",
                                       STR_ARG(s->config->tree->files.items[n->file].path),
                                       n->words[0].line);
        return setting_error_hint(s, 0, hint, "\"%s\" directive is duplicate", s->row->name);
    }
    *ARRAY_PUSH(&a->rows, scratch) = s->row;
    *ARRAY_PUSH(&a->seen, scratch) = s->node;
    return true;
}

static void apply_line(struct config *c, struct applying *a, const struct node *n)
{
    struct setting s = { .config = c, .block = a->block, .node = n };
    struct module *m = NULL;
    bool first;

    if (n->count == 0)
        return;
    s.row = modules_find(n->words[0].text, a->block->context, &m);
    if (!s.row) {
        unknown(&s, a->block->context);
        return;
    }
    s.module = m;
    if (!check_form(&s) || !first_time(&s, a, &first) || s.row->open)
        return;
    s.conf = own_struct(c, a, m);
    void *field = s.conf ? (char *)s.conf + s.row->offset : NULL;
    if (first && (s.row->flags & REPEATS) && s.row->size)
        memset(field, 0, s.row->size);
    s.row->type->parse(&s, field);
}

/* Whether a block of `context` is where a module's rows begin. */
static bool begins_in(const struct module *m, enum context context)
{
    static const unsigned main_level = IN_MAIN;
    unsigned all = 0;

    for (const struct directive *row = m->directives; row && row->name; row++)
        all |= row->contexts;
    if (all & main_level)
        return context == IN_MAIN;
    return (all & context) != 0 && (context == IN_HTTP || context == IN_STREAM ||
                                    context == IN_MAIL || context == IN_EVENTS);
}

static void finish_modules(struct config *c, struct applying *a, const struct node *n)
{
    for (unsigned i = 0; i < modules_count(); i++) {
        struct module *m = modules_at(i);
        if (!m->finish)
            continue;
        if (begins_in(m, a->block->context))
            own_struct(c, a, m);
        else if (!a->own[i])
            continue;
        struct setting s = { .config = c, .block = a->block, .node = n, .module = m,
                             .conf = a->block->conf[i] };
        m->finish(&s, s.conf);
    }
}

static const struct node *first_line(const struct block *b, const struct config *c)
{
    return b->node ? b->node->children : c->tree->top;
}

static void apply_block(struct config *c, struct applying *a)
{
    static const struct word root_word = { .text = { "main", 4 } };
    static const struct node root = { .words = (struct word *)(uintptr_t)&root_word, .count = 1,
                                      .file = ~0u };

    a->own = a->own ? a->own : ARENA_NEW_ARRAY(&c->scratch, unsigned char, modules_count());
    for (const struct node *n = first_line(a->block, c); n; n = n->next)
        apply_line(c, a, n);
    finish_modules(c, a, a->block->node ? a->block->node : &root);
}

/* Opens the blocks among a block's lines. */
static void open_blocks(struct config *c, struct block *b)
{
    for (const struct node *n = first_line(b, c); n; n = n->next) {
        struct setting s = { .config = c, .block = b, .node = n };
        struct module *m = NULL;
        if (!n->block || n->count == 0)
            continue;
        s.row = modules_find(n->words[0].text, b->context, &m);
        if (!s.row || !s.row->open || n->count - 1 < s.row->args.min ||
            (n->count - 1 > s.row->args.max && s.row->args.max != ARGS_ANY))
            continue;                          /* told before */
        s.module = m;
        s.conf = m->conf_size ? b->conf[m->index] : NULL;
        s.row->open(&s);
    }
}

struct block *config_open(struct setting *s, enum context context, void *object)
{
    struct block *b = ARENA_NEW(setting_arena(s), struct block);
    struct applying a = { .block = b, .parent = s->block };

    *b = (struct block){ .parent = s->block, .node = s->node, .context = context,
                         .conf = s->block->conf, .object = object };
    apply_block(s->config, &a);
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
static void *initial_struct(struct config *c, struct block *root, struct module *m)
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

struct generation *config_resolve(const struct tree *t, struct str prefix, struct str conf_prefix,
                                  struct diag *diag)
{
    struct generation *g = generation_new();
    struct config c = { .generation = g, .tree = t, .diag = diag };
    struct block *root = ARENA_NEW(&g->arena, struct block);
    struct applying a = { .block = root, .parent = root };

    c.prefix = arena_str(&g->arena, prefix);
    c.conf_prefix = arena_str(&g->arena, conf_prefix);
    g->main = root;
    root->context = IN_MAIN;
    root->conf = ARENA_NEW_ARRAY(&g->arena, void *, modules_count() + 1);
    for (unsigned i = 0; i < modules_count(); i++)
        root->conf[i] = initial_struct(&c, root, modules_at(i));
    a.own = arena_alloc(&c.scratch, modules_count() + 1);
    memset(a.own, 1, modules_count() + 1);     /* the root's structs are its own */
    apply_block(&c, &a);
    open_blocks(&c, root);
    arena_fini(&c.scratch);
    if (diag->errors == 0)
        return g;
    generation_unref(g);
    return NULL;
}

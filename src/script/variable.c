/*
 * variable: see variable.h.  A namespace is a table of names; those of a prefix get an entry of their
 * own when they are first used, and a name that is used before it is defined has an entry that waits.
 */
#include "script/variable.h"

#include <assert.h>

#include "script/table.h"

enum known_state {
    KNOWN_WANTED,          /* used, not defined yet */
    KNOWN_BY_PREFIX,       /* made from a prefix: any definition of the whole name replaces it */
    KNOWN_DEFINED,
};

/* An entry of a namespace. */
struct known {
    struct variable var;
    enum known_state state;
    bool used;             /* it has a slot */
    const struct node *node;           /* where it was first used, if that was before it was defined */
    unsigned word;
};

struct variables {
    struct arena *arena;
    struct table names;
    ARRAY(struct variable) prefixes;
    unsigned slots;
    const struct variables_hooks *hooks;
};

static const struct variables_hooks no_hooks;
static const struct value not_found = { .data = "", .state = VALUE_NOT_FOUND };

struct variables *variables_new(struct arena *a)
{
    struct variables *names = ARENA_NEW(a, struct variables);

    names->arena = a;
    names->hooks = &no_hooks;
    table_init(&names->names, a, true);
    return names;
}

void variables_set_hooks(struct variables *names, const struct variables_hooks *hooks)
{
    names->hooks = hooks;
}

const struct variables_hooks *variables_hooks(const struct variables *names)
{
    return names->hooks;
}

unsigned variables_count(const struct variables *names)
{
    return names->slots;
}

static struct str lower_copy(struct arena *a, struct str s)
{
    char *copy = arena_alloc(a, s.len + 1);

    for (size_t i = 0; i < s.len; i++)
        copy[i] = char_lower(s.data[i]);
    copy[s.len] = '\0';
    return (struct str){ copy, s.len };
}

static struct known *known_find(const struct variables *names, struct str name)
{
    struct table_entry *e = table_find(&names->names, str_hash_nocase(name), name);

    return e ? e->value : NULL;
}

static struct known *known_add(struct variables *names, struct str name)
{
    struct known *k = ARENA_NEW(names->arena, struct known);

    k->var.name = lower_copy(names->arena, name);
    table_add(&names->names, str_hash_nocase(name), k->var.name, k);
    return k;
}

/* Takes the definition over; name and slot stay. */
static void known_define(struct known *k, const struct variable *var, enum known_state state)
{
    struct str name = k->var.name;
    unsigned index = k->var.index;

    k->var = *var;
    k->var.name = name;
    k->var.index = index;
    k->state = state;
}

/* The longest prefix that `name` begins with, or NULL. */
static const struct variable *prefix_find(const struct variables *names, struct str name)
{
    const struct variable *best = NULL;

    for (unsigned i = 0; i < names->prefixes.count; i++) {
        const struct variable *p = &names->prefixes.items[i];

        if ((!best || p->name.len > best->name.len) && str_starts_nocase(name, p->name))
            best = p;
    }
    return best;
}

static bool known_define_by_prefix(struct variables *names, struct known *k)
{
    const struct variable *prefix = prefix_find(names, k->var.name);

    if (!prefix)
        return false;
    known_define(k, prefix, KNOWN_BY_PREFIX);
    k->var.flags &= ~(unsigned)VARIABLE_PREFIX;
    k->var.rest = str_from(k->var.name, prefix->name.len);
    return true;
}

static const struct variable *known_use(struct variables *names, struct known *k)
{
    if (!k->used) {
        k->used = true;
        k->var.index = names->slots++;
    }
    return &k->var;
}

bool variables_add(struct variables *names, const struct variable *var)
{
    if (var->flags & VARIABLE_PREFIX) {
        struct variable *p = ARRAY_PUSH(&names->prefixes, names->arena);

        *p = *var;
        p->name = lower_copy(names->arena, var->name);
        return true;
    }

    struct known *k = known_find(names, var->name);

    if (!k)
        k = known_add(names, var->name);
    else if (k->state == KNOWN_DEFINED &&
             !(k->var.flags & (unsigned)(VARIABLE_CHANGEABLE | VARIABLE_WEAK)))
        return false;
    else if (k->state == KNOWN_DEFINED && (var->flags & VARIABLE_WEAK))
        return true;
    known_define(k, var, KNOWN_DEFINED);
    return true;
}

void variables_add_all(struct variables *names, const struct variable *list)
{
    for (; list->name.len; list++) {
        bool added = variables_add(names, list);

        assert(added);
        (void)added;
    }
}

const struct variable *variables_use(struct variables *names, struct str name)
{
    struct known *k = known_find(names, name);

    if (k && k->state == KNOWN_WANTED && !known_define_by_prefix(names, k))
        return NULL;
    if (!k && !prefix_find(names, name))
        return NULL;
    if (!k) {
        k = known_add(names, name);
        known_define_by_prefix(names, k);
    }
    return known_use(names, k);
}

const struct variable *variables_want(struct variables *names, struct str name,
                                      const struct node *node, unsigned word)
{
    const struct variable *var = variables_use(names, name);

    if (var)
        return var;

    struct known *k = known_find(names, name);

    if (!k) {
        k = known_add(names, name);
        k->node = node;
        k->word = word;
    }
    return known_use(names, k);
}

const struct variable *variables_undefined(struct variables *names, unsigned *at,
                                           const struct node **node, unsigned *word)
{
    while (*at < names->names.count) {
        struct known *k = names->names.items[(*at)++].value;

        if (k->state == KNOWN_WANTED && !known_define_by_prefix(names, k)) {
            *node = k->node;
            *word = k->word;
            return &k->var;
        }
    }
    return NULL;
}

const struct variable *variables_find(const struct variables *names, struct str name)
{
    const struct known *k = known_find(names, name);

    return k && k->used ? &k->var : NULL;
}

bool variable_fail(struct script *s, const char *format, ...)
{
    va_list args;

    s->failed = true;
    va_start(args, format);
    log_vwrite(s->log ? s->log : log_process, LOG_LEVEL_ERROR, 0, s->scope, format, args);
    va_end(args);
    return false;
}

/* Calls the getter with room for a value; whatever fails leaves NOT_FOUND. */
static struct value value_get(struct script *s, const struct variable *var)
{
    struct value v = not_found;

    if (s->depth >= SCRIPT_MAX_DEPTH) {
        variable_fail(s, "variables are nested too deeply at \"%.*s\"", STR_ARG(var->name));
        return v;
    }
    s->depth++;
    if (var->get && !var->get(s, var, &v)) {
        s->failed = true;
        v = not_found;
    }
    s->depth--;
    return v;
}

const struct value *variable_compute(struct script *s, const struct variable *var)
{
    struct value *slot = &s->values[var->index];

    if (slot->state == VALUE_BUSY) {
        variable_fail(s, "cycle while evaluating variable \"%.*s\"", STR_ARG(var->name));
        return &not_found;
    }
    slot->state = VALUE_BUSY;

    struct value v = value_get(s, var);

    *slot = v;
    return slot;
}

struct value variable_named(struct script *s, struct str name)
{
    const struct known *k = known_find(s->names, name);

    if (k && k->used)
        return *variable_value(s, &k->var);
    if (k)
        return value_get(s, &k->var);

    const struct variable *prefix = prefix_find(s->names, name);

    if (!prefix)
        return not_found;

    struct variable var = *prefix;

    var.name = lower_copy(s->arena, name);
    var.rest = str_from(var.name, prefix->name.len);
    return value_get(s, &var);
}

void variable_assign(struct script *s, const struct variable *var, struct str value)
{
    if (var->set) {
        var->set(s, var, value);
        return;
    }
    s->values[var->index] = (struct value){
        .data = value.data, .len = (uint32_t)value.len, .state = VALUE_FOUND, .assigned = true,
    };
}

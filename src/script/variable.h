/*
 * variable: named values that are computed when they are asked for.  A namespace belongs to an engine
 * (http, stream) of one generation; whoever uses a name while the configuration is resolved gets its
 * index, and at run time a value is a slot of that index: no name is looked up then, but for prefixes
 * that a peer's own texts complete.  Nothing here knows http: the engine hands in an object and gets it
 * back.
 */
#ifndef SCRIPT_VARIABLE_H
#define SCRIPT_VARIABLE_H

#include "base/arena.h"
#include "base/array.h"
#include "base/log.h"

struct peer;           /* net/address.h */
struct node;           /* config/tree.h */

enum value_state {
    VALUE_UNSET,           /* not computed yet */
    VALUE_FOUND,
    VALUE_NOT_FOUND,       /* an empty text, and shown as "-" in logs */
    VALUE_BUSY,            /* being computed: a cycle asks for it again */
};

struct value {
    const char *data;
    uint32_t len;
    uint8_t state;         /* enum value_state */
    bool assigned;         /* by `set` or a named capture: a volatile variable keeps it too */
};

static inline struct str value_str(const struct value *v)
{
    return (struct str){ v->data, v->len };
}

/* For getters: the value, which is NOT_FOUND where text.data is NULL.  Gives true. */
static inline bool value_give(struct value *v, struct str text)
{
    v->data = text.data ? text.data : "";
    v->len = (uint32_t)text.len;
    v->state = text.data ? VALUE_FOUND : VALUE_NOT_FOUND;
    return true;
}

struct script;
struct variable;

/* Fills in *v; texts must live as long as the script's arena.  Leaves VALUE_NOT_FOUND where there is
 * none.  false: it could not be computed, which fails the request (logged by then). */
typedef bool variable_get(struct script *s, const struct variable *var, struct value *v);
/* For `set`, and variables that may be assigned ($args, $limit_rate). */
typedef void variable_set(struct script *s, const struct variable *var, struct str value);

enum variable_flags {
    VARIABLE_VOLATILE = 1,     /* computed at each use */
    VARIABLE_PREFIX = 2,       /* "arg_": the rest of the name goes to get() as var->rest */
    VARIABLE_CHANGEABLE = 4,   /* a configuration may define one of the same name itself */
    VARIABLE_WEAK = 8,         /* gives way: leaves one of the same name as it is, and is itself replaced
                                * by one that is not weak; for names that only `set` and captures fill */
};

struct variable {
    struct str name;           /* without "$"; for a prefix with its "_" */
    variable_get *get;
    variable_set *set;         /* NULL: read-only */
    uintptr_t data;            /* the getter's: an offset, a header's id, a pointer */
    unsigned flags;
    struct str rest;           /* a prefix's: the name behind it, "x_forwarded_for" */
    unsigned index;            /* of its slot, set when first used */
};

struct variables;

enum { SCRIPT_MAX_DEPTH = 100 };

/* An evaluation: the values of one request or session. */
struct script {
    void *object;              /* the request or session */
    struct arena *arena;
    const struct variables *names;
    struct value *values;      /* variables_count(names) slots, cleared at first */
    const struct str *captures;        /* of the last regular expression: $0, $1... */
    unsigned capture_count;
    unsigned depth;            /* of getters that use other variables */
    bool failed;               /* a value could not be computed: the engine fails the request */
    const struct log *log;     /* for what goes wrong; NULL: the process's */
    const struct log_scope *scope;     /* may be NULL */
};

/* What the script floor asks of an engine's object; each may be NULL. */
struct variables_hooks {
    /* The client's address, as realip may have changed it. */
    void (*peer)(const struct script *s, struct peer *p);
    /* Line i of X-Forwarded-For, counted from the last; false: there are no more. */
    bool (*forwarded)(const struct script *s, unsigned i, struct str *line);
};

/* Names are compared without regard to case, and kept in lower case. */
struct variables *variables_new(struct arena *a);
void variables_set_hooks(struct variables *names, const struct variables_hooks *hooks);
const struct variables_hooks *variables_hooks(const struct variables *names);      /* never NULL */
/* Adds one; false: a variable of that name is there and not VARIABLE_CHANGEABLE.  Otherwise it takes
 * the other's place, for those who use that already too. */
bool variables_add(struct variables *names, const struct variable *var);
/* A list ended by one without name; none of them may be there yet. */
void variables_add_all(struct variables *names, const struct variable *list);
/* The variable for a use of `name`, its slot's index given; NULL: there is none of that name. */
const struct variable *variables_use(struct variables *names, struct str name);
/* The same where a later line may define it: never NULL.  The first use's place is kept. */
const struct variable *variables_want(struct variables *names, struct str name,
                                      const struct node *node, unsigned word);
/* One that was wanted and is still undefined, from *at (0 at first) on; NULL: no more.  Also finds the
 * prefixes for names that were wanted before their prefix was added. */
const struct variable *variables_undefined(struct variables *names, unsigned *at,
                                           const struct node **node, unsigned *word);
/* By name at run time (SSI, prefixes in njs...): NULL if there is none or it was not used anywhere. */
const struct variable *variables_find(const struct variables *names, struct str name);
unsigned variables_count(const struct variables *names);

/* Fills the slot; for variable_value(). */
const struct value *variable_compute(struct script *s, const struct variable *var);

/* The value of a variable: cached in its slot unless volatile.  Never NULL; NOT_FOUND on failure. */
static inline const struct value *variable_value(struct script *s, const struct variable *var)
{
    const struct value *v = &s->values[var->index];

    if ((v->state == VALUE_FOUND || v->state == VALUE_NOT_FOUND) &&
        (v->assigned || !(var->flags & VARIABLE_VOLATILE)))
        return v;
    return variable_compute(s, var);
}

/* By a name that a text gives at run time (SSI): any defined variable, used anywhere or not. */
struct value variable_named(struct script *s, struct str name);
/* `set`: through the variable's setter, or into its slot. */
void variable_assign(struct script *s, const struct variable *var, struct str value);
/* For getters: logs as an error why a value can't be, and marks the script.  Gives false. */
bool variable_fail(struct script *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

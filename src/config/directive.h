/*
 * directive: one row describes one directive, and everything else falls out of the row: parsing,
 * inheritance, -t, the dump, help, man page and reference.  See resolve.h for how rows are applied.
 */
#ifndef CONFIG_DIRECTIVE_H
#define CONFIG_DIRECTIVE_H

#include "base/array.h"
#include "config/tree.h"

struct generation;
struct config;
struct block;
struct setting;
struct out;

/* Where a directive may stand, and what a block is. */
enum context {
    IN_MAIN = 1 << 0,
    IN_EVENTS = 1 << 1,
    IN_HTTP = 1 << 2,
    IN_SERVER = 1 << 3,
    IN_LOCATION = 1 << 4,
    IN_SERVER_IF = 1 << 5,
    IN_LOCATION_IF = 1 << 6,
    IN_LIMIT_EXCEPT = 1 << 7,
    IN_UPSTREAM = 1 << 8,
    IN_STREAM = 1 << 9,
    IN_STREAM_SERVER = 1 << 10,
    IN_STREAM_UPSTREAM = 1 << 11,
    IN_MAIL = 1 << 12,
    IN_MAIL_SERVER = 1 << 13,
    IN_OTHER = 1 << 14,    /* blocks of a single module with rows of their own (match, acme_issuer) */
};

enum directive_flags {
    REPEATS = 1,           /* several lines in a block add up; the first one replaces what is inherited.
                            * Rows of one module with the same field fill one list together. */
    NOT_INHERITED = 2,     /* a nested block starts with the initial value */
    FREE_BLOCK = 4,        /* a block whose lines are the type's own affair: types, map, geo */
    DEPRECATED = 8,        /* works, and -t says what to write instead (.help says it) */
    EARLY = 16,            /* stands before all blocks of its level (load_module) */
};

/* How many arguments, and what they are. */
struct arity {
    unsigned char min, max;            /* max 255: no limit */
};
#define ARGS(n) { (n), (n) }
#define ARGS_RANGE(least, most) { (least), (most) }
#define ARGS_ANY 255

struct directive;

/* How a value is read and shown.  A type copies into the generation's arena what it keeps of the text. */
struct type {
    const char *name;                  /* "size", in the reference */
    const char *expected;              /* "a size such as 8k or 1m", in messages */
    /* Reads s->node into the field; false after setting_error(). */
    bool (*parse)(struct setting *s, void *field);
    /* Shows the value as it would be written after the directive's name; NULL: there is none to show. */
    void (*print)(const struct directive *row, const void *field, struct out *o);
};

struct directive {
    const char *name;
    unsigned contexts;                 /* enum context bits */
    struct arity args;
    const struct type *type;           /* NULL for a block with `open` */
    size_t offset, size;               /* of the field in the module's struct; size 0: no field */
    const char *initial;               /* as a person would write it; NULL: the field starts as zeros */
    const char *help;                  /* one or two sentences */
    const char *syntax;                /* of the arguments, where the type's name does not say it */
    unsigned flags;                    /* enum directive_flags */
    const void *data;                  /* of the type: names of an enum, bounds */
    /* A block of directives: called when the outer block's own lines are applied.  Where the row has a
     * field, s->conf is the outer block's own struct; otherwise it may be shared and is only read. */
    bool (*open)(struct setting *s);
    const char *default_text;          /* what the reference shows where `initial` is not a text */
};

#define FIELD(type, field) .offset = offsetof(type, field), .size = sizeof(((type *)0)->field)

struct module {
    const char *name;                  /* as nginx names it: "ngx_http_autoindex_module" */
    const struct directive *directives;/* ended by a row without name; NULL: none */
    size_t conf_size;                  /* bytes of its struct; 0: none */
    /* After a block's own lines, where the block has a struct of its own (it set something, or the
     * module's rows begin here: they may stand in this block, and in none around it): derive and
     * check.  false after setting_error(). */
    bool (*finish)(struct setting *s, void *conf);
    /* Whether nested blocks that set nothing need a struct of their own all the same, and finish(); by
     * what they take over.  NULL: they do not. */
    bool (*wants_copy)(const void *conf);
    const void *extra;                 /* what the module's own floor attaches: struct http_module */
    /* Set by modules_init(): */
    unsigned index;                    /* into a block's vector of structs */
    unsigned contexts;                 /* of all its rows */
    bool resets;                       /* some row is NOT_INHERITED */
};

#endif

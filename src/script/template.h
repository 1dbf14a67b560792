/*
 * template: a text with variables in it ("$scheme://$host$uri"), compiled once, appended in one pass
 * with every bound checked.
 */
#ifndef SCRIPT_TEMPLATE_H
#define SCRIPT_TEMPLATE_H

#include "config/resolve.h"
#include "script/variable.h"

struct template_part;

struct template {
    const struct template_part *parts;
    unsigned count;            /* of parts; 0: `text` is the whole value */
    struct str text;           /* as it is, where there are no variables; the source text otherwise */
};

static inline bool template_is_text(const struct template *t)
{
    return t->count == 0;
}

static inline bool template_is_empty(const struct template *t)
{
    return t->count == 0 && t->text.len == 0;
}

/*
 * Compiles word `word` of a setting with the names of its engine.  Unknown variables, "${" without "}"
 * and a "$" before no name are mistakes, in nginx's wording (unknown "x" variable, invalid variable name).
 * $1 to $9 are captures.
 */
bool template_compile(struct setting *s, unsigned word, struct variables *names, struct template *t);
/* The same for any text, errors at word `word`. */
bool template_compile_text(struct setting *s, unsigned word, struct str text,
                           struct variables *names, struct template *t);

/* The value; without variables the text itself, otherwise from the script's arena, NUL-terminated. */
struct str template_value(const struct template *t, struct script *s);
/* Appends the value. */
void template_put(const struct template *t, struct script *s, struct out *o);

/* Type of a field `struct template`, names taken from config_variables(): one word, variables allowed. */
extern const struct type type_template;

/* The namespace that a block's directives use: the engine's of http or of stream; set by the engine when
 * its block is opened, found through the outer blocks. */
struct variables *config_variables(const struct setting *s);
void config_set_variables(struct block *b, struct variables *names);

/* Whether a value may stand in a header, a request line or a log line: no CR, LF or NUL. */
bool template_safe(struct str value);

#endif

/*
 * template: a text with variables in it ("$scheme://$host$uri"), compiled once, appended in one pass
 * with every bound checked.
 */
#ifndef SCRIPT_TEMPLATE_H
#define SCRIPT_TEMPLATE_H

#include "script/config_variables.h"

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

enum { TEMPLATE_MAX = 16 << 20 };      /* bytes of a value that is put together */

/*
 * Compiles word `word` of a setting with the names of its engine.  "${" without "}" and a "$" before
 * no name are mistakes, in nginx's wording; so are unknown variables, but those are told at the end of
 * the engine's block (config_end_variables()), because a later line may define them.  $1 to $9 are
 * captures.
 */
bool template_compile(struct setting *s, unsigned word, struct variables *names, struct template *t);
/* The same for any text, errors at word `word`. */
bool template_compile_text(struct setting *s, unsigned word, struct str text,
                           struct variables *names, struct template *t);

/* The value: the text itself where there are no variables, a lone variable's own bytes (which need not
 * end in NUL), otherwise put together in the script's arena.  Empty, and the script marked as failed, if
 * it grows beyond TEMPLATE_MAX. */
struct str template_value(const struct template *t, struct script *s);
/* The same, always ending in NUL: for paths. */
struct str template_value_nul(const struct template *t, struct script *s);
/* Appends the value. */
void template_put(const struct template *t, struct script *s, struct out *o);

/* Type of a field `struct template`, names taken from config_variables(): one word, variables allowed. */
extern const struct type type_template;

/* Whether a value may stand in a header, a request line or a log line: no CR, LF or NUL. */
bool template_safe(struct str value);

#endif

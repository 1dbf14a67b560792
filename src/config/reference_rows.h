/*
 * reference_rows: the rows of all modules as the reference's forms want them: in groups by module,
 * and with syntax and default as texts.
 */
#ifndef CONFIG_REFERENCE_ROWS_H
#define CONFIG_REFERENCE_ROWS_H

#include "base/out.h"
#include "config/directive.h"

/* The rows of all modules of one name, in the program's order. */
struct reference_group {
    const char *name;
    ARRAY(const struct directive *) rows;
};

struct reference_groups {
    ARRAY(struct reference_group) list;
};

struct reference_groups reference_groups(struct arena *a);

/* What may stand behind the name: "on | off", "uri { ... }"; nothing for a bare word. */
void reference_syntax(struct out *o, const struct directive *row);
/* NULL: there is none. */
const char *reference_default(const struct directive *row);
/* Names of contexts, each after the first with `separator` before it. */
void reference_context_names(struct out *o, unsigned contexts, const char *separator);
/* What the row's flags mean to a person, a sentence each; may be nothing. */
void reference_remarks(struct out *o, const struct directive *row);

#endif

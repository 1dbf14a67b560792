/*
 * conditions: texts with variables in them, each of which is true unless it is empty or "0".
 */
#ifndef SCRIPT_CONDITIONS_H
#define SCRIPT_CONDITIONS_H

#include "script/template.h"

struct conditions {
    ARRAY(struct template) list;
};

bool condition_is_true(const struct template *t, struct script *s);
/* Whether one of them is true; whether all are (as they are where there are none). */
bool conditions_any(const struct conditions *c, struct script *s);
bool conditions_all(const struct conditions *c, struct script *s);

/* Type of a field `struct conditions`: all words of a line, which takes the place of an inherited
 * one. */
extern const struct type type_conditions;

#endif

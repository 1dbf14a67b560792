/*
 * pattern_set: many patterns, of which the first in order that matches counts.  Finding it takes one
 * pass over the text, however many there are.
 */
#ifndef SCRIPT_PATTERN_SET_H
#define SCRIPT_PATTERN_SET_H

#include "script/pattern.h"

struct pattern_set;

struct pattern_set *pattern_set_new(struct arena *a);
void pattern_set_add(struct pattern_set *set, struct pattern *p);
/* When all are in, before the first match.  The set lives as long as the generation. */
void pattern_set_end(struct pattern_set *set, struct generation *g);
/* As pattern_match(); *index becomes that of the pattern that matches, in order of adding. */
enum pattern_result pattern_set_match(const struct pattern_set *set, struct script *s,
                                      struct str subject, unsigned *index);

#endif

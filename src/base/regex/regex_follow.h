/*
 * regex_follow: what can come next.  Knowing that, a matcher sees at a glance which way of a choice
 * is closed, where a repetition may end, and where a match may begin.
 */
#ifndef BASE_REGEX_REGEX_FOLLOW_H
#define BASE_REGEX_REGEX_FOLLOW_H

#include "base/regex/regex_program.h"

/*
 * Fills in what regex_emit() left open, with sets in `a`.  A repetition that can end in one place
 * only becomes possessive; one that had been so without need does not keep the program from being
 * regular any longer, any other does.
 */
void regex_follow(struct regex_program *p, struct arena *a);

#endif

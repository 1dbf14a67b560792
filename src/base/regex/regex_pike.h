/*
 * regex_pike: captures in time linear in the subject, whatever the pattern.  All ways are followed
 * at once, in order of preference, each with its own captures.  Runs regular programs only.
 */
#ifndef BASE_REGEX_REGEX_PIKE_H
#define BASE_REGEX_REGEX_PIKE_H

#include "base/regex/regex.h"
#include "base/regex/regex_program.h"

struct regex_pike;

/* NULL if memory is short, or the program too large.  `p` must outlive the result. */
struct regex_pike *regex_pike_new(const struct regex_program *p);
void regex_pike_free(struct regex_pike *k);

/* Looks for the first match and fills in the program's slots, as regex_backtrack() does. */
bool regex_pike_match(struct regex_pike *k, struct str subject, size_t *slots);

#endif

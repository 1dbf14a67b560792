/*
 * regex_literal: text that every match must contain.  Looking for that first is the quickest way to
 * find that there is no match.
 */
#ifndef BASE_REGEX_REGEX_LITERAL_H
#define BASE_REGEX_REGEX_LITERAL_H

#include "base/regex/regex_program.h"

struct regex_literal {
    struct str text;       /* empty if none is known; in lower case if `nocase` */
    bool nocase;           /* the case of letters is of no account, at least of some */
    bool findable;         /* has a byte to look for: one that `nocase` does not concern */
    size_t rare;           /* the place of the least common such byte */
    bool is_all;           /* of a prefix: whatever begins with it is a match */
};

/* What every match of the program begins with. */
struct regex_literal regex_literal_prefix(const struct regex_program *p, struct arena *a);
/* The longest text that every match of the tree contains. */
struct regex_literal regex_literal_within(const struct regex_node *tree, bool utf8,
                                          struct arena *a);
/* Does the subject begin with it? */
bool regex_literal_starts(const struct regex_literal *l, struct str subject);
/* For one that is findable: where it first stands in `subject`, at or after `from` (at most the
 * length); SIZE_MAX: nowhere. */
size_t regex_literal_find(const struct regex_literal *l, struct str subject, size_t from);

#endif

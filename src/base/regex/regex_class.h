/*
 * regex_class: sets of characters, as ranges of code points, while a pattern is parsed.
 */
#ifndef BASE_REGEX_REGEX_CLASS_H
#define BASE_REGEX_REGEX_CLASS_H

#include "base/array.h"

enum { CODE_POINT_MAX = 0x10FFFF };

struct regex_range {
    uint32_t first, last;
};

struct regex_class {
    ARRAY(struct regex_range) ranges;
};

/* Adds the characters from `first` to `last`. */
void regex_class_add(struct regex_class *c, struct arena *a, uint32_t first, uint32_t last);
/* The same, and whatever differs from one of them in case only; beyond ASCII only in UTF-8. */
void regex_class_add_nocase(struct regex_class *c, struct arena *a, uint32_t first, uint32_t last,
                            bool utf8);
/*
 * Adds the set that the escape \`letter` names, one of d h s v w and N, or for a capital D H S V W
 * its complement.  `max` is the last character there is: 0xFF, or CODE_POINT_MAX in UTF-8.
 */
void regex_class_add_escape(struct regex_class *c, struct arena *a, char letter, uint32_t max);
/* Adds the POSIX class `name`, or its complement; false if there is none of that name. */
bool regex_class_add_posix(struct regex_class *c, struct arena *a, struct str name, bool negated,
                           uint32_t max);
/* Turns the class into its complement, all from 0 to `max` that it had not; sorts it, too. */
void regex_class_negate(struct regex_class *c, struct arena *a, uint32_t max);
/* Sorts the ranges and joins those that touch. */
void regex_class_sort(struct regex_class *c);

#endif

/*
 * regex_bracket: the classes that stand between [ and ].
 */
#ifndef BASE_REGEX_REGEX_BRACKET_H
#define BASE_REGEX_REGEX_BRACKET_H

#include "base/regex/regex_parse.h"

/* Reads the class whose [ p->at has just passed; NULL on a mistake. */
struct regex_class *regex_bracket_read(struct regex_parser *p);
/* Does a POSIX class name stand at p->at, the [ of which has been passed? */
bool regex_bracket_is_posix(const struct regex_parser *p);

#endif

/*
 * regex_emit: tree to program.
 */
#ifndef BASE_REGEX_REGEX_EMIT_H
#define BASE_REGEX_REGEX_EMIT_H

#include "base/regex/regex_program.h"

struct regex_emit_options {
    unsigned groups;   /* how many groups the pattern has */
    bool has_backrefs;
    bool utf8;
    /* For matching from the end backwards: a program for the tree mirrored, without captures. */
    bool mirrored;
};

/*
 * Makes a program in `keep`; `scratch` is for what is needed meanwhile.  NULL if the program would
 * become too large.  What regex_follow finds out is not filled in yet.
 */
struct regex_program *regex_emit(struct arena *keep, struct arena *scratch,
                                 struct regex_node *tree, struct regex_emit_options options);

#endif

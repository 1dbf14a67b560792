/*
 * generate: random patterns, each with a text that resembles what it matches.
 */
#ifndef TESTS_REGEX_GENERATE_H
#define TESTS_REGEX_GENERATE_H

#include "base/out.h"

struct generator {
    uint64_t random;       /* any but zero */
    bool utf8;             /* characters beyond ASCII, too */
    bool wild;             /* look-around, back-references, atomic groups */
    unsigned groups, budget, look_depth, names;
    struct out pattern;
};

uint32_t generate_number(struct generator *g, uint32_t below);
/* Writes a pattern to g->pattern and a text to `sample`. */
void generate_pattern(struct generator *g, struct out *sample);
/* Damages g->pattern here and there, for patterns that only nearly are some. */
void generate_damage(struct generator *g);
/* A short random text, or a damaged copy of `sample`. */
void generate_subject(struct generator *g, struct str sample, struct out *subject);

#endif

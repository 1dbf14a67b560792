/*
 * regex_dfa: match or no match, in one pass and one table look-up for each byte.
 *
 * The deterministic form of a regex_nfa, whose states are made when a subject first leads there.
 * When they take more memory than the limit, all are dropped and made anew as needed; if that
 * happens too often, the rest of the subject is matched without keeping any.
 */
#ifndef BASE_REGEX_REGEX_DFA_H
#define BASE_REGEX_REGEX_DFA_H

#include "base/regex/regex_nfa.h"

enum { REGEX_DFA_LIMIT = 1 << 20 };   /* bytes of states, unless told otherwise */

struct regex_dfa;

/* What a run found. */
struct regex_dfa_answer {
    uint32_t best;               /* the first part that certainly matched, or REGEX_NFA_NONE */
    const uint32_t *perhaps;     /* the parts before that one that may have matched, in order; */
    unsigned perhaps_count;      /* good until the next run */
};

/* NULL if memory is short.  `n` must outlive the result. */
struct regex_dfa *regex_dfa_new(const struct regex_nfa *n, size_t limit);
void regex_dfa_free(struct regex_dfa *d);

/* Looks in `subject` for matches that begin at `from` or later. */
void regex_dfa_run(struct regex_dfa *d, struct str subject, size_t from,
                   struct regex_dfa_answer *answer);

/*
 * For one mirrored program, which must be regular and free of assertions: is there a match that
 * ends at the end of `subject`?
 */
bool regex_dfa_run_back(struct regex_dfa *d, struct str subject);

#endif

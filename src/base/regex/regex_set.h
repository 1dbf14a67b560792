/*
 * regex_set: many regular expressions matched in one pass, for lists of which the first that
 * matches counts.  Five hundred cost about what one does.
 */
#ifndef BASE_REGEX_REGEX_SET_H
#define BASE_REGEX_REGEX_SET_H

#include "base/regex/regex.h"

struct regex_set;

enum {
    REGEX_SET_NONE = -1,
    REGEX_SET_FAILED = -2,   /* one that comes before any match answered REGEX_LIMIT or BAD_UTF8 */
};

/* A set in `a`, its caches on the heap; the patterns must outlive it. */
struct regex_set *regex_set_new(struct arena *a, struct regex *const *patterns, unsigned count);
/* Frees what is on the heap, for the set alone; it may be matched again afterwards. */
void regex_set_fini(struct regex_set *set);
/* How many bytes the automaton's cache may take (1 MiB unless told otherwise). */
void regex_set_cache_limit(struct regex_set *set, size_t bytes);

/* The index of the first pattern that matches, or REGEX_SET_NONE or _FAILED. */
int regex_set_match(struct regex_set *set, struct str subject);

#endif

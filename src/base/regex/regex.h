/*
 * regex: regular expressions in PCRE's syntax, as nginx configurations use it, that cannot hang.
 *
 * A pattern is parsed to a tree (regex_parse), that is written out as a program (regex_emit), and
 * the program is studied (regex_follow, regex_literal); it never changes afterwards.  Three
 * matchers run programs:
 *
 *     regex_dfa        match or no match, one table look-up for each byte
 *     regex_backtrack  captures, quick on the common case, within a budget of steps
 *     regex_pike       captures in linear time, for what exhausted that budget
 *
 * What is regular in the formal sense always takes time linear in the subject.  Look-around,
 * back-references, and atomic groups that matter run in the backtracking matcher alone: when its
 * limit is reached it answers REGEX_LIMIT.
 *
 * The semantics are those of PCRE2 10.42, capture offsets included, with its defaults: newline is
 * LF, a subject is bytes unless REGEX_UTF8 or a leading (*UTF8) or (*UTF) says otherwise.
 * Deliberate differences:
 *   - not supported, an error when compiling: recursion and subroutine calls, conditions, callouts,
 *     all of (*...) but UTF, duplicate names, \X, \p, \P, \C in UTF-8, back-references inside
 *     look-behind, and non-atomic look-around;
 *   - (*UTF8) is understood, which PCRE2 has dropped;
 *   - [\w-.] takes the hyphen literally, as PCRE1 and Perl do, where PCRE2 refuses it;
 *   - a repetition is written out when compiling, so that large ones (as in (\w{1,99}){1,999})
 *     are refused where PCRE2 takes them;
 *   - what is not regular is given up after a million steps, not ten million;
 *   - matches that PCRE2 10.42 loses by mistakes of its optimisations are found, as those of
 *     (?:.*a){0}b$ or c{0,2}( x*){0,2}+(?m)^.
 *
 * A struct regex also holds its matchers' scratch memory and caches: it belongs to one thread.
 */
#ifndef BASE_REGEX_REGEX_H
#define BASE_REGEX_REGEX_H

#include "base/arena.h"

struct regex;
struct regex_program;

enum regex_flags {
    REGEX_CASELESS = 1,
    REGEX_UTF8 = 2,
};

enum regex_result {
    REGEX_NO_MATCH,
    REGEX_MATCH,
    REGEX_LIMIT,       /* gave up: too many steps, or memory is short */
    REGEX_BAD_UTF8,    /* the pattern is in UTF-8 mode and the subject is not valid UTF-8 */
};

struct regex_error {
    char text[128];    /* ends in NUL */
    size_t offset;     /* in bytes, into the pattern */
};

/* A named group. */
struct regex_name {
    struct str name;
    unsigned group;
};

/*
 * Compiles `pattern`.  The result lives in `a`, its caches on the heap until regex_fini().  On a
 * mistake, returns NULL and fills in *error.
 */
struct regex *regex_compile(struct arena *a, struct str pattern, unsigned flags,
                            struct regex_error *error);
/* Frees what is on the heap; the regex may be matched again afterwards. */
void regex_fini(struct regex *re);

/* How many bytes the caches of the two automata may take each (1 MiB unless told otherwise). */
void regex_cache_limit(struct regex *re, size_t bytes);

/* The number of capturing groups, the whole match (group 0) not counted. */
unsigned regex_captures(const struct regex *re);
/* The named groups, in the order in which they stand in the pattern; returns their number. */
unsigned regex_names(const struct regex *re, const struct regex_name **names);

/*
 * Looks for the first match.  For the groups below `count`, offsets[2 * i] and offsets[2 * i + 1]
 * become start and end of group i in bytes, or SIZE_MAX where it took no part.  With a `count` of
 * zero only match or no match is found out, which is quicker; `offsets` may be NULL then.
 */
enum regex_result regex_match(struct regex *re, struct str subject, size_t *offsets,
                              unsigned count);

/* For regex_set: what the pattern was compiled to. */
struct regex_program *regex_program(const struct regex *re);

#endif

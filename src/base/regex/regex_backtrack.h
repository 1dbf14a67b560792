/*
 * regex_backtrack: the matcher that tries one way after the other.  It runs every program and gives
 * captures; on typical patterns it is the quickest, as it seldom has to go back.  It takes a number
 * of steps that can grow beyond all measure, so it is given a budget and stops when that is spent.
 */
#ifndef BASE_REGEX_REGEX_BACKTRACK_H
#define BASE_REGEX_REGEX_BACKTRACK_H

#include "base/regex/regex.h"
#include "base/regex/regex_program.h"

struct regex_way;

/* Scratch memory, kept from match to match; starts out as zeros. */
struct regex_backtrack {
    struct regex_way *ways;
    size_t room;
};

/*
 * Looks for the first match that begins at `from` or later and fills in the program's slots:
 * offsets in bytes, SIZE_MAX where unset. REGEX_LIMIT when `budget` steps did not suffice, or the
 * stack became too large.
 */
enum regex_result regex_backtrack(struct regex_backtrack *b, const struct regex_program *p,
                                  struct str subject, size_t from, size_t *slots,
                                  size_t budget);
void regex_backtrack_fini(struct regex_backtrack *b);

#endif

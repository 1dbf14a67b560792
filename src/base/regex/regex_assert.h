/*
 * regex_assert: when the conditions on a place in the subject hold.  The automaton knows only one
 * byte to each side, so that is all they are decided by.
 */
#ifndef BASE_REGEX_REGEX_ASSERT_H
#define BASE_REGEX_REGEX_ASSERT_H

#include "base/regex/regex_ast.h"

enum regex_before {
    BEFORE_START = 1,        /* nothing: the subject starts here */
    BEFORE_NEWLINE = 2,
    BEFORE_WORD = 4,         /* one of \w */
};

enum regex_after {
    AFTER_END = 1,
    AFTER_NEWLINE = 2,
    AFTER_FINAL_NEWLINE = 4,  /* in addition: the newline is the last byte */
    AFTER_WORD = 8,
    AFTER_CONTINUATION = 16,  /* a byte that continues a character of UTF-8 */
};

/* What a byte is to the place after it (of enum regex_before). */
unsigned regex_assert_before(unsigned char byte);
/* What a byte is to the place before it (of enum regex_after). */
unsigned regex_assert_after(unsigned char byte);

bool regex_assert_holds(enum regex_assertion assertion, unsigned before, unsigned after);
/* The same for the place `at` in the subject from `start` to `end`. */
bool regex_assert_holds_at(enum regex_assertion assertion, const unsigned char *start,
                           const unsigned char *at, const unsigned char *end);

#endif

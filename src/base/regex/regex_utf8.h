/*
 * regex_utf8: UTF-8 as the regular expressions need it (RFC 3629).
 */
#ifndef BASE_REGEX_REGEX_UTF8_H
#define BASE_REGEX_REGEX_UTF8_H

#include "base/str.h"

/* No overlong forms, no surrogates, nothing above U+10FFFF. */
bool regex_utf8_valid(struct str s);
/* The character at *at, which it moves past it; the text must be valid. */
uint32_t regex_utf8_decode(const unsigned char **at);

/* The bytes that characters of one range may have: up to four, each within its own range. */
struct regex_utf8_sequence {
    unsigned length;
    unsigned char first[4], last[4];
};

/*
 * Cuts the characters from *from to `to` into sequences: each call fills in the next one and moves
 * *from past it; false at the end.  Surrogates are left out.
 */
bool regex_utf8_next_sequence(uint32_t *from, uint32_t to, struct regex_utf8_sequence *s);

static inline bool regex_utf8_is_continuation(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

#endif

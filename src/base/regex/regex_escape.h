/*
 * regex_escape: what a backslash may begin.
 */
#ifndef BASE_REGEX_REGEX_ESCAPE_H
#define BASE_REGEX_REGEX_ESCAPE_H

#include "base/regex/regex_parse.h"

enum regex_escape_kind {
    ESCAPE_CHAR,
    ESCAPE_CLASS,         /* \d and its like; `letter` says which */
    ESCAPE_ASSERT,
    ESCAPE_GROUP,         /* a back-reference by number */
    ESCAPE_NAME,          /* a back-reference by name */
    ESCAPE_KEEP,          /* \K */
    ESCAPE_NEWLINE,       /* \R */
    ESCAPE_BYTE,          /* \C */
    ESCAPE_QUOTE,         /* \Q */
    ESCAPE_UNQUOTE,       /* \E */
};

struct regex_escape {
    enum regex_escape_kind kind;
    uint32_t value;       /* the character, the assertion or the group's number */
    char letter;
    struct str name;
};

/* Reads the escape whose backslash p->at has just passed. */
bool regex_escape_read(struct regex_parser *p, bool in_class, struct regex_escape *e);

#endif

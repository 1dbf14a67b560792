/*
 * regex_parse: PCRE's syntax, text to tree.  regex_escape reads what follows a backslash and
 * regex_bracket what stands between [ and ]; the three share struct regex_parser.
 */
#ifndef BASE_REGEX_REGEX_PARSE_H
#define BASE_REGEX_REGEX_PARSE_H

#include "base/regex/regex.h"
#include "base/regex/regex_ast.h"

enum regex_mode {
    MODE_CASELESS = 1,
    MODE_MULTILINE = 2,
    MODE_DOTALL = 4,
    MODE_EXTENDED = 8,
    MODE_EXTENDED_MORE = 16,
    MODE_NO_CAPTURE = 32,
    MODE_UNGREEDY = 64,
};

/* A back-reference; its target may stand further on, so it is looked up at the end. */
struct regex_reference {
    struct regex_node *node;
    struct str name;       /* no data where the reference is by number */
    size_t offset;
};

struct regex_parser {
    struct arena *arena;
    const unsigned char *start, *at, *end;
    unsigned modes;                   /* of enum regex_mode, as they stand at `at` */
    bool utf8, quoting;               /* quoting: between \Q and \E */
    bool failed;
    bool has_look, has_keep;
    unsigned depth, look_depth, groups;
    ARRAY(struct regex_name) names;
    ARRAY(struct regex_reference) references;
    struct regex_error *error;
};

/* Reads the whole pattern; NULL and *error filled in on a mistake.  The tree lives in p->arena. */
struct regex_node *regex_parse(struct regex_parser *p, struct arena *a, struct str pattern,
                               unsigned flags, struct regex_error *error);

/* For the other two: notes the first mistake, to be at `where`; always false. */
bool regex_parse_fail(struct regex_parser *p, const unsigned char *where, const char *text);
/* The next character of the pattern, at which p->at must stand; moves past it. */
uint32_t regex_parse_char(struct regex_parser *p);
/* Is text at p->at? Moves past it if so. */
bool regex_parse_skip(struct regex_parser *p, struct str text);
/* A group's name that ends in `terminator`, moving past that. */
bool regex_parse_name(struct regex_parser *p, unsigned char terminator, struct str *name);
/* The last character that the mode knows. */
uint32_t regex_parse_max(const struct regex_parser *p);

#endif

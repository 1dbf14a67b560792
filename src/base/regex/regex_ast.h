/*
 * regex_ast: a pattern as a tree, between regex_parse and regex_compile.
 */
#ifndef BASE_REGEX_REGEX_AST_H
#define BASE_REGEX_REGEX_AST_H

#include "base/regex/regex_class.h"

struct regex_bytes;

enum regex_node_kind {
    NODE_CLASS,      /* one character of a class */
    NODE_SEQUENCE,   /* the children, one after the other; without any, the empty string */
    NODE_CHOICE,     /* one of the children, the first that leads to a match */
    NODE_REPEAT,
    NODE_CAPTURE,
    NODE_ATOMIC,     /* once left it is not entered again for another way to match */
    NODE_LOOK,
    NODE_ASSERT,
    NODE_BACKREF,
    NODE_KEEP,       /* \K: the match starts here */
};

enum regex_greed {
    GREEDY,
    LAZY,
    POSSESSIVE,
};

/* Conditions on a place in the subject, decided by the characters on both sides of it. */
enum regex_assertion {
    ASSERT_TEXT_START,       /* ^ \A \G */
    ASSERT_LINE_START,       /* ^ with (?m) */
    ASSERT_TEXT_END,         /* \z */
    ASSERT_FINAL_LINE_END,   /* $ \Z: at the end, or before a newline that ends the subject */
    ASSERT_LINE_END,         /* $ with (?m) */
    ASSERT_WORD_EDGE,        /* \b */
    ASSERT_NO_WORD_EDGE,     /* \B */
    ASSERT_CHARACTER,        /* not within a character of UTF-8 */
};

enum {
    REPEAT_UNLIMITED = 65536,
    LENGTH_VARIES = -1,
};

struct regex_node {
    enum regex_node_kind kind;
    bool nullable;           /* may match the empty string */
    int length;              /* in characters, or LENGTH_VARIES */
    struct regex_node *prev, *next;
    struct regex_node *first, *last;   /* children */
    union {
        struct {
            const struct regex_class *class;
            const struct regex_bytes *bytes;   /* the same, once regex_emit asked for it */
        };
        unsigned group;      /* NODE_CAPTURE */
        enum regex_assertion assertion;
        struct {
            unsigned min, max;
            enum regex_greed greed;
        } repeat;
        struct {
            bool behind, negative;
        } look;
        struct {
            unsigned group;
            bool caseless;
        } backref;
    };
};

struct regex_node *regex_node_new(struct arena *a, enum regex_node_kind kind);
void regex_node_append(struct regex_node *parent, struct regex_node *child);
/* Sets `nullable` and `length`, once the node has its children and those have theirs. */
void regex_node_measure(struct regex_node *n);

#endif

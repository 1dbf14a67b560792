/*
 * regex_program: what a pattern is compiled to, and what all matchers run.
 *
 * A program is a graph of instructions that take a byte or test something, each with the number of
 * the instruction that follows.  Instruction 0 is the match.  A program never changes once made.
 */
#ifndef BASE_REGEX_REGEX_PROGRAM_H
#define BASE_REGEX_REGEX_PROGRAM_H

#include "base/regex/regex_ast.h"

enum regex_op {
    OP_MATCH,
    OP_BYTE,        /* takes `byte`; `number` is 1 if `next` is one too, right after this one */
    OP_SET,         /* takes a byte of `set`; `number` is 1 if `next` is alike, right after this */
    OP_SPAN,        /* takes any number of bytes of `set`, then `next`; `greed` says how many */
    OP_SPLIT,       /* `next`, and if that fails `other` */
    OP_SAVE,        /* notes the place in slot `number` */
    OP_CLOSE,       /* ends group `number`, whose start was noted in slot `other` */
    OP_ASSERT,      /* `assertion` must hold */
    OP_BACKREF,     /* takes what group `number` took; goes to `other` if that was empty */
    OP_ATOMIC,      /* up to OP_CUT; that drops the other ways there were since here */
    OP_CUT,
    OP_LOOK,        /* tries `other` up to its OP_LOOK_END, then goes back here, to `next` */
    OP_LOOK_NOT,    /* the same, and goes on only if that did not get there */
    OP_LOOK_END,
    OP_BACK,        /* goes back by `number` characters */
};

/* A set of bytes, to which the end of the subject may belong too. */
struct regex_bytes {
    uint64_t bits[4];
    bool end;
};

struct regex_inst {
    unsigned char op;
    unsigned char byte;
    unsigned char greed;
    unsigned char assertion;
    bool caseless;           /* OP_BACKREF */
    uint32_t number;
    uint32_t next, other;
    const struct regex_bytes *set;
    int stop;                /* OP_SPAN: the only byte that `set` lacks, or -1 */
    int follow_byte;         /* OP_SPAN: the only byte that may follow, or -1 */
    /* What must come next for `next` (of OP_SPLIT and OP_SPAN) to be worth trying, and for `other`;
     * NULL if anything may. */
    const struct regex_bytes *follow, *follow_other;
};

enum regex_anchor {
    ANCHOR_NONE,
    ANCHOR_LINE,     /* the first match begins at the start of a line, if there is one */
    ANCHOR_START,    /* ... at the start of the subject */
};

struct regex_program {
    struct regex_inst *code;
    uint32_t count, start;
    unsigned groups;
    unsigned slots;          /* two for each group, the whole match included, or three */
    bool utf8;
    bool regular;            /* has no instruction that only the backtracker can run */
    enum regex_anchor anchor;
    bool starts[256];        /* the bytes that a match can begin with */
    bool starts_at_end;      /* it can be empty, at the end */
    int first_byte;          /* the only byte that it can begin with, or -1 */
};

static inline bool regex_bytes_has(const struct regex_bytes *s, unsigned char byte)
{
    return s->bits[byte >> 6] >> (byte & 63) & 1;
}

static inline void regex_bytes_add(struct regex_bytes *s, unsigned char byte)
{
    s->bits[byte >> 6] |= (uint64_t)1 << (byte & 63);
}

/* Does what stands at `at`, a byte or the end, belong to s?  NULL means everything. */
static inline bool regex_bytes_allow(const struct regex_bytes *s, const unsigned char *at,
                                     const unsigned char *end)
{
    return !s || (at < end ? regex_bytes_has(s, *at) : s->end);
}

#endif

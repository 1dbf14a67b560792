/*
 * regex_nfa: one or more programs as one nondeterministic automaton, which can be in many states at
 * once.  It only knows match or no match; regex_dfa keeps what it finds out here.
 *
 * Programs that are not regular are run as if their look-around held, their atomic groups were
 * plain and their back-references could match anything: no match is then certain, a match is not.
 */
#ifndef BASE_REGEX_REGEX_NFA_H
#define BASE_REGEX_REGEX_NFA_H

#include "base/regex/regex_program.h"

#define REGEX_NFA_NONE UINT32_MAX   /* instead of a part: none matched */

/* One of the programs. */
struct regex_nfa_part {
    uint32_t base, count;    /* where its instructions stand among all, and how many */
    uint32_t start;
    bool anchored;           /* tried at the start of the subject only */
    bool certain;            /* a match needs no confirmation */
};

/*
 * The automaton; never changes once made.  Its symbols are the classes of bytes that it cannot tell
 * apart, and two more: the end of the subject, and a newline that is the subject's last byte.
 */
struct regex_nfa {
    const struct regex_inst *code;
    uint32_t count;
    const struct regex_nfa_part *parts;
    unsigned part_count;
    unsigned char classes[256];     /* the class of each byte */
    unsigned char samples[256];     /* a byte of each class */
    unsigned class_count;
    unsigned contexts;              /* those of enum regex_before that an assertion asks for */
};

static inline unsigned regex_nfa_end(const struct regex_nfa *n)
{
    return n->class_count;
}

static inline unsigned regex_nfa_final_newline(const struct regex_nfa *n)
{
    return n->class_count + 1;
}

static inline unsigned regex_nfa_symbols(const struct regex_nfa *n)
{
    return n->class_count + 2;
}

/* Where the automaton is at some place of the subject. */
struct regex_nfa_state {
    uint32_t *pcs;           /* instructions to go on from, ascending */
    uint32_t count;
    uint32_t best;           /* the first part that certainly matched so far */
    unsigned before;         /* of enum regex_before */
};

/* Scratch memory for one step; on the heap. */
struct regex_nfa_scratch {
    uint64_t *now, *then;    /* a bit for each instruction */
    uint32_t *stack;
};

/* Puts the programs together; copies their instructions. */
struct regex_nfa *regex_nfa_new(struct arena *a, struct regex_program *const *programs,
                                unsigned count);

bool regex_nfa_scratch_init(struct regex_nfa_scratch *s, const struct regex_nfa *n);
void regex_nfa_scratch_fini(struct regex_nfa_scratch *s);

/* The state at a place that comes after `before`; `pcs` has room for all instructions. */
void regex_nfa_begin(const struct regex_nfa *n, struct regex_nfa_scratch *s, unsigned before,
                     struct regex_nfa_state *state);
/* The state that a symbol leads to from `from`. */
void regex_nfa_step(const struct regex_nfa *n, struct regex_nfa_scratch *s,
                    const struct regex_nfa_state *from, unsigned symbol,
                    struct regex_nfa_state *to);
/* Can nothing that follows change the answer any more? */
bool regex_nfa_is_final(const struct regex_nfa *n, const struct regex_nfa_state *state);

#endif

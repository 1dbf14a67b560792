/*
 * regex_nfa: see regex_nfa.h.
 *
 * A state holds only instructions that take a byte, assertions that wait for the next byte to be
 * decided, and the match instructions of parts that may have matched but want confirmation.  What a
 * search that may begin anywhere adds at every place, the starts of the parts, is not written into
 * each state, but added while stepping.
 */
#include "base/regex/regex_nfa.h"

#include <stdlib.h>

#include "base/regex/regex_assert.h"
#include "base/regex/regex_utf8.h"

/* --- putting programs together --- */

static void add_part(struct regex_nfa *n, struct regex_inst *code, struct regex_nfa_part *part,
                      const struct regex_program *p, unsigned number)
{
    for (uint32_t pc = 0; pc < p->count; pc++) {
        struct regex_inst *i = &code[n->count + pc];
        *i = p->code[pc];
        i->next += n->count;
        i->other += n->count;   /* of no account where it is no place to go to */
    }
    code[n->count].number = number;   /* the match */
    *part = (struct regex_nfa_part){
        .base = n->count,
        .count = p->count,
        .start = n->count + p->start,
        .anchored = p->anchor == ANCHOR_START,
        .certain = p->regular,
    };
    n->count += p->count;
}

/* Gives the bytes of `set` classes of their own. */
static void divide(struct regex_nfa *n, const struct regex_bytes *set)
{
    unsigned sizes[256] = { 0 }, members[256] = { 0 };
    int split[256];

    for (unsigned c = 0; c < 256; c++) {
        sizes[n->classes[c]]++;
        members[n->classes[c]] += regex_bytes_has(set, (unsigned char)c);
    }
    for (unsigned k = 0; k < 256; k++)
        split[k] = -1;
    for (unsigned c = 0; c < 256; c++) {
        unsigned k = n->classes[c];
        if (!regex_bytes_has(set, (unsigned char)c) || sizes[k] == members[k])
            continue;
        if (split[k] < 0)
            split[k] = (int)n->class_count++;
        n->classes[c] = (unsigned char)split[k];
    }
}

static void divide_by(struct regex_nfa *n, unsigned after)
{
    struct regex_bytes set = { 0 };

    for (unsigned c = 0; c < 256; c++) {
        if (regex_assert_after((unsigned char)c) & after)
            regex_bytes_add(&set, (unsigned char)c);
    }
    divide(n, &set);
}

static void note_assertion(struct regex_nfa *n, unsigned char assertion)
{
    switch ((enum regex_assertion)assertion) {
    case ASSERT_TEXT_START:
        n->contexts |= BEFORE_START;
        break;
    case ASSERT_LINE_START:
        n->contexts |= BEFORE_START | BEFORE_NEWLINE;
        divide_by(n, AFTER_NEWLINE);
        break;
    case ASSERT_LINE_END:
        divide_by(n, AFTER_NEWLINE);
        break;
    case ASSERT_WORD_EDGE: case ASSERT_NO_WORD_EDGE:
        n->contexts |= BEFORE_WORD;
        divide_by(n, AFTER_WORD);
        break;
    case ASSERT_CHARACTER:
        divide_by(n, AFTER_CONTINUATION);
        break;
    case ASSERT_TEXT_END: case ASSERT_FINAL_LINE_END:
        break;
    }
}

static void find_classes(struct regex_nfa *n)
{
    struct regex_bytes one;
    const struct regex_bytes *latest = NULL;

    n->class_count = 1;
    for (uint32_t pc = 0; pc < n->count; pc++) {
        const struct regex_inst *i = &n->code[pc];
        if (i->op == OP_BYTE) {
            one = (struct regex_bytes){ 0 };
            regex_bytes_add(&one, i->byte);
            divide(n, &one);
        } else if ((i->op == OP_SET || i->op == OP_SPAN) && i->set != latest) {
            latest = i->set;
            divide(n, latest);
        } else if (i->op == OP_ASSERT) {
            note_assertion(n, i->assertion);
        }
    }
    for (unsigned c = 256; c-- > 0;)
        n->samples[n->classes[c]] = (unsigned char)c;
}

struct regex_nfa *regex_nfa_new(struct arena *a, struct regex_program *const *programs,
                                unsigned count)
{
    struct regex_nfa *n = ARENA_NEW(a, struct regex_nfa);
    struct regex_nfa_part *parts = ARENA_NEW_ARRAY(a, struct regex_nfa_part, count);
    uint32_t total = 0;

    for (unsigned i = 0; i < count; i++)
        total += programs[i]->count;
    struct regex_inst *code = ARENA_NEW_ARRAY(a, struct regex_inst, total);
    for (unsigned i = 0; i < count; i++)
        add_part(n, code, &parts[i], programs[i], i);
    n->code = code;
    n->parts = parts;
    n->part_count = count;
    find_classes(n);
    return n;
}

/* --- stepping --- */

static size_t words_of(const struct regex_nfa *n)
{
    return n->count / 64 + 1;
}

bool regex_nfa_scratch_init(struct regex_nfa_scratch *s, const struct regex_nfa *n)
{
    s->now = malloc(words_of(n) * sizeof *s->now);
    s->then = malloc(words_of(n) * sizeof *s->then);
    s->stack = malloc(n->count * sizeof *s->stack);
    if (s->now && s->then && s->stack)
        return true;
    regex_nfa_scratch_fini(s);
    return false;
}

void regex_nfa_scratch_fini(struct regex_nfa_scratch *s)
{
    free(s->now);
    free(s->then);
    free(s->stack);
    *s = (struct regex_nfa_scratch){ 0 };
}

static inline bool has_bit(const uint64_t *bits, uint32_t pc)
{
    return bits[pc >> 6] >> (pc & 63) & 1;
}

static inline void set_bit(uint64_t *bits, uint32_t pc)
{
    bits[pc >> 6] |= (uint64_t)1 << (pc & 63);
}

/* The next bit from `pc` on, or `end`. */
static uint32_t next_bit(const uint64_t *bits, uint32_t pc, uint32_t end)
{
    while (pc < end && !has_bit(bits, pc)) {
        pc++;
        while (pc < end && (pc & 63) == 0 && bits[pc >> 6] == 0)
            pc += 64;
    }
    return pc < end ? pc : end;
}

/* A walk to all that can be reached without taking a byte. */
struct spread {
    const struct regex_nfa *nfa;
    uint64_t *bits;              /* the instructions reached, those on the way included */
    uint32_t *stack;
    unsigned depth;
    uint32_t best;
    bool decides;                /* whether what comes after is known, to decide assertions */
    unsigned before, after;
};

static inline void reach(struct spread *s, uint32_t pc)
{
    if (!has_bit(s->bits, pc)) {
        set_bit(s->bits, pc);
        s->stack[s->depth++] = pc;
    }
}

static void spread_one(struct spread *s, const struct regex_inst *i)
{
    switch ((enum regex_op)i->op) {
    case OP_MATCH:
        if (s->nfa->parts[i->number].certain && i->number < s->best)
            s->best = i->number;
        break;
    case OP_SPLIT: case OP_BACKREF:
        reach(s, i->next);
        reach(s, i->other);
        break;
    case OP_SPAN: case OP_SAVE: case OP_CLOSE: case OP_ATOMIC: case OP_CUT:
    case OP_LOOK: case OP_LOOK_NOT:
        reach(s, i->next);
        break;
    case OP_ASSERT:
        if (s->decides && regex_assert_holds((enum regex_assertion)i->assertion, s->before,
                                             s->after))
            reach(s, i->next);
        break;
    case OP_BYTE: case OP_SET: case OP_LOOK_END: case OP_BACK:
        break;
    }
}

static void spread_from(struct spread *s, uint32_t pc)
{
    reach(s, pc);
    while (s->depth > 0)
        spread_one(s, &s->nfa->code[s->stack[--s->depth]]);
}

/* Where the instructions end that still matter once part `best` has matched. */
static uint32_t end_of(const struct regex_nfa *n, uint32_t best)
{
    return best == REGEX_NFA_NONE ? n->count : n->parts[best].base;
}

/* Is this one for a state to hold? */
static bool is_kept(const struct regex_inst *i)
{
    return i->op == OP_BYTE || i->op == OP_SET || i->op == OP_SPAN || i->op == OP_ASSERT ||
           i->op == OP_BACKREF || i->op == OP_MATCH;
}

/* A part's match is its first instruction; once that is reached, the part's others are done with. */
static void collect(const struct regex_nfa *n, const struct spread *s,
                    struct regex_nfa_state *state)
{
    uint32_t end = end_of(n, s->best);

    state->best = s->best;
    state->count = 0;
    for (uint32_t pc = next_bit(s->bits, 0, end); pc < end; pc = next_bit(s->bits, pc, end)) {
        const struct regex_inst *i = &n->code[pc];
        if (is_kept(i))
            state->pcs[state->count++] = pc;
        pc = i->op == OP_MATCH ? pc + n->parts[i->number].count : pc + 1;
    }
}

void regex_nfa_begin(const struct regex_nfa *n, struct regex_nfa_scratch *s, unsigned before,
                     struct regex_nfa_state *state)
{
    struct spread spread = { .nfa = n, .bits = s->then, .stack = s->stack,
                             .best = REGEX_NFA_NONE };

    memset(s->then, 0, words_of(n) * sizeof *s->then);
    for (unsigned i = 0; i < n->part_count && (before & BEFORE_START); i++) {
        if (n->parts[i].anchored)
            spread_from(&spread, n->parts[i].start);
    }
    collect(n, &spread, state);
    state->before = before & n->contexts;
}

static bool takes(const struct regex_inst *i, unsigned char byte)
{
    switch (i->op) {
    case OP_BYTE:
        return i->byte == byte;
    case OP_SET: case OP_SPAN:
        return regex_bytes_has(i->set, byte);
    default:
        return i->op == OP_BACKREF;
    }
}

/* First half of a step: decides assertions, now that the symbol is known, and adds new starts. */
static void decide(const struct regex_nfa *n, const struct regex_nfa_state *from,
                   struct spread *s, uint64_t *perhaps)
{
    for (uint32_t k = 0; k < from->count; k++) {
        if (n->code[from->pcs[k]].op == OP_MATCH)
            set_bit(perhaps, from->pcs[k]);
        else
            spread_from(s, from->pcs[k]);
    }
    for (unsigned i = 0; i < n->part_count && i < s->best; i++) {
        const struct regex_nfa_part *part = &n->parts[i];
        if (!part->anchored && !has_bit(perhaps, part->base))
            spread_from(s, part->start);
    }
    for (unsigned i = 0; i < n->part_count; i++) {
        if (!n->parts[i].certain && has_bit(s->bits, n->parts[i].base))
            set_bit(perhaps, n->parts[i].base);
    }
}

void regex_nfa_step(const struct regex_nfa *n, struct regex_nfa_scratch *s,
                    const struct regex_nfa_state *from, unsigned symbol,
                    struct regex_nfa_state *to)
{
    bool at_end = symbol == regex_nfa_end(n), final = symbol == regex_nfa_final_newline(n);
    unsigned char byte = final ? '\n' : n->samples[at_end ? 0 : symbol];
    struct spread now = { .nfa = n, .bits = s->now, .stack = s->stack, .best = from->best,
                          .decides = true, .before = from->before };
    struct spread then = { .nfa = n, .bits = s->then, .stack = s->stack };

    now.after = at_end ? AFTER_END : regex_assert_after(byte) | (final ? AFTER_FINAL_NEWLINE : 0);
    memset(s->now, 0, words_of(n) * sizeof *s->now);
    memset(s->then, 0, words_of(n) * sizeof *s->then);
    decide(n, from, &now, s->then);
    then.best = now.best;
    for (uint32_t pc = next_bit(s->now, 0, n->count); pc < end_of(n, then.best) && !at_end;
         pc = next_bit(s->now, pc + 1, n->count)) {
        const struct regex_inst *i = &n->code[pc];
        if (takes(i, byte))
            spread_from(&then, i->op == OP_SPAN || i->op == OP_BACKREF ? pc : i->next);
    }
    collect(n, &then, to);
    to->before = at_end ? 0 : regex_assert_before(byte) & n->contexts;
}

bool regex_nfa_is_final(const struct regex_nfa *n, const struct regex_nfa_state *state)
{
    uint32_t k = 0;

    for (uint32_t i = 0; i < state->count; i++) {
        if (n->code[state->pcs[i]].op != OP_MATCH)
            return false;
    }
    for (unsigned i = 0; i < n->part_count && i < state->best; i++) {
        while (k < state->count && state->pcs[k] < n->parts[i].base)
            k++;
        if (!n->parts[i].anchored && !(k < state->count && state->pcs[k] == n->parts[i].base))
            return false;
    }
    return true;
}

/*
 * regex_backtrack: see regex_backtrack.h.
 *
 * The stack holds what to do when the present way fails: another way to try, a slot to set back, or
 * the mark of a group that is being tried.  An entry's instruction says which.  A slot need not be
 * set back when nothing else is left to try, so that a deterministic match never touches the stack.
 */
#include "base/regex/regex_backtrack.h"

#include <stdlib.h>

#include "base/regex/regex_assert.h"
#include "base/regex/regex_fold.h"
#include "base/regex/regex_utf8.h"

enum {
    WAYS_FIRST = 64,           /* entries of the stack to begin with */
    WAYS_MAX = 1 << 18,
    WAYS_KEPT = 1 << 12,       /* a larger stack is freed after the match */
    BYTES_A_STEP = 16,         /* that many bytes of a repetition count as one step */
};

struct regex_way {
    const struct regex_inst *inst;
    size_t from, to;           /* depends on the instruction; see where each is pushed */
};

struct run {
    const struct regex_program *program;
    const unsigned char *start, *end;
    size_t *slots;
    struct regex_backtrack *scratch;
    size_t depth;              /* of the stack */
    size_t mark;               /* 1 + the index of the innermost group's mark, or 0 */
    const unsigned char *at;   /* where retreat() and the like went to */
    size_t budget;
    bool spent;                /* no budget, or no memory, is left */
    bool dirty;                /* a slot was set and will not be set back */
};

static bool grow(struct run *r)
{
    struct regex_backtrack *b = r->scratch;
    size_t room = b->room ? b->room * 2 : WAYS_FIRST;
    struct regex_way *ways = room <= WAYS_MAX ? realloc(b->ways, room * sizeof *ways) : NULL;

    if (!ways) {
        r->spent = true;
        return false;
    }
    b->ways = ways;
    b->room = room;
    return true;
}

/* False, and the run is over, if there is no room. */
static inline bool push(struct run *r, const struct regex_inst *inst, size_t from, size_t to)
{
    if (r->depth == r->scratch->room && !grow(r))
        return false;
    r->scratch->ways[r->depth++] = (struct regex_way){ inst, from, to };
    return true;
}

static inline size_t offset_of(const struct run *r, const unsigned char *at)
{
    return (size_t)(at - r->start);
}

static inline void spend(struct run *r, size_t steps)
{
    if (r->budget > steps)
        r->budget -= steps;
    else
        r->spent = true;
}

/* --- repetitions of one byte --- */

static inline const unsigned char *end_of_span(const struct run *r, const struct regex_inst *i,
                                               const unsigned char *at)
{
    if (i->stop >= 0) {
        const unsigned char *stop = at < r->end ? memchr(at, i->stop, (size_t)(r->end - at)) : NULL;
        return stop ? stop : r->end;
    }
    while (at < r->end && regex_bytes_has(i->set, *at))
        at++;
    return at;
}

/* The last place from `high` down to `low` that what follows may start at, or NULL. */
static inline const unsigned char *last_exit(const struct run *r, const struct regex_inst *i,
                                             const unsigned char *low, const unsigned char *high)
{
    if (i->follow_byte >= 0) {
        const unsigned char *p = high == r->end ? high : high + 1;
        while (p > low) {
            if (*--p == i->follow_byte)
                return p;
        }
        return NULL;
    }
    for (const unsigned char *p = high; !regex_bytes_allow(i->follow, p, r->end); p--) {
        if (p == low)
            return NULL;
        high = p - 1;
    }
    return high;
}

/* The last place from `high` down to `low` to go on from, or NULL; those before it are for later. */
static const unsigned char *leave_greedy(struct run *r, const struct regex_inst *i,
                                         const unsigned char *low, const unsigned char *high)
{
    const unsigned char *p = last_exit(r, i, low, high);

    if (!p)
        return NULL;
    spend(r, (size_t)(high - p) / BYTES_A_STEP + 1);
    if (p > low)
        push(r, i, offset_of(r, low), offset_of(r, p));
    return p;
}

/* The first place from `low` on to go on from, or NULL; those after it are for later. */
static const unsigned char *leave_lazy(struct run *r, const struct regex_inst *i,
                                       const unsigned char *low)
{
    const unsigned char *p = low;

    while (!regex_bytes_allow(i->follow, p, r->end)) {
        if (p == r->end || !regex_bytes_has(i->set, *p))
            return NULL;
        p++;
    }
    spend(r, (size_t)(p - low) / BYTES_A_STEP + 1);
    if (p < r->end && regex_bytes_has(i->set, *p))
        push(r, i, 0, offset_of(r, p));
    return p;
}

/* Where the repetition at `at` leads to first, or NULL. */
static inline const unsigned char *take_span(struct run *r, const struct regex_inst *i,
                                             const unsigned char *at)
{
    if (i->greed == LAZY)
        return leave_lazy(r, i, at);
    const unsigned char *to = end_of_span(r, i, at);
    spend(r, (size_t)(to - at) / BYTES_A_STEP + 1);
    return i->greed == GREEDY ? leave_greedy(r, i, at, to) : to;
}

/* --- groups that are left once --- */

static bool begin_group(struct run *r, const struct regex_inst *i, const unsigned char *at)
{
    if (!push(r, i, offset_of(r, at), r->mark))
        return false;
    r->mark = r->depth;
    return true;
}

/* Sets back what the way changed, if it is one that only says so. */
static inline void set_back(struct run *r, const struct regex_way *w)
{
    if (w->inst->op == OP_SAVE) {
        r->slots[w->inst->number] = w->from;
    } else if (w->inst->op == OP_CLOSE) {
        r->slots[2 * w->inst->number] = w->from;
        r->slots[2 * w->inst->number + 1] = w->to;
    }
}

/* Drops the innermost group's mark and all other ways since; slots will still be set back. */
static struct regex_way cut_group(struct run *r)
{
    struct regex_way *ways = r->scratch->ways, group = ways[r->mark - 1];
    size_t kept = r->mark - 1;

    for (size_t k = r->mark; k < r->depth; k++) {
        if (ways[k].inst->op == OP_SAVE || ways[k].inst->op == OP_CLOSE)
            ways[kept++] = ways[k];
    }
    spend(r, (r->depth - kept) / BYTES_A_STEP + 1);
    r->depth = kept;
    r->mark = group.to;
    return group;
}

/* Forgets the innermost group, slots included. */
static void undo_group(struct run *r)
{
    size_t base = r->mark - 1;

    while (r->depth > base + 1)
        set_back(r, &r->scratch->ways[--r->depth]);
    r->mark = r->scratch->ways[base].to;
    r->depth = base;
}

/* The body of a look-around matched: the instruction to go on with, from r->at, or NULL if that is
 * bad news. */
static const struct regex_inst *end_look(struct run *r)
{
    const struct regex_inst *look = r->scratch->ways[r->mark - 1].inst;

    if (look->op == OP_LOOK_NOT) {
        undo_group(r);
        return NULL;
    }
    r->at = r->start + cut_group(r).from;
    return &r->program->code[look->next];
}

/* --- the other tests --- */

/* The place that many characters before `at`, or NULL. */
static const unsigned char *go_back(const struct run *r, uint32_t characters,
                                    const unsigned char *at)
{
    if (!r->program->utf8)
        return characters > (size_t)(at - r->start) ? NULL : at - characters;
    for (uint32_t i = 0; i < characters; i++) {
        if (at == r->start)
            return NULL;
        do
            at--;
        while (at > r->start && regex_utf8_is_continuation(*at));
    }
    return at;
}

/* The place after letters at `at` that are those of the group but for case, or NULL. */
static const unsigned char *take_letters(const struct run *r, struct str group,
                                         const unsigned char *at)
{
    const unsigned char *left = (const unsigned char *)group.data, *left_end = left + group.len;

    while (left < left_end) {
        if (at == r->end)
            return NULL;
        if (!r->program->utf8) {
            if (char_lower((char)*left++) != char_lower((char)*at++))
                return NULL;
        } else if (!regex_fold_same(regex_utf8_decode(&left), regex_utf8_decode(&at))) {
            return NULL;
        }
    }
    return at;
}

/* Takes what the group took: the instruction to go on with, from r->at, or NULL. */
static const struct regex_inst *take_group(struct run *r, const struct regex_inst *i,
                                           const unsigned char *at)
{
    size_t from = r->slots[2 * i->number], to = r->slots[2 * i->number + 1];

    if (from == SIZE_MAX || to == SIZE_MAX)
        return NULL;
    struct str group = str_range((const char *)r->start + from, (const char *)r->start + to);
    struct str rest = str_range((const char *)at, (const char *)r->end);
    spend(r, group.len / BYTES_A_STEP + 1);
    if (i->caseless)
        r->at = take_letters(r, group, at);
    else
        r->at = str_starts(rest, group) ? at + group.len : NULL;
    if (!r->at)
        return NULL;
    return &r->program->code[group.len ? i->next : i->other];
}

/* The last of a run of OP_SET, if bytes for all of them are there at `at`, or NULL. */
static inline const struct regex_inst *take_set(const struct run *r, const struct regex_inst *i,
                                                const unsigned char *at)
{
    const struct regex_bytes *set = i->set;

    for (; at < r->end && regex_bytes_has(set, *at); i++, at++) {
        if (i->number == 0)
            return i;
    }
    return NULL;
}

/* The last of a run of OP_BYTE, if all of them are there at `at`, or NULL. */
static inline const struct regex_inst *take_bytes(const struct run *r, const struct regex_inst *i,
                                                  const unsigned char *at)
{
    for (; at < r->end && *at == i->byte; i++, at++) {
        if (i->number == 0)
            return i;
    }
    return NULL;
}

static inline void save(struct run *r, unsigned slot, const struct regex_inst *i,
                        const unsigned char *at)
{
    if (r->depth > 0)
        push(r, i, r->slots[slot], 0);
    else
        r->dirty = true;
    r->slots[slot] = offset_of(r, at);
}

static inline void close_group(struct run *r, const struct regex_inst *i,
                               const unsigned char *at)
{
    size_t *slots = &r->slots[2 * i->number];

    if (r->depth > 0)
        push(r, i, slots[0], slots[1]);
    else
        r->dirty = true;
    slots[0] = r->slots[i->other];
    slots[1] = offset_of(r, at);
}

/* --- the search --- */

/* Goes on with a repetition at its next place; false if there is none. */
static bool resume_span(struct run *r, const struct regex_way *w)
{
    if (w->inst->greed == LAZY)
        r->at = leave_lazy(r, w->inst, r->start + w->to + 1);
    else
        r->at = leave_greedy(r, w->inst, r->start + w->from, r->start + w->to - 1);
    return r->at;
}

/* Goes back to the latest other way: the instruction to go on with, from r->at, or NULL if there is
 * none. */
static const struct regex_inst *retreat(struct run *r)
{
    const struct regex_inst *code = r->program->code;

    spend(r, 1);
    while (r->depth > 0 && !r->spent) {
        struct regex_way w = r->scratch->ways[--r->depth];
        switch (w.inst->op) {
        case OP_SAVE: case OP_CLOSE:
            set_back(r, &w);
            break;
        case OP_SPLIT:
            r->at = r->start + w.from;
            return &code[w.inst->other];
        case OP_SPAN:
            if (resume_span(r, &w))
                return &code[w.inst->next];
            break;
        case OP_LOOK_NOT:
            r->mark = w.to;
            r->at = r->start + w.from;
            return &code[w.inst->next];
        default:   /* OP_ATOMIC, OP_LOOK */
            r->mark = w.to;
            break;
        }
    }
    return NULL;
}

/* The instruction to go on with after a choice, or NULL if both ways are closed. */
static inline const struct regex_inst *choose(struct run *r, const struct regex_inst *i,
                                              const unsigned char *at)
{
    const struct regex_inst *code = r->program->code;
    bool other = regex_bytes_allow(i->follow_other, at, r->end);

    spend(r, 1);
    if (!regex_bytes_allow(i->follow, at, r->end))
        return other ? &code[i->other] : NULL;
    if (other)
        push(r, i, offset_of(r, at), 0);
    return &code[i->next];
}

/* Runs a seldom instruction at r->at, which it may move: the one to go on with, or NULL. */
static const struct regex_inst *run_seldom(struct run *r, const struct regex_inst *i)
{
    const struct regex_inst *next = &r->program->code[i->next];

    switch (i->op) {
    case OP_CLOSE:
        close_group(r, i, r->at);
        return next;
    case OP_BACKREF:
        return take_group(r, i, r->at);
    case OP_ATOMIC:
        return begin_group(r, i, r->at) ? next : NULL;
    case OP_CUT:
        cut_group(r);
        return next;
    case OP_LOOK: case OP_LOOK_NOT:
        return begin_group(r, i, r->at) ? &r->program->code[i->other] : NULL;
    case OP_LOOK_END:
        return end_look(r);
    default:   /* OP_BACK */
        r->at = go_back(r, i->number, r->at);
        return r->at ? next : NULL;
    }
}

/* Is there a match that begins at `at`?  What succeeds goes on with the loop, what fails leaves the
 * switch and retreats. */
static bool try_at(struct run *r, const unsigned char *at)
{
    const struct regex_inst *code = r->program->code, *i = &code[r->program->start], *next;
    const unsigned char *to;

    r->depth = r->mark = 0;
    for (;;) {
        switch ((enum regex_op)i->op) {
        case OP_MATCH:
            return !r->spent;
        case OP_BYTE:
            if (!(next = take_bytes(r, i, at)))
                break;
            at += next - i + 1;
            i = &code[next->next];
            continue;
        case OP_SET:
            if (!(next = take_set(r, i, at)))
                break;
            at += next - i + 1;
            i = &code[next->next];
            continue;
        case OP_SPAN:
            if (!(to = take_span(r, i, at)))
                break;
            at = to;
            i = &code[i->next];
            continue;
        case OP_SPLIT:
            if (!(next = choose(r, i, at)))
                break;
            i = next;
            continue;
        case OP_SAVE:
            save(r, i->number, i, at);
            i = &code[i->next];
            continue;
        case OP_ASSERT:
            if (!regex_assert_holds_at((enum regex_assertion)i->assertion, r->start, at, r->end))
                break;
            i = &code[i->next];
            continue;
        default:
            r->at = at;
            if (!(next = run_seldom(r, i)))
                break;
            at = r->at;
            i = next;
            continue;
        }
        if (!(i = retreat(r)))
            return false;
        at = r->at;
    }
}

/* The first place from `at` on where a match may begin, or NULL. */
static const unsigned char *next_start(const struct run *r, const unsigned char *at)
{
    const struct regex_program *p = r->program;

    if (p->first_byte >= 0)
        return at < r->end ? memchr(at, p->first_byte, (size_t)(r->end - at)) : NULL;
    while (at < r->end && !p->starts[*at])
        at++;
    return at < r->end || p->starts_at_end ? at : NULL;
}

static const unsigned char *next_line(const struct run *r, const unsigned char *at)
{
    const unsigned char *newline = at < r->end ? memchr(at, '\n', (size_t)(r->end - at)) : NULL;

    return newline ? newline + 1 : NULL;
}

static void clear_slots(struct run *r)
{
    for (unsigned i = 0; i < r->program->slots; i++)
        r->slots[i] = SIZE_MAX;
    r->dirty = false;
}

/* Tries all places from `at` on where a match may begin. */
static enum regex_result search(struct run *r, const unsigned char *at)
{
    const struct regex_program *p = r->program;

    while (at) {
        if (p->anchor == ANCHOR_NONE && !(at = next_start(r, at)))
            break;
        if (try_at(r, at))
            return REGEX_MATCH;
        if (r->spent)
            return REGEX_LIMIT;
        if (r->dirty)
            clear_slots(r);
        if (p->anchor == ANCHOR_START)
            break;
        at = p->anchor == ANCHOR_LINE ? next_line(r, at) : at < r->end ? at + 1 : NULL;
    }
    return REGEX_NO_MATCH;
}

enum regex_result regex_backtrack(struct regex_backtrack *b, const struct regex_program *p,
                                  struct str subject, size_t from, size_t *slots,
                                  size_t budget)
{
    static const unsigned char nothing[1];
    const unsigned char *start = subject.len ? (const unsigned char *)subject.data : nothing;
    struct run r = { .program = p, .start = start, .end = start + subject.len, .slots = slots,
                     .scratch = b, .budget = budget };

    clear_slots(&r);
    enum regex_result result = search(&r, start + from);
    if (b->room > WAYS_KEPT)
        regex_backtrack_fini(b);
    return result;
}

void regex_backtrack_fini(struct regex_backtrack *b)
{
    free(b->ways);
    *b = (struct regex_backtrack){ 0 };
}

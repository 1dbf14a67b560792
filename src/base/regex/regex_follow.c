/*
 * regex_follow: see regex_follow.h.
 */
#include "base/regex/regex_follow.h"

enum { LOOK_AT_MOST = 64 };   /* instructions to look at for one set, lest compiling take long */

/* What may come at all, after the assertions on the way. */
enum narrowing {
    NARROW_NOT,
    NARROW_LINE_END,   /* a newline or the end */
    NARROW_END,        /* the end */
};

/* A walk over all that can be reached without taking a byte. */
struct walk {
    const struct regex_program *program;
    struct regex_bytes found;
    bool anything;
    struct stop {
        uint32_t pc;
        enum narrowing narrowing;
    } stops[LOOK_AT_MOST];
    unsigned count;
};

static void visit(struct walk *w, uint32_t pc, enum narrowing narrowing)
{
    for (unsigned i = 0; i < w->count; i++) {
        if (w->stops[i].pc == pc && w->stops[i].narrowing == narrowing)
            return;
    }
    if (w->count == LOOK_AT_MOST)
        w->anything = true;
    else
        w->stops[w->count++] = (struct stop){ pc, narrowing };
}

static void find_all(struct walk *w, enum narrowing narrowing)
{
    w->found.end = true;
    if (narrowing == NARROW_NOT)
        w->anything = true;
    if (narrowing == NARROW_LINE_END)
        regex_bytes_add(&w->found, '\n');
}

static void find(struct walk *w, const struct regex_bytes *set, enum narrowing narrowing)
{
    for (unsigned i = 0; i < 4 && narrowing == NARROW_NOT; i++)
        w->found.bits[i] |= set->bits[i];
    if (narrowing == NARROW_LINE_END && regex_bytes_has(set, '\n'))
        regex_bytes_add(&w->found, '\n');
}

static void find_byte(struct walk *w, unsigned char byte, enum narrowing narrowing)
{
    struct regex_bytes one = { 0 };

    regex_bytes_add(&one, byte);
    find(w, &one, narrowing);
}

static enum narrowing narrow(enum narrowing narrowing, unsigned char assertion)
{
    if (assertion == ASSERT_TEXT_END)
        return NARROW_END;
    if ((assertion == ASSERT_FINAL_LINE_END || assertion == ASSERT_LINE_END) &&
        narrowing == NARROW_NOT)
        return NARROW_LINE_END;
    return narrowing;
}

static void look_at(struct walk *w, uint32_t pc, enum narrowing narrowing)
{
    const struct regex_inst *i = &w->program->code[pc];

    switch ((enum regex_op)i->op) {
    case OP_MATCH:
        find_all(w, narrowing);
        break;
    case OP_BYTE:
        find_byte(w, i->byte, narrowing);
        break;
    case OP_SET:
        find(w, i->set, narrowing);
        break;
    case OP_SPAN:
        find(w, i->set, narrowing);
        visit(w, i->next, narrowing);
        break;
    case OP_SPLIT:
        visit(w, i->next, narrowing);
        visit(w, i->other, narrowing);
        break;
    case OP_ASSERT:
        visit(w, i->next, narrow(narrowing, i->assertion));
        break;
    case OP_SAVE: case OP_CLOSE: case OP_ATOMIC: case OP_LOOK: case OP_LOOK_NOT:
        visit(w, i->next, narrowing);   /* more than what is possible, which does no harm */
        break;
    case OP_CUT: case OP_LOOK_END:      /* a way is chosen in the group without regard to what */
    case OP_BACKREF: case OP_BACK:      /* comes after it */
        w->anything = true;
        break;
    }
}

/* False if anything may come at pc. */
static bool look(const struct regex_program *p, uint32_t pc, struct regex_bytes *found)
{
    struct walk w;

    w.program = p;
    w.found = (struct regex_bytes){ 0 };
    w.anything = false;
    w.count = 0;
    visit(&w, pc, NARROW_NOT);
    for (unsigned i = 0; i < w.count && !w.anything; i++)
        look_at(&w, w.stops[i].pc, w.stops[i].narrowing);
    *found = w.found;
    return !w.anything;
}

static const struct regex_bytes *follow_at(const struct regex_program *p, struct arena *a,
                                           uint32_t pc)
{
    struct regex_bytes found;

    if (!look(p, pc, &found))
        return NULL;
    struct regex_bytes *kept = ARENA_NEW(a, struct regex_bytes);
    *kept = found;
    return kept;
}

static bool are_disjoint(const struct regex_bytes *l, const struct regex_bytes *r)
{
    uint64_t common = 0;

    for (unsigned i = 0; i < 4; i++)
        common |= l->bits[i] & r->bits[i];
    return common == 0;
}

static bool leads_to_match(const struct regex_program *p, uint32_t pc)
{
    while (p->code[pc].op == OP_SAVE)
        pc = p->code[pc].next;
    return p->code[pc].op == OP_MATCH;
}

/* The only byte that s has, or lacks, as `has` says; -1 if there are none or more. */
static int only_byte(const struct regex_bytes *s, bool has)
{
    int only = -1;

    for (int c = 0; c < 256; c++) {
        if (regex_bytes_has(s, (unsigned char)c) == has) {
            if (only >= 0)
                return -1;
            only = c;
        }
    }
    return only;
}

static void follow_span(struct regex_program *p, struct arena *a, struct regex_inst *i)
{
    i->follow = follow_at(p, a, i->next);
    i->stop = only_byte(i->set, false);
    i->follow_byte = i->follow && !i->follow->end ? only_byte(i->follow, true) : -1;
    if (i->follow && are_disjoint(i->set, i->follow))
        i->greed = POSSESSIVE;
    else if (i->greed == POSSESSIVE && !leads_to_match(p, i->next))
        p->regular = false;
}

static bool holds_all(const struct regex_bytes *s, bool but_newline)
{
    struct regex_bytes all = *s;

    if (but_newline && !regex_bytes_has(s, '\n'))
        regex_bytes_add(&all, '\n');
    return (all.bits[0] & all.bits[1] & all.bits[2] & all.bits[3]) == UINT64_MAX;
}

/* `.*` and `.+` at the start: if they match here, they match from the start of the line as well. */
static enum regex_anchor anchor_of_span(const struct regex_program *p, const struct regex_inst *i)
{
    if (!p->regular || (i->op == OP_SET && (p->code[i->next].op != OP_SPAN ||
                                           p->code[i->next].set != i->set)))
        return ANCHOR_NONE;
    if (holds_all(i->set, false))
        return ANCHOR_START;
    return holds_all(i->set, true) ? ANCHOR_LINE : ANCHOR_NONE;
}

static enum regex_anchor weaker(enum regex_anchor a, enum regex_anchor b)
{
    return a < b ? a : b;
}

/* `fuel` is how many instructions may still be looked at, in all branches together. */
static enum regex_anchor anchor_at(const struct regex_program *p, uint32_t pc, unsigned *fuel)
{
    enum regex_anchor so_far = ANCHOR_START;
    bool conditional = false;   /* whether the place matters for more than where the line starts */

    while (so_far != ANCHOR_NONE && *fuel > 0) {
        const struct regex_inst *i = &p->code[pc];
        --*fuel;
        switch (i->op) {
        case OP_SAVE: case OP_CLOSE: case OP_ATOMIC: case OP_CUT: case OP_LOOK: case OP_LOOK_NOT:
            pc = i->next;
            break;
        case OP_ASSERT:
            if (i->assertion == ASSERT_TEXT_START)
                return so_far;
            if (i->assertion == ASSERT_LINE_START)
                return weaker(so_far, ANCHOR_LINE);
            conditional = true;
            pc = i->next;
            break;
        case OP_SET: case OP_SPAN:
            return conditional ? ANCHOR_NONE : weaker(so_far, anchor_of_span(p, i));
        case OP_SPLIT:
            so_far = weaker(so_far, anchor_at(p, i->next, fuel));
            pc = i->other;
            break;
        default:
            return ANCHOR_NONE;
        }
    }
    return ANCHOR_NONE;
}

static void find_starts(struct regex_program *p)
{
    struct regex_bytes found;
    bool known = look(p, p->start, &found);

    for (unsigned c = 0; c < 256; c++)
        p->starts[c] = !known || regex_bytes_has(&found, (unsigned char)c);
    p->starts_at_end = !known || found.end;
    p->first_byte = p->starts_at_end ? -1 : only_byte(&found, true);
}

void regex_follow(struct regex_program *p, struct arena *a)
{
    unsigned fuel = LOOK_AT_MOST;

    for (uint32_t pc = 0; pc < p->count; pc++) {
        struct regex_inst *i = &p->code[pc];
        if (i->op == OP_BYTE || i->op == OP_SET)
            i->number = i->next == pc + 1 && i[1].op == i->op && i[1].set == i->set;
        if (i->op == OP_SPAN)
            follow_span(p, a, i);
        if (i->op == OP_SPLIT) {
            i->follow = follow_at(p, a, i->next);
            i->follow_other = follow_at(p, a, i->other);
        }
    }
    find_starts(p);
    p->anchor = anchor_at(p, p->start, &fuel);
}

/*
 * regex_emit: see regex_emit.h.
 *
 * The program is written from its end: emit() is told where a node's match goes on and answers
 * where the node itself begins, so that nothing needs patching but loops.
 *
 * A loop whose body matched the empty string is left, as in PCRE.  To know that without counting at
 * run time, each place to go on at comes in two: where to go if a byte was taken since the
 * iteration began, and where if none was.  A body that can be empty is written for both cases;
 * where the two places are one, which is nearly always, everything is written once.
 */
#include "base/regex/regex_emit.h"

#include "base/regex/regex_utf8.h"

enum {
    CODE_MAX = 32768,       /* instructions of a program */
    WORK_MAX = 16 * CODE_MAX,   /* nodes visited: repetitions of nothing emit nothing */
};

struct emitter {
    struct arena *keep, *scratch;
    struct regex_emit_options options;
    ARRAY(struct regex_inst) code;
    unsigned work;
    bool failed, irregular;
};

struct places {
    uint32_t used;      /* a byte was taken in this iteration of the innermost loop */
    uint32_t fresh;     /* none was */
};

static struct places emit(struct emitter *e, struct regex_node *n, struct places k);

static bool are_one(struct places k)
{
    return k.used == k.fresh;
}

static struct places at_both(uint32_t place)
{
    return (struct places){ place, place };
}

static uint32_t add(struct emitter *e, struct regex_inst inst)
{
    if (e->failed || e->code.count == CODE_MAX) {
        e->failed = true;
        return 0;
    }
    *ARRAY_PUSH(&e->code, e->scratch) = inst;
    return e->code.count - 1;
}

/* An instruction that takes no byte, before either place. */
static struct places add_both(struct emitter *e, struct regex_inst inst, struct places k)
{
    struct places entry;

    inst.next = k.used;
    entry.used = add(e, inst);
    if (are_one(k))
        return at_both(entry.used);
    inst.next = k.fresh;
    entry.fresh = add(e, inst);
    return entry;
}

static uint32_t add_split(struct emitter *e, uint32_t preferred, uint32_t other)
{
    return add(e, (struct regex_inst){ .op = OP_SPLIT, .next = preferred, .other = other });
}

/* A way in, or past it. */
static uint32_t add_option(struct emitter *e, enum regex_greed greed, uint32_t in, uint32_t past)
{
    return greed == LAZY ? add_split(e, past, in) : add_split(e, in, past);
}

static struct places add_options(struct emitter *e, enum regex_greed greed, struct places in,
                                 struct places past)
{
    struct places entry = at_both(add_option(e, greed, in.used, past.used));

    if (!are_one(in) || !are_one(past))
        entry.fresh = add_option(e, greed, in.fresh, past.fresh);
    return entry;
}

/* --- characters --- */

static struct regex_bytes *new_bytes(struct emitter *e, uint32_t first, uint32_t last)
{
    struct regex_bytes *b = ARENA_NEW(e->keep, struct regex_bytes);

    for (uint32_t c = first; c <= last; c++)
        regex_bytes_add(b, (unsigned char)c);
    return b;
}

/* Is a character of this class one byte? */
static bool is_bytes(const struct emitter *e, const struct regex_node *n)
{
    if (n->kind != NODE_CLASS)
        return false;
    unsigned count = n->class->ranges.count;
    return !e->options.utf8 || count == 0 || n->class->ranges.items[count - 1].last < 0x80;
}

static const struct regex_bytes *bytes_of(struct emitter *e, struct regex_node *n)
{
    if (!n->bytes) {
        struct regex_bytes *b = ARENA_NEW(e->keep, struct regex_bytes);
        for (unsigned i = 0; i < n->class->ranges.count; i++) {
            const struct regex_range *r = &n->class->ranges.items[i];
            for (uint32_t c = r->first; c <= r->last; c++)
                regex_bytes_add(b, (unsigned char)c);
        }
        n->bytes = b;
    }
    return n->bytes;
}

static uint32_t emit_bytes(struct emitter *e, struct regex_node *n, uint32_t next)
{
    const struct regex_range *r = n->class->ranges.items;

    if (n->class->ranges.count == 1 && r->first == r->last)
        return add(e, (struct regex_inst){ .op = OP_BYTE, .byte = (unsigned char)r->first,
                                           .next = next });
    return add(e, (struct regex_inst){ .op = OP_SET, .set = bytes_of(e, n), .next = next });
}

static uint32_t emit_byte_range(struct emitter *e, unsigned char first, unsigned char last,
                                uint32_t next)
{
    if (first == last)
        return add(e, (struct regex_inst){ .op = OP_BYTE, .byte = first, .next = next });
    return add(e, (struct regex_inst){ .op = OP_SET, .set = new_bytes(e, first, last),
                                       .next = next });
}

/*
 * One sequence of bytes.  Many end in any continuation byte, or two, or three: those endings are
 * written once, in tails[].
 */
static uint32_t emit_utf8_sequence(struct emitter *e, const struct regex_utf8_sequence *s,
                                   uint32_t *tails, uint32_t next)
{
    bool shared = !e->options.mirrored;

    for (unsigned i = 0; i < s->length; i++) {
        unsigned at = e->options.mirrored ? i : s->length - 1 - i;
        shared = shared && at > 0 && s->first[at] == 0x80 && s->last[at] == 0xBF;
        if (shared && tails[i]) {
            next = tails[i];
            continue;
        }
        next = emit_byte_range(e, s->first[at], s->last[at], next);
        if (shared)
            tails[i] = next;
    }
    return next;
}

static uint32_t emit_class(struct emitter *e, struct regex_node *n, uint32_t next)
{
    struct regex_utf8_sequence s;
    uint32_t tails[4] = { 0 };
    uint32_t entry = 0;

    if (is_bytes(e, n))
        return emit_bytes(e, n, next);
    for (unsigned i = 0; i < n->class->ranges.count && !e->failed; i++) {
        uint32_t from = n->class->ranges.items[i].first;
        while (!e->failed && regex_utf8_next_sequence(&from, n->class->ranges.items[i].last, &s)) {
            uint32_t way = emit_utf8_sequence(e, &s, tails, next);
            entry = entry ? add_split(e, way, entry) : way;
        }
    }
    if (!entry)   /* nothing but surrogates */
        return add(e, (struct regex_inst){ .op = OP_SET, .set = new_bytes(e, 1, 0) });
    return entry;
}

/* --- loops --- */

static uint32_t emit_span(struct emitter *e, struct regex_node *n, enum regex_greed greed,
                          uint32_t next)
{
    return add(e, (struct regex_inst){ .op = OP_SPAN, .greed = (unsigned char)greed,
                                       .set = bytes_of(e, n), .next = next });
}

/* Once or more. */
static struct places emit_loop(struct emitter *e, struct regex_node *body, enum regex_greed greed,
                               struct places k)
{
    if (is_bytes(e, body))
        return at_both(emit_bytes(e, body, emit_span(e, body, greed, k.used)));
    uint32_t again = add_split(e, 0, 0);
    struct places after = { again, k.used };
    uint32_t entry = emit(e, body, after).fresh;
    if (e->failed)
        return k;
    e->code.items[again].next = greed == LAZY ? k.used : entry;
    e->code.items[again].other = greed == LAZY ? entry : k.used;
    if (are_one(k) || !body->nullable)
        return at_both(entry);
    after.fresh = k.fresh;
    return (struct places){ entry, emit(e, body, after).fresh };
}

static struct places emit_star(struct emitter *e, struct regex_node *body, enum regex_greed greed,
                               struct places k)
{
    if (is_bytes(e, body) && are_one(k))
        return at_both(emit_span(e, body, greed, k.used));
    return add_options(e, greed, emit_loop(e, body, greed, k), k);
}

/* {n,m} is written out: n times the body, then the options, each within the one before it. */
static struct places emit_counted(struct emitter *e, struct regex_node *n, enum regex_greed greed,
                                  struct places k)
{
    unsigned min = n->repeat.min, max = n->repeat.max;
    struct places entry = k;

    if (max == REPEAT_UNLIMITED) {
        if (min == 0)
            return emit_star(e, n->first, greed, k);
        entry = emit_loop(e, n->first, greed, k);
        min--;
    } else {
        for (unsigned i = min; i < max && !e->failed; i++)
            entry = add_options(e, greed, emit(e, n->first, entry), k);
    }
    for (unsigned i = 0; i < min && !e->failed; i++)
        entry = emit(e, n->first, entry);
    return entry;
}

static bool leads_to_match(const struct emitter *e, uint32_t pc)
{
    while (e->code.items[pc].op == OP_SAVE)
        pc = e->code.items[pc].next;
    return e->code.items[pc].op == OP_MATCH;
}

/* `body`, or if there is none the repetition `n`, as an atomic group. */
static struct places emit_atomic(struct emitter *e, struct regex_node *n, struct places k)
{
    bool repeat = n->kind == NODE_REPEAT;
    bool plain = leads_to_match(e, k.used) && leads_to_match(e, k.fresh);
    struct places after = plain ? k : add_both(e, (struct regex_inst){ .op = OP_CUT }, k);
    struct places entry = repeat ? emit_counted(e, n, GREEDY, after) : emit(e, n->first, after);

    if (plain)   /* nothing comes that could fail and ask for another way */
        return entry;
    e->irregular = true;
    return add_both(e, (struct regex_inst){ .op = OP_ATOMIC }, entry);
}

static struct places emit_repeat(struct emitter *e, struct regex_node *n, struct places k)
{
    bool spans = is_bytes(e, n->first) && n->repeat.max == REPEAT_UNLIMITED &&
                 (n->repeat.min > 0 || are_one(k));

    if (n->repeat.greed == POSSESSIVE && !spans)
        return emit_atomic(e, n, k);
    return emit_counted(e, n, n->repeat.greed, k);
}

/* --- the other nodes --- */

static struct places emit_sequence(struct emitter *e, struct regex_node *n, struct places k)
{
    bool mirrored = e->options.mirrored;

    for (struct regex_node *c = mirrored ? n->first : n->last; c; c = mirrored ? c->next : c->prev)
        k = emit(e, c, k);
    return k;
}

static struct places emit_choice(struct emitter *e, struct regex_node *n, struct places k)
{
    struct places entry = emit(e, n->last, k);

    for (struct regex_node *c = n->last->prev; c && !e->failed; c = c->prev)
        entry = add_options(e, GREEDY, emit(e, c, k), entry);
    return entry;
}

static struct places emit_save(struct emitter *e, unsigned slot, struct places k)
{
    if (e->options.mirrored)
        return k;
    return add_both(e, (struct regex_inst){ .op = OP_SAVE, .number = slot }, k);
}

/* Until a group ends, a reference to it means what it took before; so its start is kept aside. */
static struct places emit_referable(struct emitter *e, struct regex_node *n, struct places k)
{
    unsigned aside = 2 * (e->options.groups + 1) + n->group;

    e->irregular = true;
    k = add_both(e, (struct regex_inst){ .op = OP_CLOSE, .number = n->group, .other = aside }, k);
    k = emit(e, n->first, k);
    return emit_save(e, aside, k);
}

static struct places emit_capture(struct emitter *e, struct regex_node *n, struct places k)
{
    if (e->options.has_backrefs)
        return emit_referable(e, n, k);
    k = emit_save(e, 2 * n->group + 1, k);
    k = emit(e, n->first, k);
    return emit_save(e, 2 * n->group, k);
}

/* An alternative of look-behind: back by its length, then it must match up to here. */
static uint32_t emit_behind(struct emitter *e, struct regex_node *n, uint32_t next)
{
    uint32_t entry = emit(e, n, at_both(next)).used;

    return add(e, (struct regex_inst){ .op = OP_BACK, .number = (uint32_t)n->length,
                                       .next = entry });
}

static uint32_t emit_look_body(struct emitter *e, struct regex_node *n, uint32_t next)
{
    struct regex_node *body = n->first;

    if (!n->look.behind)
        return emit(e, body, at_both(next)).used;
    if (body->kind != NODE_CHOICE)
        return emit_behind(e, body, next);
    uint32_t entry = emit_behind(e, body->last, next);
    for (struct regex_node *c = body->last->prev; c && !e->failed; c = c->prev)
        entry = add_split(e, emit_behind(e, c, next), entry);
    return entry;
}

static struct places emit_look(struct emitter *e, struct regex_node *n, struct places k)
{
    uint32_t end = add(e, (struct regex_inst){ .op = OP_LOOK_END });
    struct regex_inst look = { .op = n->look.negative ? OP_LOOK_NOT : OP_LOOK };

    e->irregular = true;
    look.other = emit_look_body(e, n, end);
    return add_both(e, look, k);
}

static struct places emit_backref(struct emitter *e, struct regex_node *n, struct places k)
{
    struct regex_inst inst = { .op = OP_BACKREF, .number = n->backref.group,
                               .caseless = n->backref.caseless, .next = k.used, .other = k.used };
    struct places entry = at_both(add(e, inst));

    e->irregular = true;
    if (!are_one(k)) {
        inst.other = k.fresh;
        entry.fresh = add(e, inst);
    }
    return entry;
}

/* Writes what matches `n` and then goes on at `k`; returns where that begins. */
static struct places emit(struct emitter *e, struct regex_node *n, struct places k)
{
    if (++e->work > WORK_MAX)
        e->failed = true;
    if (e->failed)
        return k;
    switch (n->kind) {
    case NODE_CLASS:
        return at_both(emit_class(e, n, k.used));
    case NODE_SEQUENCE:
        return emit_sequence(e, n, k);
    case NODE_CHOICE:
        return emit_choice(e, n, k);
    case NODE_REPEAT:
        return emit_repeat(e, n, k);
    case NODE_CAPTURE:
        return emit_capture(e, n, k);
    case NODE_ATOMIC:
        return emit_atomic(e, n, k);
    case NODE_LOOK:
        return emit_look(e, n, k);
    case NODE_ASSERT:
        return add_both(e, (struct regex_inst){ .op = OP_ASSERT,
                                                .assertion = (unsigned char)n->assertion }, k);
    case NODE_BACKREF:
        return emit_backref(e, n, k);
    case NODE_KEEP:
        return emit_save(e, 0, k);
    }
    return k;
}

/* --- the whole --- */

static bool uses_other(unsigned char op)
{
    return op == OP_SPLIT || op == OP_BACKREF || op == OP_LOOK || op == OP_LOOK_NOT;
}

/*
 * Numbers what can be reached from `start`, in the order in which it is likely to run, and leaves
 * the rest.  numbers[] holds the new number of each instruction, 0 for none: the match keeps its 0.
 */
static uint32_t number_reached(struct emitter *e, uint32_t start, uint32_t *numbers)
{
    uint32_t *stack = arena_alloc(e->scratch, (e->code.count + 1) * sizeof *stack);
    uint32_t count = 1, depth = 0;

    stack[depth++] = start;
    while (depth > 0) {
        uint32_t pc = stack[--depth];
        while (pc != 0 && numbers[pc] == 0) {
            const struct regex_inst *i = &e->code.items[pc];
            numbers[pc] = count++;
            if (uses_other(i->op))
                stack[depth++] = i->other;
            if (i->op == OP_LOOK_END)
                break;
            pc = i->next;
        }
    }
    return count;
}

static struct regex_program *finish(struct emitter *e, uint32_t start)
{
    struct regex_program *p = ARENA_NEW(e->keep, struct regex_program);
    uint32_t *numbers = ARENA_NEW_ARRAY(e->scratch, uint32_t, e->code.count);

    p->count = number_reached(e, start, numbers);
    struct regex_inst *code = ARENA_NEW_ARRAY(e->keep, struct regex_inst, p->count);
    for (uint32_t pc = 0; pc < e->code.count; pc++) {
        if (pc > 0 && numbers[pc] == 0)
            continue;
        struct regex_inst inst = e->code.items[pc];
        inst.next = numbers[inst.next];
        if (uses_other(inst.op))
            inst.other = numbers[inst.other];
        code[numbers[pc]] = inst;
    }
    p->code = code;
    p->start = numbers[start];
    p->slots = (e->options.groups + 1) * (e->options.has_backrefs ? 3 : 2);
    p->groups = e->options.groups;
    p->utf8 = e->options.utf8;
    p->regular = !e->irregular;
    return p;
}

struct regex_program *regex_emit(struct arena *keep, struct arena *scratch,
                                 struct regex_node *tree, struct regex_emit_options options)
{
    struct emitter e = { .keep = keep, .scratch = scratch, .options = options };
    struct places k = at_both(add(&e, (struct regex_inst){ .op = OP_MATCH }));

    k = emit_save(&e, 1, k);
    k = emit(&e, tree, k);
    k = emit_save(&e, 0, k);
    if (options.utf8 && !options.mirrored) {
        struct regex_inst inst = { .op = OP_ASSERT, .assertion = ASSERT_CHARACTER };
        k = add_both(&e, inst, k);
    }
    return e.failed ? NULL : finish(&e, k.used);
}

/*
 * regex_dfa: see regex_dfa.h.
 */
#include "base/regex/regex_dfa.h"

#include <stdlib.h>

#include "base/regex/regex_assert.h"

enum {
    CONTEXTS = 8,            /* combinations of enum regex_before */
    STATES_FIRST = 8,
    POOL_FIRST = 64,
    LIMIT_MAX = 1 << 30,     /* bytes; keeps rows below EDGE_IDLE */
    BYTES_FOR_A_STATE = 10,  /* a state that serves for fewer was not worth keeping */
    IDLE_MIN = 128,          /* of 256 bytes, for looking out for the others to pay */
};

/* An edge is where the row of the target's edges begins, and in addition: */
#define EDGE_FINAL ((uint32_t)1 << 31)   /* nothing that follows changes the answer */
#define EDGE_IDLE ((uint32_t)1 << 30)    /* the target is the idle state */
#define EDGE_UNKNOWN UINT32_MAX          /* or it is this: all bits set */
#define EDGE_ROW (EDGE_IDLE - 1)

struct state {
    uint32_t pcs;            /* where in the pool they begin */
    uint32_t count;
    uint32_t best;
    uint32_t before;
    uint32_t next;           /* in its bucket: 1 + the number of a state, or 0 */
    bool final;
};

struct regex_dfa {
    const struct regex_nfa *nfa;
    size_t limit;
    unsigned shift;                  /* a row has 1 << shift edges, enough for all symbols */
    uint32_t *edges;
    struct state *states;
    uint32_t *buckets;               /* as many as there is room for states */
    uint32_t state_count, state_room;
    uint32_t *pool;
    size_t pool_count, pool_room;
    uint32_t begins[CONTEXTS];       /* the edge to begin with */
    size_t since_flush;              /* bytes matched */
    /* In the idle state no match has begun.  Most bytes leave it there; those are skipped. */
    bool has_idle;
    bool idle[256];
    uint32_t *perhaps;
    struct regex_nfa_scratch scratch;
    struct regex_nfa_state from, to; /* scratch, with room for all instructions */
};

static void forget(struct regex_dfa *d)
{
    d->state_count = 0;
    d->pool_count = 0;
    d->since_flush = 0;
    memset(d->buckets, 0, d->state_room * sizeof *d->buckets);
    for (unsigned i = 0; i < CONTEXTS; i++)
        d->begins[i] = EDGE_UNKNOWN;
}

static bool is_idle(const struct regex_nfa_state *s)
{
    return s->count == 0 && s->best == REGEX_NFA_NONE && s->before == 0;
}

static void learn_idle(struct regex_dfa *d)
{
    struct regex_nfa_state idle = { .pcs = d->from.pcs, .best = REGEX_NFA_NONE };
    unsigned count = 0;

    if (regex_nfa_is_final(d->nfa, &idle))
        return;
    for (unsigned symbol = 0; symbol < d->nfa->class_count; symbol++) {
        regex_nfa_step(d->nfa, &d->scratch, &idle, symbol, &d->to);
        for (unsigned c = 0; is_idle(&d->to) && c < 256; c++) {
            d->idle[c] = d->idle[c] || d->nfa->classes[c] == symbol;
            count += d->nfa->classes[c] == symbol;
        }
    }
    d->has_idle = count >= IDLE_MIN;
}

struct regex_dfa *regex_dfa_new(const struct regex_nfa *n, size_t limit)
{
    struct regex_dfa *d = calloc(1, sizeof *d);

    if (!d)
        return NULL;
    d->nfa = n;
    d->limit = limit < LIMIT_MAX ? limit : LIMIT_MAX;
    while (1u << d->shift < regex_nfa_symbols(n))
        d->shift++;
    d->state_room = STATES_FIRST;
    d->pool_room = POOL_FIRST;
    d->edges = malloc(((size_t)STATES_FIRST << d->shift) * sizeof *d->edges);
    d->states = malloc(STATES_FIRST * sizeof *d->states);
    d->buckets = malloc(STATES_FIRST * sizeof *d->buckets);
    d->pool = malloc(POOL_FIRST * sizeof *d->pool);
    d->perhaps = malloc(n->part_count * sizeof *d->perhaps);
    d->from.pcs = malloc(n->count * sizeof *d->from.pcs);
    d->to.pcs = malloc(n->count * sizeof *d->to.pcs);
    if (!d->edges || !d->states || !d->buckets || !d->pool || !d->perhaps || !d->from.pcs ||
        !d->to.pcs || !regex_nfa_scratch_init(&d->scratch, n)) {
        regex_dfa_free(d);
        return NULL;
    }
    forget(d);
    learn_idle(d);
    return d;
}

void regex_dfa_free(struct regex_dfa *d)
{
    if (!d)
        return;
    free(d->edges);
    free(d->states);
    free(d->buckets);
    free(d->pool);
    free(d->perhaps);
    free(d->from.pcs);
    free(d->to.pcs);
    regex_nfa_scratch_fini(&d->scratch);
    free(d);
}

/* --- keeping states --- */

static uint32_t hash_of(const struct regex_nfa_state *s)
{
    uint32_t h = 2166136261u;

    for (uint32_t i = 0; i < s->count; i++)
        h = (h ^ s->pcs[i]) * 16777619u;
    return (h ^ s->best ^ s->before << 16) * 16777619u;
}

static bool is_same(const struct regex_dfa *d, const struct state *kept,
                    const struct regex_nfa_state *s)
{
    return kept->count == s->count && kept->best == s->best && kept->before == s->before &&
           memcmp(&d->pool[kept->pcs], s->pcs, s->count * sizeof *s->pcs) == 0;
}

static uint32_t *bucket_of(struct regex_dfa *d, const struct regex_nfa_state *s)
{
    return &d->buckets[hash_of(s) & (d->state_room - 1)];
}

static struct regex_nfa_state view(const struct regex_dfa *d, const struct state *s)
{
    return (struct regex_nfa_state){ .pcs = &d->pool[s->pcs], .count = s->count,
                                     .best = s->best, .before = s->before };
}

static bool double_states(struct regex_dfa *d)
{
    size_t room = (size_t)d->state_room * 2;
    uint32_t *edges = realloc(d->edges, (room << d->shift) * sizeof *edges);

    if (edges)
        d->edges = edges;
    struct state *states = realloc(d->states, room * sizeof *states);
    if (states)
        d->states = states;
    uint32_t *buckets = realloc(d->buckets, room * sizeof *buckets);
    if (buckets)
        d->buckets = buckets;
    if (!edges || !states || !buckets)
        return false;
    d->state_room = (uint32_t)room;
    memset(d->buckets, 0, room * sizeof *d->buckets);
    for (uint32_t i = 0; i < d->state_count; i++) {
        struct regex_nfa_state s = view(d, &d->states[i]);
        uint32_t *bucket = bucket_of(d, &s);
        d->states[i].next = *bucket;
        *bucket = i + 1;
    }
    return true;
}

static bool make_room(struct regex_dfa *d, uint32_t pcs)
{
    size_t states = d->state_count + 1u, pool = d->pool_count + pcs;
    size_t each = (sizeof *d->edges << d->shift) + sizeof *d->states + sizeof *d->buckets;

    if (states * each + pool * sizeof *d->pool > d->limit)
        return false;
    if (states > d->state_room && !double_states(d))
        return false;
    size_t room = d->pool_room;
    while (room < pool)
        room *= 2;
    if (room > d->pool_room) {
        uint32_t *grown = realloc(d->pool, room * sizeof *grown);
        if (!grown)
            return false;
        d->pool = grown;
        d->pool_room = room;
    }
    return true;
}

static uint32_t edge_to(const struct regex_dfa *d, uint32_t number)
{
    struct regex_nfa_state s = view(d, &d->states[number]);
    uint32_t row = number << d->shift;

    if (d->states[number].final)
        return row | EDGE_FINAL;
    return d->has_idle && is_idle(&s) ? row | EDGE_IDLE : row;
}

/* The edge to a state that is kept, after this if not before; EDGE_UNKNOWN if there is no room. */
static uint32_t keep(struct regex_dfa *d, const struct regex_nfa_state *s)
{
    for (uint32_t i = *bucket_of(d, s); i > 0; i = d->states[i - 1].next) {
        if (is_same(d, &d->states[i - 1], s))
            return edge_to(d, i - 1);
    }
    if (!make_room(d, s->count))
        return EDGE_UNKNOWN;
    uint32_t number = d->state_count++, *bucket = bucket_of(d, s);
    d->states[number] = (struct state){
        .pcs = (uint32_t)d->pool_count, .count = s->count, .best = s->best, .before = s->before,
        .next = *bucket, .final = regex_nfa_is_final(d->nfa, s),
    };
    *bucket = number + 1;
    memcpy(&d->pool[d->pool_count], s->pcs, s->count * sizeof *s->pcs);
    d->pool_count += s->count;
    memset(&d->edges[(size_t)number << d->shift], 0xFF, sizeof *d->edges << d->shift);
    return edge_to(d, number);
}

/* --- running --- */

/* Takes the edge that is not known yet: the new edge, or EDGE_UNKNOWN with the state in d->to. */
static uint32_t take_new_edge(struct regex_dfa *d, uint32_t row, unsigned symbol)
{
    struct regex_nfa_state from = view(d, &d->states[row >> d->shift]);

    regex_nfa_step(d->nfa, &d->scratch, &from, symbol, &d->to);
    uint32_t edge = keep(d, &d->to);
    if (edge != EDGE_UNKNOWN) {
        d->edges[row + symbol] = edge;
        return edge;
    }
    bool worth = d->since_flush > (size_t)d->state_count * BYTES_FOR_A_STATE;
    forget(d);
    return worth ? keep(d, &d->to) : EDGE_UNKNOWN;
}

static uint32_t first_edge(struct regex_dfa *d, unsigned before)
{
    if (d->begins[before] == EDGE_UNKNOWN) {
        regex_nfa_begin(d->nfa, &d->scratch, before, &d->to);
        uint32_t edge = keep(d, &d->to);
        if (edge == EDGE_UNKNOWN) {
            forget(d);
            edge = keep(d, &d->to);
        }
        d->begins[before] = edge;
    }
    return d->begins[before];
}

/* What is left of a subject, bytes and then one or two special symbols. */
struct rest {
    const unsigned char *at, *end;
    bool back;                       /* from the end to the start */
    bool final_newline;              /* comes after the bytes */
};

/* The next symbol; true if it is the last. */
static bool take_symbol(const struct regex_dfa *d, struct rest *r, unsigned *symbol)
{
    if (r->at < r->end) {
        *symbol = d->nfa->classes[r->back ? *--r->end : *r->at++];
        return false;
    }
    bool last = !r->final_newline;
    *symbol = last ? regex_nfa_end(d->nfa) : regex_nfa_final_newline(d->nfa);
    r->final_newline = false;
    return last;
}

/* Goes on from the state in d->to without keeping states; leaves the last one there. */
static void run_unkept(struct regex_dfa *d, struct rest r)
{
    bool last = false;

    while (!last && !regex_nfa_is_final(d->nfa, &d->to)) {
        struct regex_nfa_state from = d->to;
        unsigned symbol;
        d->to = d->from;
        d->from = from;
        last = take_symbol(d, &r, &symbol);
        regex_nfa_step(d->nfa, &d->scratch, &d->from, symbol, &d->to);
    }
}

/*
 * The inner loop: takes edges while they are known and lead on.  Returns the row it got to, before
 * a symbol that needs more thought: the end of the bytes, or an edge that is special.
 */
static uint32_t run_known(const struct regex_dfa *d, uint32_t row, struct rest *r)
{
    const unsigned char *classes = d->nfa->classes, *at = r->at, *end = r->end;
    const uint32_t *edges = d->edges;

    for (; at < end; at++) {
        uint32_t edge = edges[row + classes[*at]];
        if (edge & ~EDGE_ROW)
            break;
        row = edge;
    }
    r->at = at;
    return row;
}

static uint32_t run_known_back(const struct regex_dfa *d, uint32_t row, struct rest *r)
{
    const unsigned char *classes = d->nfa->classes, *at = r->at, *end = r->end;
    const uint32_t *edges = d->edges;

    for (; at < end; end--) {
        uint32_t edge = edges[row + classes[end[-1]]];
        if (edge & ~EDGE_ROW)
            break;
        row = edge;
    }
    r->end = end;
    return row;
}

static void skip_idle(const struct regex_dfa *d, struct rest *r)
{
    while (r->at < r->end && d->idle[*r->at])
        r->at++;
}

/* The edge to the last state, or EDGE_UNKNOWN if that is not kept but in d->to. */
static uint32_t run(struct regex_dfa *d, uint32_t edge, struct rest r)
{
    bool last = false;

    while (!last && !(edge & EDGE_FINAL)) {
        size_t left = (size_t)(r.end - r.at);
        uint32_t row = edge & EDGE_ROW;
        unsigned symbol;
        if (edge & EDGE_IDLE)
            skip_idle(d, &r);
        row = r.back ? run_known_back(d, row, &r) : run_known(d, row, &r);
        last = take_symbol(d, &r, &symbol);
        d->since_flush += left - (size_t)(r.end - r.at);
        edge = d->edges[row + symbol];
        if (edge == EDGE_UNKNOWN)
            edge = take_new_edge(d, row, symbol);
        if (edge == EDGE_UNKNOWN && !last)
            run_unkept(d, r);
    }
    return edge;
}

static struct regex_nfa_state run_from(struct regex_dfa *d, unsigned before, struct rest r)
{
    uint32_t edge = first_edge(d, before);

    if (edge != EDGE_UNKNOWN)
        edge = run(d, edge, r);
    else
        run_unkept(d, r);
    return edge == EDGE_UNKNOWN ? d->to : view(d, &d->states[(edge & EDGE_ROW) >> d->shift]);
}

void regex_dfa_run(struct regex_dfa *d, struct str subject, size_t from,
                   struct regex_dfa_answer *answer)
{
    static const unsigned char nothing[1];
    const unsigned char *start = subject.len ? (const unsigned char *)subject.data : nothing;
    struct rest r = { .at = start + from, .end = start + subject.len };
    unsigned before = from == 0 ? BEFORE_START : regex_assert_before(start[from - 1]);

    if (from < subject.len && r.end[-1] == '\n') {
        r.final_newline = true;
        r.end--;
    }
    struct regex_nfa_state last = run_from(d, before, r);
    *answer = (struct regex_dfa_answer){ .best = last.best, .perhaps = d->perhaps };
    for (uint32_t i = 0; i < last.count; i++) {
        const struct regex_inst *inst = &d->nfa->code[last.pcs[i]];
        if (inst->op == OP_MATCH)
            d->perhaps[answer->perhaps_count++] = inst->number;
    }
}

bool regex_dfa_run_back(struct regex_dfa *d, struct str subject)
{
    const unsigned char *start = (const unsigned char *)subject.data;
    struct rest r = { .back = true };

    if (subject.len) {
        r.at = start;
        r.end = start + subject.len;
    }
    return run_from(d, BEFORE_START, r).best != REGEX_NFA_NONE;
}

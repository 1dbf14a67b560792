/*
 * regex_pike: see regex_pike.h.
 *
 * A thread is an instruction that waits for a byte, with the slots as they were when it got there.
 * Of two threads at one instruction the one that came first is preferred, and whatever the other
 * could find, that one finds as well; so there are never more threads than instructions.
 */
#include "base/regex/regex_pike.h"

#include <stdlib.h>

#include "base/regex/regex_assert.h"

enum { SLOTS_MAX = 1 << 20 };   /* of all threads together */

/* Threads in order of preference. */
struct threads {
    uint32_t *pcs;
    size_t *slots;           /* of thread i from slots[i * width] on */
    uint32_t count;
};

/* What is still to be done while a thread spreads. */
enum task_kind {
    TASK_REACH,              /* instruction `number` */
    TASK_WAIT,               /* add a thread at that instruction */
    TASK_SET_BACK,           /* slot `number`, to `value`, as all beyond has been reached */
};

struct task {
    enum task_kind kind;
    uint32_t number;
    size_t value;
};

struct regex_pike {
    const struct regex_program *program;
    unsigned width;          /* slots of a thread */
    struct threads now, then;
    uint64_t *seen;          /* the instructions reached at this place; a bit for each */
    size_t seen_words;
    struct task *tasks;
    size_t task_count;
    size_t *slots;           /* of the thread that spreads */
};

/* A place in the subject. */
struct place {
    const unsigned char *start, *at, *end;
};

struct regex_pike *regex_pike_new(const struct regex_program *p)
{
    struct regex_pike *k;

    if ((size_t)p->count * p->slots > SLOTS_MAX || !(k = calloc(1, sizeof *k)))
        return NULL;
    k->program = p;
    k->width = p->slots;
    k->seen_words = p->count / 64 + 1;
    k->seen = malloc(k->seen_words * sizeof *k->seen);
    k->tasks = malloc((2 * (size_t)p->count + 1) * sizeof *k->tasks);
    k->slots = malloc(k->width * sizeof *k->slots);
    k->now.pcs = malloc(p->count * sizeof *k->now.pcs);
    k->then.pcs = malloc(p->count * sizeof *k->then.pcs);
    k->now.slots = malloc((size_t)p->count * k->width * sizeof *k->now.slots);
    k->then.slots = malloc((size_t)p->count * k->width * sizeof *k->then.slots);
    if (k->seen && k->tasks && k->slots && k->now.pcs && k->then.pcs && k->now.slots &&
        k->then.slots)
        return k;
    regex_pike_free(k);
    return NULL;
}

void regex_pike_free(struct regex_pike *k)
{
    if (!k)
        return;
    free(k->seen);
    free(k->tasks);
    free(k->slots);
    free(k->now.pcs);
    free(k->then.pcs);
    free(k->now.slots);
    free(k->then.slots);
    free(k);
}

static void add_thread(struct regex_pike *k, struct threads *t, uint32_t pc)
{
    memcpy(&t->slots[(size_t)t->count * k->width], k->slots, k->width * sizeof *k->slots);
    t->pcs[t->count++] = pc;
}

static inline void add_task(struct regex_pike *k, struct task task)
{
    k->tasks[k->task_count++] = task;
}

static inline bool see(struct regex_pike *k, uint32_t pc)
{
    uint64_t bit = (uint64_t)1 << (pc & 63), *word = &k->seen[pc >> 6];
    bool fresh = !(*word & bit);

    *word |= bit;
    return fresh;
}

/* Gives at most two tasks. */
static void reach(struct regex_pike *k, struct threads *t, uint32_t pc, const struct place *p)
{
    const struct regex_inst *i = &k->program->code[pc];

    switch ((enum regex_op)i->op) {
    case OP_SPLIT:
        add_task(k, (struct task){ TASK_REACH, i->other, 0 });
        add_task(k, (struct task){ TASK_REACH, i->next, 0 });
        break;
    case OP_SPAN:
        if (i->greed == LAZY)
            add_task(k, (struct task){ TASK_WAIT, pc, 0 });
        else
            add_thread(k, t, pc);
        add_task(k, (struct task){ TASK_REACH, i->next, 0 });
        break;
    case OP_SAVE:
        add_task(k, (struct task){ TASK_SET_BACK, i->number, k->slots[i->number] });
        add_task(k, (struct task){ TASK_REACH, i->next, 0 });
        k->slots[i->number] = (size_t)(p->at - p->start);
        break;
    case OP_ASSERT:
        if (regex_assert_holds_at((enum regex_assertion)i->assertion, p->start, p->at, p->end))
            add_task(k, (struct task){ TASK_REACH, i->next, 0 });
        break;
    case OP_MATCH: case OP_BYTE: case OP_SET:
        add_thread(k, t, pc);
        break;
    default:   /* not in a regular program */
        break;
    }
}

/* Adds to `t` what the owner of k->slots becomes at `pc` before it takes another byte. */
static void spread(struct regex_pike *k, struct threads *t, uint32_t pc, const struct place *p)
{
    k->task_count = 0;
    add_task(k, (struct task){ TASK_REACH, pc, 0 });
    while (k->task_count > 0) {
        struct task task = k->tasks[--k->task_count];
        switch (task.kind) {
        case TASK_REACH:
            if (see(k, task.number))
                reach(k, t, task.number, p);
            break;
        case TASK_WAIT:
            add_thread(k, t, task.number);
            break;
        case TASK_SET_BACK:
            k->slots[task.number] = task.value;
            break;
        }
    }
}

static void clear_seen(struct regex_pike *k)
{
    memset(k->seen, 0, k->seen_words * sizeof *k->seen);
}

static void spread_start(struct regex_pike *k, const struct place *p)
{
    for (unsigned i = 0; i < k->width; i++)
        k->slots[i] = SIZE_MAX;
    spread(k, &k->now, k->program->start, p);
}

static bool takes(const struct regex_inst *i, unsigned char byte)
{
    return i->op == OP_BYTE ? i->byte == byte : regex_bytes_has(i->set, byte);
}

/* Moves all threads over the byte at p->at; true if one of them is a match, which ends those after
 * it and whose slots then are `slots`. */
static bool step(struct regex_pike *k, struct place *p, size_t *slots)
{
    bool at_end = p->at == p->end;
    unsigned char byte = at_end ? 0 : *p->at++;
    size_t size = k->width * sizeof *slots;

    clear_seen(k);
    k->then.count = 0;
    for (uint32_t n = 0; n < k->now.count; n++) {
        const size_t *own = &k->now.slots[(size_t)n * k->width];
        const struct regex_inst *i = &k->program->code[k->now.pcs[n]];
        if (i->op == OP_MATCH) {
            memcpy(slots, own, size);
            return true;
        }
        if (!at_end && takes(i, byte)) {
            memcpy(k->slots, own, size);
            spread(k, &k->then, i->op == OP_SPAN ? k->now.pcs[n] : i->next, p);
        }
    }
    return false;
}

bool regex_pike_match(struct regex_pike *k, struct str subject, size_t *slots)
{
    static const unsigned char nothing[1];
    const unsigned char *start = subject.len ? (const unsigned char *)subject.data : nothing;
    struct place p = { start, start, start + subject.len };
    bool matched = false, anchored = k->program->anchor == ANCHOR_START, last = false;

    clear_seen(k);
    k->now.count = 0;
    while (!last) {
        if (!matched && (!anchored || p.at == start))
            spread_start(k, &p);
        else if (k->now.count == 0)
            break;
        last = p.at == p.end;
        matched = step(k, &p, slots) || matched;
        struct threads then = k->now;
        k->now = k->then;
        k->then = then;
    }
    return matched;
}

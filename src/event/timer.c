/*
 * timer: see timer.h.
 *
 * Six levels of 64 slots; a slot of level n spans 64^n ms.  A timer stands in the level of the
 * highest digit (six bits each) in which its time differs from the wheel's.  So all that a level
 * holds comes before all that the next one holds, and of one level the first occupied slot after
 * the wheel's own digit is the next: the next time is found from the bitmaps alone.  When the wheel
 * reaches a slot of a higher level, its timers are put anew, into lower levels; those of level 0
 * are due.
 */
#include "event/timer.h"

#include <stddef.h>

#include "base/clock.h"

enum {
    LEVELS = 6,
    DIGIT_BITS = 6,
    SLOTS = 1 << DIGIT_BITS,
    DUE = LEVELS * SLOTS,      /* the slot of timers whose handlers are to be called */
    RUNNING,                   /* and of those being called this turn */
    ALL_SLOTS,
    WORDS = LEVELS + 1,
};

static const uint64_t longest = (UINT64_C(1) << 31) - 1;   /* ms between wheel and slot */

/* Each step of the wheel is well below the longest span. */
static const uint64_t longest_step = UINT64_C(1) << 30;

static struct {
    uint64_t now;                  /* clock_ms() as far as slots have been worked off */
    uint64_t occupied[WORDS];      /* a bit per slot that has timers */
    struct list slots[ALL_SLOTS];
    bool ready;
} wheel;

static void prepare(void)
{
    for (unsigned i = 0; i < ALL_SLOTS; i++)
        list_init(&wheel.slots[i]);
    wheel.now = clock_ms();
    wheel.ready = true;
}

static unsigned level_of(uint32_t time)
{
    uint32_t differs = time ^ (uint32_t)wheel.now;

    return (31 - (unsigned)__builtin_clz(differs)) / DIGIT_BITS;
}

/* Puts an unlinked timer where its slot_time says. */
static void place(struct timer *t)
{
    unsigned slot = DUE;

    if ((int32_t)(t->slot_time - (uint32_t)wheel.now) > 0) {
        unsigned level = level_of(t->slot_time);
        slot = level * SLOTS + (t->slot_time >> (level * DIGIT_BITS)) % SLOTS;
    }
    list_push(&wheel.slots[slot], &t->link);
    wheel.occupied[slot / SLOTS] |= UINT64_C(1) << slot % SLOTS;
}

/* Takes a timer out; of a slot's last one, the neighbour on both sides is the slot itself. */
static void unlink_timer(struct timer *t)
{
    struct list *neighbour = t->link.next;
    bool last = neighbour == t->link.prev;

    list_remove(&t->link);
    if (last) {
        size_t slot = (size_t)(neighbour - wheel.slots);
        wheel.occupied[slot / SLOTS] &= ~(UINT64_C(1) << slot % SLOTS);
    }
}

/* Moves all timers of a slot to an empty ring, and clears its bit. */
static void take_slot(unsigned slot, struct list *into)
{
    struct list *from = &wheel.slots[slot];

    list_init(into);
    if (!list_empty(from)) {
        *into = *from;
        into->next->prev = into->prev->next = into;
        list_init(from);
    }
    wheel.occupied[slot / SLOTS] &= ~(UINT64_C(1) << slot % SLOTS);
}

/* The next occupied slot of the wheel and when it comes up; false if there is none. */
static bool next_slot(unsigned *slot, uint64_t *time)
{
    for (unsigned level = 0; level < LEVELS; level++) {
        uint64_t bits = wheel.occupied[level];
        if (!bits)
            continue;
        /* The last level has four slots, and is the one whose digits may wrap. */
        unsigned shift = level * DIGIT_BITS, mask = level == LEVELS - 1 ? 3 : SLOTS - 1;
        unsigned digit = (unsigned)(wheel.now >> shift) & mask;
        uint64_t ahead = bits >> digit;
        unsigned steps = (unsigned)__builtin_ctzll(ahead ? ahead : bits << (mask + 1 - digit));
        *slot = level * SLOTS + ((digit + steps) & mask);
        *time = ((wheel.now >> shift) + steps) << shift;
        return true;
    }
    return false;
}

/* The slot has come up: its timers are due, or have a later time of their own. */
static void work_off(unsigned slot)
{
    struct list timers;

    take_slot(slot, &timers);
    for (struct list *node; (node = list_pop(&timers));) {
        struct timer *t = CONTAINER(node, struct timer, link);
        t->slot_time = t->deadline;
        place(t);
    }
}

static void advance(uint64_t now)
{
    unsigned slot;
    uint64_t time;

    while (next_slot(&slot, &time) && time <= now) {
        wheel.now = time;
        work_off(slot);
    }
    if (now > wheel.now)
        wheel.now = now;
}

void timer_set(struct timer *t, uint64_t ms)
{
    if (!wheel.ready)
        prepare();
    if (clock_ms() - wheel.now > longest_step)
        advance(clock_ms());
    uint64_t deadline = clock_ms() + (ms < TIMER_MAX ? ms : TIMER_MAX);
    t->deadline = (uint32_t)deadline;
    if (timer_armed(t)) {
        if ((int32_t)(t->deadline - t->slot_time) >= 0)
            return;
        unlink_timer(t);
    }
    bool too_far = deadline > wheel.now + longest;
    t->slot_time = too_far ? (uint32_t)(wheel.now + longest) : t->deadline;
    place(t);
}

void timer_cancel(struct timer *t)
{
    if (timer_armed(t))
        unlink_timer(t);
}

int timer_next(void)
{
    unsigned slot;
    uint64_t time;

    if (!wheel.ready)
        return -1;
    if (wheel.occupied[LEVELS])
        return 0;
    if (!next_slot(&slot, &time))
        return -1;
    return time > clock_ms() ? (int)(time - clock_ms()) : 0;
}

/* Whether a timer that came up was given a new deadline since.  Without that it is due, however
 * long ago its time was. */
static bool moved_later(const struct timer *t)
{
    return t->deadline != t->slot_time && (int32_t)(t->deadline - (uint32_t)wheel.now) > 0;
}

void timer_expire_due(void)
{
    if (!wheel.ready)
        return;
    advance(clock_ms());
    if (!wheel.occupied[LEVELS])
        return;
    take_slot(DUE, &wheel.slots[RUNNING]);
    for (struct list *node; (node = list_pop(&wheel.slots[RUNNING]));) {
        struct timer *t = CONTAINER(node, struct timer, link);
        if (moved_later(t)) {
            t->slot_time = t->deadline;
            place(t);
        } else {
            t->on_expire(t);
        }
    }
}

void timer_reset_all(void)
{
    for (unsigned i = 0; wheel.ready && i < ALL_SLOTS; i++) {
        while (list_pop(&wheel.slots[i]))
            continue;
    }
    for (unsigned i = 0; i < WORDS; i++)
        wheel.occupied[i] = 0;
    wheel.ready = false;
}

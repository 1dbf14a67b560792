/*
 * timer: deadlines in a hierarchical wheel of milliseconds.  Setting, moving and cancelling cost
 * O(1); moving a deadline later only notes it and moves the timer when its old slot comes up.
 *
 * Time is clock_ms(), as the loop last read it.  Not for use by more than one thread.
 */
#ifndef EVENT_TIMER_H
#define EVENT_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct timer;
typedef void timer_handler(struct timer *t);

struct timer {
    struct list link;      /* in its slot */
    timer_handler *on_expire;
    uint32_t deadline;     /* low 32 bits of clock_ms(): spans stay below 2^31 ms */
    uint32_t slot_time;    /* when the slot that it is in comes up */
};

enum { TIMER_MAX = 24 * 86400 * 1000 };   /* ms: the longest span, 24 days */

static inline void timer_init(struct timer *t, timer_handler *on_expire)
{
    *t = (struct timer){ .on_expire = on_expire };
    list_init(&t->link);
}

static inline bool timer_armed(const struct timer *t)
{
    return !list_empty(&t->link);
}

/* Arms or moves: on_expire is called once, `ms` from now (clock_ms) or a turn later.  What is
 * beyond TIMER_MAX counts as TIMER_MAX. */
void timer_set(struct timer *t, uint64_t ms);
void timer_cancel(struct timer *t);

/* For the loop: ms until the next slot that holds a timer (0: due now), -1 if there is none. */
int timer_next(void);
/* For the loop: calls what is due; what becomes due by that (timer_set(t, 0)) is for the next
 * turn. */
void timer_expire_due(void);
/* After fork: forgets every timer; all are unarmed then. */
void timer_reset_all(void);

#endif

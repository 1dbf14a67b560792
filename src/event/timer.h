/*
 * timer: deadlines in a hierarchical wheel of milliseconds.  Setting, moving and cancelling cost
 * O(1); moving a deadline later only notes it and moves the timer when its old slot comes up.
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

static inline void timer_init(struct timer *t, timer_handler *on_expire)
{
    list_init(&t->link);
    t->on_expire = on_expire;
}

static inline bool timer_armed(const struct timer *t)
{
    return !list_empty(&t->link);
}

/* Arms or moves: on_expire is called once, `ms` from now (clock_ms) or a turn later.  At most 24 days. */
void timer_set(struct timer *t, uint64_t ms);
void timer_cancel(struct timer *t);

/* For the loop: ms until the next slot that holds a timer (0: due now), -1 if there is none. */
int timer_next(void);
/* For the loop: calls what is due. */
void timer_expire_due(void);
void timer_reset_all(void);   /* after fork: forgets every timer */

#endif

/*
 * loop: the process's one event loop.  A turn reads as a list: wait, hand out what became ready, run
 * what was posted, expire timers, and last free what was closed during the turn.
 *
 * A watch is registered once, edge-triggered for both directions, and stays so until it is removed:
 * `ready` remembers what the kernel said until the owner has used it up (a call gave EAGAIN or less
 * than was asked) and clears the bit.  The level-triggered backends (poll, select) wait for just the
 * bits that are not set, so that every backend means the same.
 *
 * Not for use by other threads, but for loop_wake().
 */
#ifndef EVENT_LOOP_H
#define EVENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

enum ready {
    READY_READ = 1,        /* there may be something to read or accept, or the end */
    READY_WRITE = 2,       /* there may be room to write, or a connect has ended */
    READY_EOF = 4,         /* the peer will send no more (what it sent is still to be read) */
    READY_ERROR = 8,       /* the descriptor has failed: the next call says how */
};

struct watch;

/* Set when the watch is made, never swapped: one entry for an object, which looks at its own state. */
typedef void watch_handler(struct watch *w);

struct watch {
    watch_handler *on_event;
    struct list posted;    /* in the loop's queue of calls for this turn */
    int fd;                /* -1 when there is none */
    uint8_t ready;         /* enum ready: not used up yet */
    bool added;            /* registered with the kernel */
    bool level;            /* a listening socket: level-triggered, reading only, wakes one process */
};

/* `method` is a name of `use`, or NULL for the best there is.  false: errno and a line in the log. */
bool loop_init(const char *method, unsigned max_descriptors);
void loop_fini(void);
/* After fork: the child's loop starts anew, with nothing registered. */
bool loop_after_fork(void);
const char *loop_method(void);
/* Whether `method` is one this build has. */
bool loop_has_method(const char *method);

static inline void watch_init(struct watch *w, int fd, watch_handler *on_event)
{
    *w = (struct watch){ .on_event = on_event, .fd = fd };
    list_init(&w->posted);
}

/* Registers for both directions, edge-triggered (or as `level` says).  false: errno. */
bool loop_add(struct watch *w);
/* Unregisters; does not close the descriptor.  No handler is called for it any more, not even for
 * events that the kernel has already handed over this turn. */
void loop_remove(struct watch *w);
/* Calls the handler later in this turn (or in the next without waiting, if the queue is being run). */
void loop_post(struct watch *w);

/* Something to be freed when the turn ends, so that no callback finds its own object gone. */
struct deferred {
    struct list link;
    void (*release)(struct deferred *d);
};
void loop_defer(struct deferred *d, void (*release)(struct deferred *d));

/* One turn: waits for at most `max_wait` ms (-1: as long as the next timer allows). */
void loop_turn(int max_wait);
/* Makes a waiting loop return: safe in a signal handler and in another thread. */
void loop_wake(void);
/* timer_resolution: the clock is read at most every `ms` milliseconds (0: every turn). */
void loop_set_resolution(unsigned ms);

#endif

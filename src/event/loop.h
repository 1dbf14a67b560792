/*
 * loop: the process's one event loop.  A turn reads as a list: wait, hand out what became ready,
 * expire timers, run what was posted meanwhile, and last free what was closed during the turn.
 *
 * A watch is registered once, edge-triggered for both directions, and stays so until it is removed:
 * `ready` remembers what the kernel said until the owner has used it up (a call gave EAGAIN or less
 * than was asked) and clears the bit.  The level-triggered backends (poll, select) wait for just
 * the bits that are not set, so that every backend means the same.
 *
 * Not for use by other threads, but for loop_wake().
 */
#ifndef EVENT_LOOP_H
#define EVENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

/* Hints: a bit says that a call is worth its while, and the call says what is so.  Only READ and
 * WRITE are certain to come; select tells EOF and ERROR by them alone.  With EOF set no more
 * READ comes: read until the end; who finds the end by reading sets EOF. */
enum ready {
    READY_READ = 1,        /* there may be something to read or accept, or the end */
    READY_WRITE = 2,       /* there may be room to write, or a connect has ended */
    READY_EOF = 4,         /* the peer will send no more (what it sent is still to be read) */
    READY_ERROR = 8,       /* the descriptor has failed, the next call says how; READ, WRITE too */
};

struct watch;

/* Set when the watch is made, never swapped: one entry for an object, which looks at its own
 * state. */
typedef void watch_handler(struct watch *w);

struct watch {
    watch_handler *on_event;
    struct list posted;    /* in the loop's queue of calls for this turn */
    int fd;                /* -1 when there is none */
    uint8_t ready;         /* enum ready: not used up yet */
    bool added;            /* registered with the kernel */
    bool level;            /* listening socket: level-triggered, reading only, one process wakes */
};

/* `method` is a name of `use`, or NULL for the best there is.  false: errno and a line in the
 * log. */
bool loop_init(const char *method, unsigned max_descriptors);
void loop_fini(void);   /* does nothing where there is no loop */
/* After fork: the child's loop starts anew, with nothing registered, posted or armed.  Watches that
 * were registered are the parent's: the child does not use them again before watch_init().  true
 * also where there was no loop; after false there is none. */
bool loop_after_fork(void);
const char *loop_method(void);
/* Whether `method` is one this build has. */
bool loop_has_method(const char *method);

static inline void watch_init(struct watch *w, int fd, watch_handler *on_event)
{
    *w = (struct watch){ .on_event = on_event, .fd = fd };
    list_init(&w->posted);
}

/* Registers for both directions, edge-triggered (or as `level` says).  false: errno, and for EMFILE
 * (too large a descriptor for this method) a line in the log. */
bool loop_add(struct watch *w);
/* Unregisters; does not close the descriptor.  No handler is called for it any more, not even for
 * events that the kernel has already handed over this turn: its memory may be freed at once. */
void loop_remove(struct watch *w);
/* The same, and closes the descriptor (fd is -1 then).  With epoll this saves a call, and therefore
 * needs a descriptor that no other process shares. */
void loop_close(struct watch *w);
/* Calls the handler later in this turn (or in the next without waiting, if the queue is being
 * run). */
void loop_post(struct watch *w);

/* Something to be freed when the turn ends, so that no callback finds its own object gone. */
struct deferred {
    struct list link;
    void (*release)(struct deferred *d);
};
/* Once for an object; in the order of the calls. */
void loop_defer(struct deferred *d, void (*release)(struct deferred *d));

/* One turn: waits for at most `max_wait` ms (-1: as long as the next timer allows), less after a
 * signal.  Reads the clock after waiting. */
void loop_turn(int max_wait);
/* Makes a waiting loop return: safe in a signal handler and in another thread. */
void loop_wake(void);
/* timer_resolution: while there is work, the cached time moves in steps of at least `ms`
 * milliseconds (0: every turn). */
void loop_set_resolution(unsigned ms);

#endif

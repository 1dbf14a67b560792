/*
 * queue: requests that wait for a peer of their group, in the order in which they came, until one can be
 * had or the time is over.  Of this worker: what other workers free is seen a little later.
 */
#ifndef UPSTREAM_QUEUE_H
#define UPSTREAM_QUEUE_H

#include "base/list.h"
#include "config/directive.h"
#include "event/timer.h"

struct pick;
struct upstream;

/* A request's place in a queue: part of its pick. */
struct queue_place {
    struct list link;
    uint64_t since, until;             /* clock_ms() */
    bool waits;
    void (*wake)(void *owner);         /* it has a peer now, or the time is over */
    void *owner;
};

struct queue {
    unsigned max;                      /* requests */
    uint64_t timeout;                  /* ms */
    /* changes while the generation is in use: */
    struct list waiting;
    unsigned count;
    struct timer timer;                /* while somebody waits */
};

/* `max` and `timeout` are set. */
void queue_init(struct queue *q);
/* Waits from now on.  false: there is no queue, or it is full. */
bool queue_join(struct pick *p, void (*wake)(void *owner), void *owner);
void queue_leave(struct pick *p);
/* A peer has become free, perhaps. */
void queue_serve(struct upstream *u);

extern struct module http_upstream_queue_module;

#endif

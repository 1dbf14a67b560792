/*
 * backend: what a method of waiting (epoll, kqueue, poll, select) gives to the loop.  It knows
 * descriptors and readiness, and nothing of timers or handlers' meaning.
 */
#ifndef EVENT_BACKEND_H
#define EVENT_BACKEND_H

#include "event/loop.h"

struct backend {
    const char *name;
    /* Both also serve a process that was just forked: fini() gives up what the parent goes on
     * using. */
    bool (*init)(unsigned max_descriptors);
    void (*fini)(void);
    bool (*add)(struct watch *w);
    /* `closing`: the descriptor is closed right after. */
    void (*remove)(struct watch *w, bool closing);
    /* Waits at most `timeout` ms (-1: no limit), calls loop_ready() for what came; false: errno. */
    bool (*wait)(int timeout);
};

/* For backends: adds `bits` to w->ready and queues its handler. */
void loop_ready(struct watch *w, unsigned bits);

/* The backends of this build, the best first, ended by NULL (made by configure's choice of
 * files). */
extern const struct backend *const backends[];

#endif

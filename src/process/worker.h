/*
 * worker: a process that serves: it has no rights but its user's, and does what the master's
 * messages and signals say.
 */
#ifndef PROCESS_WORKER_H
#define PROCESS_WORKER_H

struct generation;

/* What a worker is born with.  The generation's sockets are in sockets.h's table. */
struct worker_start {
    struct generation *generation;
    unsigned ordinal;                  /* 0 to the number of workers */
    unsigned slot;                     /* in the shared memory */
    int channel;
};

/* In the child, after fork, with signals blocked.  Never returns. */
_Noreturn void worker_main(const struct worker_start *start);

#endif

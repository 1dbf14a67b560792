/*
 * threads: pools of threads for calls that may block (opening and reading cold files, hashing
 * passwords).  A task's work() runs in a thread and may touch nothing but the task; its done() runs
 * in the loop afterwards.
 */
#ifndef EVENT_THREADS_H
#define EVENT_THREADS_H

#include <stdbool.h>

#include "base/list.h"
#include "base/str.h"

struct task {
    void (*work)(struct task *t);
    void (*done)(struct task *t);
    struct list link;
};

struct thread_pool;

/* The pool of that name in this process, its threads started on first use; a pool that exists is given
 * its new sizes.  NULL (logged): no thread could be started. */
struct thread_pool *threads_pool(struct str name, unsigned threads, unsigned max_queue);
/* false: the queue is full; nothing was queued. */
bool threads_post(struct thread_pool *pool, struct task *t);
/* Tasks posted whose done() has not run yet, over all pools. */
unsigned threads_pending(void);
/* Ends all threads after the work in hand. */
void threads_fini(void);

#endif

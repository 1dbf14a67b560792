/*
 * threads: pools of threads for calls that may block (opening and reading cold files, hashing
 * passwords).  A task's work() runs in a thread and may touch nothing but the task; its done() runs
 * in the loop afterwards.  All signals are blocked in the threads.
 *
 * But for work(), all of it belongs to the loop's thread.
 */
#ifndef EVENT_THREADS_H
#define EVENT_THREADS_H

#include <stdbool.h>

#include "base/list.h"
#include "base/str.h"

/* The task is its owner's until it is posted, and again from when done() is called. */
struct task {
    void (*work)(struct task *t);
    void (*done)(struct task *t);
    struct list link;
};

struct thread_pool;

/* The pool of that name in this process, its threads started here; a pool that exists is given
 * its new sizes.  `threads` is at least 1; at most `max_queue` tasks wait for a thread.  NULL
 * (logged): no thread could be started.  Needs a loop that runs. */
struct thread_pool *threads_pool(struct str name, unsigned threads, unsigned max_queue);
/* false: the queue is full; nothing was queued. */
bool threads_post(struct thread_pool *pool, struct task *t);
/* Tasks posted whose done() has not run yet, over all pools. */
unsigned threads_pending(void);
/* Ends all threads after the work in hand, and frees the pools.  done() is not called any more,
 * neither of tasks that waited nor of those just done: wait for threads_pending() to reach 0
 * where that matters. */
void threads_fini(void);
/* In a child, which has none of its parent's threads, after loop_after_fork(): forgets all
 * pools. */
void threads_after_fork(void);

#endif

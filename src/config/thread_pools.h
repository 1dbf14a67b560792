/*
 * thread_pools: the directive thread_pool: which pools of threads there are, for every protocol.
 */
#ifndef CONFIG_THREAD_POOLS_H
#define CONFIG_THREAD_POOLS_H

#include "config/directive.h"

struct generation;

struct pool_conf {
    struct str name;
    unsigned threads, max_queue;
};

extern struct module thread_pools_module;

/* The pool of that name: for threads_pool() of event/threads.h.  "default" is always there; NULL:
 * none has that name. */
const struct pool_conf *thread_pools_find(const struct generation *g, struct str name);

#endif

/*
 * limits: what a worker is allowed, and who it is: user, processors, priority, descriptors, core
 * files.
 */
#ifndef PROCESS_LIMITS_H
#define PROCESS_LIMITS_H

#include "process/process_conf.h"

/* In a worker that was just forked: everything, and gives up the master's rights for good.  false
 * (logged): the worker cannot run. */
bool limits_enter(const struct process_conf *conf, const struct generation *g, unsigned ordinal);
/* In a worker that goes on with a new generation: what can change in a running process. */
void limits_change(const struct generation *g, unsigned ordinal);
/* For the master: makes sure of that many descriptors, as far as it is allowed. */
void limits_make_room(unsigned descriptors);
/* Whether the workers of the one cannot become those of the other. */
bool limits_need_new_workers(const struct generation *old, const struct generation *new);

/* How many workers: worker_processes, or what `auto` comes to here. */
unsigned limits_workers(const struct process_conf *conf);
/* The user whom workers will be, where the master is root: looks up the default's names.  false
 * (logged): there is no such user. */
bool limits_find_user(const struct process_conf *conf, struct worker_user *user);

/* The environment of workers: TZ, what `env` lines name.  In place of the process's own. */
void limits_set_environment(const struct process_conf *conf);

#endif

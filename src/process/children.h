/*
 * children: the workers as the master sees them: starting, handing generations over, replacing,
 * starting again where one has died, and ending them.
 */
#ifndef PROCESS_CHILDREN_H
#define PROCESS_CHILDREN_H

#include "config/generation.h"

/* `settled` is called when every worker serves the newest generation; `swept` when the number of
 * the oldest generation that any worker holds may have changed. */
void children_init(void (*settled)(void), void (*swept)(void));
/* `count` workers for `g`: starts those that are missing, lets go of those that are too many. */
void children_start(struct generation *g, unsigned count);
/* The same after a reload: workers that are there get `g` by the bundle. */
void children_adopt(struct generation *g, unsigned count, int bundle);
/* The same where no worker can go on: each is replaced, and quits when the new one serves. */
void children_replace(struct generation *g, unsigned count);
/* Workers take the log files of `g`, which were opened anew. */
void children_reopen(const struct generation *g);

/* No worker is started again from here on (until children_start()). */
void children_stop_respawning(void);
/* To all of them. */
void children_signal(int signal);
/* Asks every worker to quit. */
void children_quit(void);
/* SIGCHLD: a process has ended.  false: it was no worker. */
bool children_ended(int pid, int status);

/* Processes that are running. */
unsigned children_running(void);
/* Number of the oldest generation that a worker holds; UINT_MAX: there is no worker. */
unsigned children_oldest(void);

#endif

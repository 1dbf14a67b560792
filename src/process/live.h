/*
 * live: the generations that this process still holds, and what they hold open: log files and
 * shared zones.  Listening sockets are elsewhere: they belong to no single generation.
 */
#ifndef PROCESS_LIVE_H
#define PROCESS_LIVE_H

#include "config/generation.h"

/* Keeps track of `g` until it is freed, and closes its log files then. */
void live_track(struct generation *g);
/* Called when the number below has changed. */
void live_on_change(void (*changed)(unsigned oldest));
/* The number of the oldest generation here; 0: there is none. */
unsigned live_oldest(void);
/* After fork: of what the parent holds, only `kept` counts here. */
void live_after_fork(const struct generation *kept);

/* ---- log files ---- */

/* Opens all files of `g`; one that cannot be opened is a warning, and its lines are dropped. */
void live_open_logs(struct generation *g);
/* File `index` of the generation of that number, opened anew elsewhere: takes the place of the open
 * one there, and in every other generation that writes to the same path.  Owns fd. */
void live_replace_log(unsigned number, unsigned index, int fd);
/* Where the process has no terminal: what is written to stderr goes to the first file of `log`. */
void live_point_stderr(const struct log *log);

#endif

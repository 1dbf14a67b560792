/*
 * master: the process that reads the configuration, holds what only it may open, and looks after
 * the workers.
 */
#ifndef PROCESS_MASTER_H
#define PROCESS_MASTER_H

#include "config/generation.h"
#include "process/options.h"

/* Until it is told to end; gives the process's exit code.  `g` is open and committed; takes it
 * over. `background`: there is no terminal. */
int master_run(const struct options *o, struct generation *g, bool background);

#endif

/*
 * single: master_process off: one process that does everything, for development and `weir serve`.
 */
#ifndef PROCESS_SINGLE_H
#define PROCESS_SINGLE_H

#include "config/generation.h"
#include "process/options.h"

/* Until it is told to end; gives the process's exit code.  `g` is open and committed; takes it
 * over. */
int single_run(const struct options *o, struct generation *g);

#endif

/*
 * upgrade: starting a new binary beside the running one, which hands its listening sockets on.
 */
#ifndef PROCESS_UPGRADE_H
#define PROCESS_UPGRADE_H

#include <sys/types.h>

#include "process/options.h"

/* Runs argv[0] again as a child.  -1 (logged): it could not be started. */
pid_t upgrade_start(const struct options *o);

#endif

/*
 * start: from the options to a running server.
 */
#ifndef PROCESS_START_H
#define PROCESS_START_H

#include "process/options.h"

/* Reads the configuration, opens all that it needs, and serves until told to end.  Gives the exit
 * code. */
int start_server(const struct options *o);

#endif

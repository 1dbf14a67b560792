/*
 * serving: what a process does that serves connections, be it a worker or the only process: the
 * generation that new requests use, the listeners, and the way to the end.
 */
#ifndef PROCESS_SERVING_H
#define PROCESS_SERVING_H

#include "config/generation.h"
#include "process/sockets.h"

/* The loop runs. `slot` is of shared.h. */
void serving_init(unsigned ordinal, unsigned slot);
/* `g` counts for new requests from now on, and `places` are its sockets, in order; takes over the
 * reference and the descriptors.  false (logged): nothing has changed, all stays the caller's. */
bool serving_use(struct generation *g, struct socket_place *places);
/* No new connections; those that are open end with their request. */
void serving_quit(void);
/* Everything has ended. */
bool serving_done(void);
/* Says in the log when the turn of the loop that has just ended took long. */
void serving_note_stall(void);
/* Frees all, for the end of the process.  false (logged): all connections are closed, and still
 * something holds a generation. */
bool serving_fini(void);
struct generation *serving_generation(void);

#endif

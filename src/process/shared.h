/*
 * shared: the small memory that all processes of one master share from the start: the connections'
 * counter, and a slot of counts for each worker.
 */
#ifndef PROCESS_SHARED_H
#define PROCESS_SHARED_H

#include <stdbool.h>

/* Before the first fork.  false: errno. */
bool shared_init(void);
/* A slot that no worker has; SHARED_NO_SLOT if all are taken. */
unsigned shared_take_slot(void);
/* Its worker is gone. */
void shared_give_slot(unsigned slot);
/* A process counts in `slot` from now on, among about `workers` of its like. */
void shared_use(unsigned slot, unsigned workers);
/* The worker of that slot accepts no longer (or again): others do not leave connections to it. */
void shared_set_accepting(unsigned slot, bool on);

enum { SHARED_SLOTS = 1024, SHARED_NO_SLOT = SHARED_SLOTS };

#endif

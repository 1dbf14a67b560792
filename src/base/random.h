/*
 * random: unpredictable bytes, from the system, a block at a time.  Not for use by more than one thread.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *space, size_t size);
/* A number below `limit`, which is at least 1; all equally likely, as near as makes no difference. */
uint32_t random_below(uint32_t limit);
/* After fork: the child draws its own. */
void random_after_fork(void);

#endif

/*
 * scratch: large pieces of working memory of filters (states of compression, buffers), kept by the
 * worker when they are given back, so that in the steady state nobody asks the system for them.
 */
#ifndef HTTP_MODULES_SCRATCH_H
#define HTTP_MODULES_SCRATCH_H

#include <stddef.h>

/* At least `size` bytes, aligned as by malloc, not cleared; NULL: memory is short. */
void *scratch_take(size_t size);
/* NULL is allowed. */
void scratch_give(void *memory);

#endif

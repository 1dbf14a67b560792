/*
 * zone: memory that all processes share, mapped at one address in each of them, so that pointers
 * inside mean the same everywhere.  The master reserves an arena of address space before it forks,
 * and places the zones in it; a worker maps what it is told.  A zone has a lock that no dying
 * process leaves locked, and a small allocator.
 *
 * A zone's memory may be written by processes with fewer rights: the master sets a fresh zone up,
 * and reads nothing from it afterwards.
 */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum { ZONE_MIN_SIZE = 32768 };        /* bytes: eight pages, as nginx asks for */

struct zone;

/* Sets up a fresh zone, with the lock held: allocates the user's struct and hands it to
 * zone_set_root(). false: it does not fit. */
typedef bool zone_init(struct zone *z, void *data);

/* ---- the master ---- */

/* Reserves address space; once, before the first fork.  Gives its size in bytes; 0: errno. */
size_t zone_reserve(void);
/* A new zone of at least `size` bytes, mapped here.  Its descriptor goes to *fd, for the other
 * processes.  NULL: errno (ENOMEM where the reserved space is used up). */
struct zone *zone_create(size_t size, int *fd);
/* Unmaps, and gives the address space free: no other process has it mapped any more. */
void zone_destroy(struct zone *z, size_t size);

/* ---- a worker ---- */

/* Maps the zone of descriptor `fd` at the address where the master has it.  false: errno. */
bool zone_map(struct zone *at, size_t size, int fd);
/* Unmaps; the address stays reserved. */
void zone_unmap(struct zone *z, size_t size);

/* ---- everyone ---- */

/* What a zone is set up with when its content was lost (in this process's memory). */
void zone_set_init(struct zone *z, zone_init *init, void *data);

/*
 * Locks.  Where a process died inside the lock, the content may be half written: the zone is
 * emptied, its epoch counts up, and the init function runs before the call returns.  Who keeps
 * pointers into a zone between locks compares the epoch first.
 */
void zone_lock(struct zone *z);
void zone_unlock(struct zone *z);
unsigned zone_epoch(const struct zone *z);

/* The user's struct; NULL while none was set. */
void *zone_root(const struct zone *z);
void zone_set_root(struct zone *z, void *root);

/* With the lock held.  NULL: no room is left, the caller evicts something and tries again.  Aligned
 * to 16 bytes, not cleared. */
void *zone_alloc(struct zone *z, size_t size);
void zone_free(struct zone *z, void *p);
/* Bytes in pages that nothing uses. */
size_t zone_free_bytes(const struct zone *z);
size_t zone_size(const struct zone *z);

#endif

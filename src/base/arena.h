/*
 * arena: memory that is given back all at once.
 *
 * An arena takes chunks from a pool that the process shares, and returns them there, so that in the
 * steady state a request costs no call of malloc.  Memory is refused at the door: whoever takes on
 * new work asks chunk_reserve() first; the small allocations that follow draw on that reserve and
 * cannot fail.  What a peer can size goes through arena_try_alloc(), which can.
 *
 * Not for use by more than one thread: the pool belongs to the loop's thread.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum {
    CHUNK_SIZE = 4096,     /* bytes of a pooled chunk, its header included */
    ARENA_ALIGN = 8,
    ARENA_BLOCK = 256 * 1024,
};

struct chunk;

struct arena {
    char *at, *end;        /* free bytes of the newest chunk */
    struct chunk *chunks;  /* pooled ones or blocks, the newest first */
    struct chunk *large;   /* single allocations that no chunk could hold */
    bool blocks;           /* takes ARENA_BLOCK bytes at a time from the system */
};

/* Makes sure that `count` chunks can be had without asking the system; false if memory is short. */
bool chunk_reserve(unsigned count);
/* Gives back to the system what the pool holds beyond `count` chunks. */
void chunk_trim(unsigned count);
/* A single chunk of CHUNK_SIZE bytes for other uses (buffers); NULL if memory is short. */
void *chunk_take(void);
void chunk_give(void *chunk);

/* Takes no memory yet. */
void arena_init(struct arena *a);
/* The same for what is large and lives long (a generation): takes blocks rather than chunks, and gives
 * them back to the system, not to the pool. */
void arena_init_blocks(struct arena *a);
/* Frees all that was allocated from it; the arena is empty then and may be used again. */
void arena_fini(struct arena *a);

/* `size` bytes, aligned to ARENA_ALIGN, not cleared.  Ends the process if memory is gone in spite of
 * the reserve: for sizes that the program itself decides. */
void *arena_alloc(struct arena *a, size_t size);
/* The same, cleared. */
void *arena_zalloc(struct arena *a, size_t size);
/* For sizes that a peer or a person decides: NULL if memory is short. */
void *arena_try_alloc(struct arena *a, size_t size);

#define ARENA_NEW(a, type) ((type *)arena_zalloc((a), sizeof(type)))
#define ARENA_NEW_ARRAY(a, type, count) ((type *)arena_zalloc((a), sizeof(type) * (count)))

/* A copy that ends in NUL (not counted in len). */
struct str arena_str(struct arena *a, struct str s);
/* a followed by b, ending in NUL. */
struct str arena_concat(struct arena *a, struct str first, struct str second);
/* Formatted text that ends in NUL. */
struct str arena_printf(struct arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct str arena_vprintf(struct arena *a, const char *format, va_list args);

#endif

/*
 * array: a growing array in an arena, typed by a macro.
 *
 *     ARRAY(struct str) names = { 0 };
 *     *ARRAY_PUSH(&names, arena) = STR("x");
 *     for (unsigned i = 0; i < names.count; i++) use(names.items[i]);
 *
 * Growing moves the items and leaves the old ones to the arena: do not keep pointers to items while
 * pushing.
 */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include "base/arena.h"

#define ARRAY(type)                                                                                \
    struct {                                                                                       \
        type *items;                                                                               \
        unsigned count, room;                                                                      \
    }

/* A pointer to a new, cleared item at the end. */
#define ARRAY_PUSH(array, arena)                                                                   \
    ((array)->count == (array)->room                                                               \
         ? (void)((array)->items = array_grow((arena), (array)->items, (array)->count,             \
                                              &(array)->room, sizeof *(array)->items))             \
         : (void)0,                                                                                \
     memset(&(array)->items[(array)->count], 0, sizeof *(array)->items),                           \
     &(array)->items[(array)->count++])

static inline void *array_grow(struct arena *a, const void *items, unsigned count, unsigned *room,
                               size_t size)
{
    unsigned more = *room ? *room * 2 : 4;
    void *moved = arena_alloc(a, more * size);

    if (count)
        memcpy(moved, items, count * size);
    *room = more;
    return moved;
}

#endif

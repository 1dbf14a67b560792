/*
 * buffer: bytes read from a client that are not used up yet.  Its usual size is a chunk of the pool;
 * larger ones are for long heads.
 */
#ifndef HTTP_BUFFER_H
#define HTTP_BUFFER_H

#include <stdlib.h>

#include "base/arena.h"

struct buffer {
    struct buffer *next;               /* older ones that texts of the request still point into */
    char *at, *end;                    /* bytes read and not used */
    size_t size;                       /* of data */
    char data[];
};

enum { BUFFER_SIZE = CHUNK_SIZE - (int)sizeof(struct buffer) };

/* At least `size` bytes; NULL if memory is short. */
static inline struct buffer *buffer_new(size_t size)
{
    bool pooled = size <= BUFFER_SIZE;
    struct buffer *b = pooled ? chunk_take() : malloc(sizeof *b + size);

    if (b) {
        b->next = NULL;
        b->at = b->end = b->data;
        b->size = pooled ? (size_t)BUFFER_SIZE : size;
    }
    return b;
}

static inline void buffer_free(struct buffer *b)
{
    if (b && b->size == BUFFER_SIZE)
        chunk_give(b);
    else
        free(b);
}

static inline size_t buffer_len(const struct buffer *b)
{
    return (size_t)(b->end - b->at);
}

static inline size_t buffer_room(const struct buffer *b)
{
    return (size_t)(b->data + b->size - b->end);
}

#endif

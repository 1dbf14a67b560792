/*
 * byte_queue: bytes that come in at one end and go out at the other, in one block of the heap that
 * grows as it must and is given back when the queue has run empty.  How long it may become is the
 * user's to bound.
 */
#ifndef BASE_BYTE_QUEUE_H
#define BASE_BYTE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct byte_queue {
    char *data;            /* NULL: none */
    size_t at, end;        /* of what is in it */
    size_t size;           /* of the block */
};

static inline size_t byte_queue_len(const struct byte_queue *q)
{
    return q->end - q->at;
}

static inline struct str byte_queue_str(const struct byte_queue *q)
{
    return q->data ? (struct str){ q->data + q->at, q->end - q->at } : (struct str){ NULL, 0 };
}

/* Room for `len` bytes behind the last one, which byte_queue_added() then makes part of the queue.
 * NULL: memory is short. */
char *byte_queue_room(struct byte_queue *q, size_t len);
static inline void byte_queue_added(struct byte_queue *q, size_t len)
{
    q->end += len;
}

/* false: memory is short, and nothing was added. */
bool byte_queue_put(struct byte_queue *q, const void *data, size_t len);
/* The first `len` bytes are done with; the last of all gives the block back. */
void byte_queue_drop(struct byte_queue *q, size_t len);
void byte_queue_fini(struct byte_queue *q);

#endif

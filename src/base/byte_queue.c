/*
 * byte_queue: see byte_queue.h.  Bytes move to the block's start when there is no room behind them and
 * more before them than they are themselves: so each is moved a bounded number of times.
 */
#include "base/byte_queue.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST_SIZE = 1024 };

char *byte_queue_room(struct byte_queue *q, size_t len)
{
    size_t used = byte_queue_len(q);

    if (q->data && q->size - q->end >= len)
        return q->data + q->end;
    if (q->data && q->at >= used && q->size - used >= len) {
        memmove(q->data, q->data + q->at, used);
    } else {
        size_t size = q->size ? q->size : LEAST_SIZE;
        while (size - used < len)
            size *= 2;
        char *larger = malloc(size);
        if (!larger)
            return NULL;
        if (used)
            memcpy(larger, q->data + q->at, used);
        free(q->data);
        q->data = larger;
        q->size = size;
    }
    q->at = 0;
    q->end = used;
    return q->data + q->end;
}

bool byte_queue_put(struct byte_queue *q, const void *data, size_t len)
{
    char *room = byte_queue_room(q, len);

    if (!room)
        return false;
    memcpy(room, data, len);
    q->end += len;
    return true;
}

void byte_queue_drop(struct byte_queue *q, size_t len)
{
    q->at += len;
    if (q->at == q->end)
        byte_queue_fini(q);
}

void byte_queue_fini(struct byte_queue *q)
{
    free(q->data);
    *q = (struct byte_queue){ 0 };
}

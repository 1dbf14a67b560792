/*
 * window: memory that a peer's bytes pass through.  Those that are given back are kept for the next
 * user, so that none of them costs a call of malloc.
 */
#ifndef HTTP_PROXY_WINDOW_H
#define HTTP_PROXY_WINDOW_H

#include <stddef.h>

struct window {
    struct window *next;               /* of those that are kept */
    size_t size;                       /* of space */
    char space[];
};

/* NULL: memory is short. */
struct window *window_take(size_t size);
/* NULL is nothing. */
void window_give(struct window *w);

#endif

/*
 * window: see window.h.
 */
#include "http/proxy/window.h"

#include <stdlib.h>

enum { WINDOWS_KEPT = 64 };

static struct window *kept;
static unsigned kept_count;

struct window *window_take(size_t size)
{
    for (struct window **at = &kept; *at; at = &(*at)->next) {
        struct window *w = *at;
        if (w->size != size)
            continue;
        *at = w->next;
        kept_count--;
        return w;
    }
    struct window *w = malloc(sizeof *w + size);
    if (w)
        w->size = size;
    return w;
}

void window_give(struct window *w)
{
    if (!w || kept_count == WINDOWS_KEPT) {
        free(w);
        return;
    }
    w->next = kept;
    kept = w;
    kept_count++;
}

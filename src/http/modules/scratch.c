/*
 * scratch: see scratch.h.  Sizes are rounded up to a power of two or three quarters of one; each such
 * class has a list of free pieces.  For the loop's thread alone.
 */
#include "http/modules/scratch.h"

#include <stdalign.h>
#include <stdlib.h>

enum {
    SMALLEST = 4096,
    CLASSES = 24,                      /* up to 12 MiB; larger pieces are not kept */
    KEPT_BYTES = 16 << 20,             /* of all free pieces together */
};

struct piece {
    struct piece *next;
    unsigned class;
    alignas(max_align_t) char data[];
};

static struct piece *free_pieces[CLASSES];
static size_t kept;

static size_t class_size(unsigned class)
{
    size_t power = (size_t)SMALLEST << (class + 1) / 2;

    return class % 2 ? power / 4 * 3 : power;
}

static unsigned class_of(size_t size)
{
    unsigned class = 0;

    while (class < CLASSES && class_size(class) < size)
        class++;
    return class;
}

void *scratch_take(size_t size)
{
    unsigned class = class_of(size);
    struct piece *p = class < CLASSES ? free_pieces[class] : NULL;

    if (p) {
        free_pieces[class] = p->next;
        kept -= class_size(class);
        return p->data;
    }
    p = malloc(sizeof *p + (class < CLASSES ? class_size(class) : size));
    if (!p)
        return NULL;
    p->class = class;
    return p->data;
}

void scratch_give(void *memory)
{
    if (!memory)
        return;
    struct piece *p = (struct piece *)(void *)((char *)memory - offsetof(struct piece, data));
    if (p->class == CLASSES || kept + class_size(p->class) > KEPT_BYTES) {
        free(p);
        return;
    }
    p->next = free_pieces[p->class];
    free_pieces[p->class] = p;
    kept += class_size(p->class);
}

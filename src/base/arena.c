/*
 * arena: see arena.h.
 */
#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

struct chunk {
    struct chunk *next;
};

enum {
    LARGE = CHUNK_SIZE / 2,            /* from this size on an allocation stands alone */
    POOL_MAX = 1024,                   /* chunks that are kept; a wave's memory goes back to the system */
};

static struct chunk *pool;
static unsigned pooled;

static _Noreturn void out_of_memory(size_t size)
{
    fprintf(stderr, "weir: out of memory: %zu bytes could not be had\n", size);
    abort();
}

bool chunk_reserve(unsigned count)
{
    while (pooled < count) {
        void *fresh = malloc(CHUNK_SIZE);
        if (!fresh)
            return false;
        chunk_give(fresh);
    }
    return true;
}

void chunk_trim(unsigned count)
{
    while (pooled > count) {
        struct chunk *c = pool;
        pool = c->next;
        pooled--;
        free(c);
    }
}

void *chunk_take(void)
{
    struct chunk *c = pool;

    if (!c)
        return malloc(CHUNK_SIZE);
    pool = c->next;
    pooled--;
    return c;
}

void chunk_give(void *chunk)
{
    struct chunk *c = chunk;

    if (pooled >= POOL_MAX) {
        free(c);
        return;
    }
    c->next = pool;
    pool = c;
    pooled++;
}

void arena_init(struct arena *a)
{
    *a = (struct arena){ 0 };
}

void arena_init_blocks(struct arena *a)
{
    *a = (struct arena){ .blocks = true };
}

void arena_fini(struct arena *a)
{
    for (struct chunk *c = a->chunks, *next; c; c = next) {
        next = c->next;
        if (a->blocks)
            munmap(c, ARENA_BLOCK);
        else
            chunk_give(c);
    }
    for (struct chunk *c = a->large, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    *a = (struct arena){ .blocks = a->blocks };
}

static size_t aligned(size_t size)
{
    return (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
}

static void *alloc_large(struct arena *a, size_t size)
{
    if (size > SIZE_MAX - sizeof(struct chunk))
        return NULL;
    struct chunk *c = malloc(sizeof *c + size);
    if (!c)
        return NULL;
    c->next = a->large;
    a->large = c;
    return c + 1;
}

/* A fresh chunk or block to allocate from; false: memory is short. */
static bool add_chunk(struct arena *a)
{
    size_t size = a->blocks ? ARENA_BLOCK : CHUNK_SIZE;
    struct chunk *c;

    if (a->blocks) {
        c = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (c == MAP_FAILED)
            return false;
    } else if (!(c = chunk_take()))
        return false;
    c->next = a->chunks;
    a->chunks = c;
    a->at = (char *)(c + 1);
    a->end = (char *)c + size;
    return true;
}

void *arena_try_alloc(struct arena *a, size_t size)
{
    if (size >= (a->blocks ? ARENA_BLOCK / 8 : LARGE))
        return alloc_large(a, size);
    size = aligned(size ? size : 1);
    if ((size_t)(a->end - a->at) < size && !add_chunk(a))
        return NULL;
    void *p = a->at;
    a->at += size;
    return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
    void *p = arena_try_alloc(a, size);

    if (!p)
        out_of_memory(size);
    return p;
}

void *arena_zalloc(struct arena *a, size_t size)
{
    return memset(arena_alloc(a, size), 0, size);
}

struct str arena_concat(struct arena *a, struct str first, struct str second)
{
    char *p = arena_alloc(a, first.len + second.len + 1);

    if (first.len)
        memcpy(p, first.data, first.len);
    if (second.len)
        memcpy(p + first.len, second.data, second.len);
    p[first.len + second.len] = '\0';
    return (struct str){ p, first.len + second.len };
}

struct str arena_str(struct arena *a, struct str s)
{
    return arena_concat(a, s, (struct str){ NULL, 0 });
}

struct str arena_vprintf(struct arena *a, const char *format, va_list args)
{
    char small[256];
    va_list again;

    va_copy(again, args);
    int len = vsnprintf(small, sizeof small, format, args);
    if (len < 0)
        len = 0;
    char *p = arena_alloc(a, (size_t)len + 1);
    vsnprintf(p, (size_t)len + 1, format, again);
    va_end(again);
    return (struct str){ p, (size_t)len };
}

struct str arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    struct str s = arena_vprintf(a, format, args);
    va_end(args);
    return s;
}

/*
 * generation: see generation.h.
 */
#include "config/generation.h"

struct generation *generation_new(void)
{
    static unsigned numbers;
    struct arena a;

    arena_init_blocks(&a);
    struct generation *g = ARENA_NEW(&a, struct generation);
    g->arena = a;
    g->references = 1;
    g->number = ++numbers;
    return g;
}

void generation_unref(struct generation *g)
{
    if (!g || --g->references > 0)
        return;
    log_settle_all();
    for (struct cleanup *c = g->cleanups; c; c = c->next)
        c->run(c->data);
    struct arena a = g->arena;
    arena_fini(&a);
}

/* The slot of that path, or the free one where it belongs. */
static unsigned *log_slot(struct generation *g, struct str path)
{
    unsigned i = str_hash(path) & (g->log_slot_count - 1);

    while (g->log_slots[i] && !str_eq(g->log_files.items[g->log_slots[i] - 1]->path, path))
        i = (i + 1) & (g->log_slot_count - 1);
    return &g->log_slots[i];
}

/* Keeps half of the slots free. */
static void grow_log_slots(struct generation *g)
{
    g->log_slot_count = g->log_slot_count ? g->log_slot_count * 2 : 16;
    g->log_slots = ARENA_NEW_ARRAY(&g->arena, unsigned, g->log_slot_count);
    for (unsigned i = 0; i < g->log_files.count; i++)
        *log_slot(g, g->log_files.items[i]->path) = i + 1;
}

struct log_file *generation_log_file(struct generation *g, struct str path)
{
    if (g->log_files.count * 2 >= g->log_slot_count)
        grow_log_slots(g);
    unsigned *slot = log_slot(g, path);
    if (*slot)
        return g->log_files.items[*slot - 1];
    struct log_file *f = ARENA_NEW(&g->arena, struct log_file);
    f->fd = -1;
    f->path = arena_str(&g->arena, path);
    *ARRAY_PUSH(&g->log_files, &g->arena) = f;
    *slot = g->log_files.count;
    return f;
}

void generation_temp_folder(struct generation *g, struct str path)
{
    for (unsigned i = 0; i < g->temp_folders.count; i++) {
        if (str_eq(g->temp_folders.items[i], path))
            return;
    }
    *ARRAY_PUSH(&g->temp_folders, &g->arena) = arena_str(&g->arena, path);
}

void generation_cleanup(struct generation *g, void (*run)(void *data), void *data)
{
    struct cleanup *c = ARENA_NEW(&g->arena, struct cleanup);

    *c = (struct cleanup){ g->cleanups, run, data };
    g->cleanups = c;
}

void generation_on_use(struct generation *g, void (*run)(void *data), void *data)
{
    struct cleanup **end = &g->starts;

    while (*end)
        end = &(*end)->next;
    *end = ARENA_NEW(&g->arena, struct cleanup);
    **end = (struct cleanup){ NULL, run, data };
}

void generation_use(struct generation *g)
{
    for (const struct cleanup *c = g->starts; c; c = c->next)
        c->run(c->data);
}

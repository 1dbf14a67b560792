/*
 * generation: see generation.h.
 */
#include "config/generation.h"

struct generation *generation_new(void)
{
    static unsigned numbers;
    struct arena a;

    arena_init(&a);
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

struct log_file *generation_log_file(struct generation *g, struct str path)
{
    for (unsigned i = 0; i < g->log_files.count; i++) {
        if (str_eq(g->log_files.items[i]->path, path))
            return g->log_files.items[i];
    }
    struct log_file *f = ARENA_NEW(&g->arena, struct log_file);
    f->fd = -1;
    f->path = arena_str(&g->arena, path);
    *ARRAY_PUSH(&g->log_files, &g->arena) = f;
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

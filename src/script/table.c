/*
 * table: see table.h.  Open addressing with linear probing, at most three quarters full.
 */
#include "script/table.h"

void table_init(struct table *t, struct arena *a, bool nocase)
{
    *t = (struct table){ .arena = a, .nocase = nocase };
}

/* FNV's low bits alone tell similar keys apart badly. */
static uint32_t table_mix(uint32_t hash)
{
    return hash ^ hash >> 15;
}

struct table_entry *table_find(const struct table *t, uint32_t hash, struct str key)
{
    if (t->mask == 0)
        return NULL;
    for (uint32_t i = table_mix(hash) & t->mask; t->index[i]; i = (i + 1) & t->mask) {
        struct table_entry *e = &t->items[t->index[i] - 1];

        if (e->hash == hash && e->len == key.len &&
            (t->nocase ? str_eq_nocase(table_key(e), key) : str_eq(table_key(e), key)))
            return e;
    }
    return NULL;
}

static void table_point(struct table *t, unsigned place)
{
    uint32_t i = table_mix(t->items[place].hash) & t->mask;

    while (t->index[i])
        i = (i + 1) & t->mask;
    t->index[i] = place + 1;
}

/* The old index is left to the arena: all of them together are smaller than the last one. */
static void table_grow_index(struct table *t)
{
    t->mask = t->mask ? t->mask * 2 + 1 : 15;
    t->index = ARENA_NEW_ARRAY(t->arena, uint32_t, (size_t)t->mask + 1);
    for (unsigned i = 0; i < t->count; i++)
        table_point(t, i);
}

void table_add(struct table *t, uint32_t hash, struct str key, void *value)
{
    if (t->mask == 0 || t->count >= t->mask / 4 * 3)
        table_grow_index(t);
    *ARRAY_PUSH(t, t->arena) = (struct table_entry){
        .key = key.data, .len = (uint32_t)key.len, .hash = hash, .value = value,
    };
    table_point(t, t->count - 1);
}

/*
 * table: texts and what each stands for, in order of adding, with a hash index.  It grows in an arena,
 * forgets nothing, and leaves the hash to its user, who may compute it while reading (hostnames.c).
 * What is reachable from a configuration only: keys come from a person, never from a peer.
 */
#ifndef SCRIPT_TABLE_H
#define SCRIPT_TABLE_H

#include "base/array.h"

struct table_entry {
    const char *key;
    uint32_t len, hash;
    void *value;           /* never NULL */
};

struct table {
    struct arena *arena;
    struct table_entry *items;         /* in order of adding */
    unsigned count, room;
    uint32_t *index;       /* 1 + place in `items`, or 0; `mask` + 1 of them */
    unsigned mask;         /* 0: no index yet */
    bool nocase;           /* keys are compared without regard to case */
};

void table_init(struct table *t, struct arena *a, bool nocase);
/* NULL: it is not there. */
struct table_entry *table_find(const struct table *t, uint32_t hash, struct str key);
/* Adds a key that is not there.  The key's bytes are the caller's to keep. */
void table_add(struct table *t, uint32_t hash, struct str key, void *value);

static inline struct str table_key(const struct table_entry *e)
{
    return (struct str){ e->key, e->len };
}

#endif

/*
 * zone_table: see zone_table.h.  Chains of a fixed number of buckets, and one list from the entry
 * used last to the oldest.
 */
#include "base/zone_table.h"

#include "base/list.h"
#include "base/random.h"

struct entry {
    struct entry *next;                /* in its bucket */
    struct list used;
    uint32_t hash;
    uint32_t len;                      /* of the key, which stands behind the data */
    char data[];
};

struct zone_table {
    struct list used;                  /* the one used last stands first */
    size_t size;                       /* of the data, rounded up */
    void *extra;                       /* the user's */
    uint32_t seed;                     /* of the hash: peers choose keys, and must not know buckets */
    unsigned count, mask;
    struct entry *buckets[];
};

static struct zone_table *table_of(const struct zone *z)
{
    return zone_root(z);
}

static struct entry *entry_of(void *data)
{
    return (struct entry *)(void *)((char *)data - offsetof(struct entry, data));
}

bool zone_table_init(struct zone *z, size_t size)
{
    size_t buckets = 64;

    while (buckets * 512 < zone_size(z))       /* as many as there may be entries, more or less */
        buckets *= 2;
    struct zone_table *t = zone_alloc(z, sizeof *t + buckets * sizeof(struct entry *));
    if (!t)
        return false;
    memset(t, 0, sizeof *t + buckets * sizeof(struct entry *));
    list_init(&t->used);
    t->size = (size + 15) & ~(size_t)15;
    t->mask = (unsigned)buckets - 1;
    random_bytes(&t->seed, sizeof t->seed);
    zone_set_root(z, t);
    return true;
}

/* Each byte is mixed in full before the next one comes, so that texts that collide for one seed do not
 * for another. */
static uint32_t hash_of(const struct zone_table *t, struct str key)
{
    uint32_t h = t->seed;

    for (size_t i = 0; i < key.len; i++) {
        h = (h ^ (unsigned char)key.data[i]) * UINT32_C(0x9e3779b1);
        h ^= h >> 15;
    }
    return h;
}

static struct entry **bucket_of(struct zone_table *t, uint32_t hash)
{
    return &t->buckets[(hash ^ hash >> 16) & t->mask];
}

void *zone_table_find(struct zone *z, struct str key)
{
    struct zone_table *t = table_of(z);
    uint32_t hash = hash_of(t, key);

    for (struct entry *e = *bucket_of(t, hash); e; e = e->next) {
        if (e->hash == hash && e->len == key.len &&
            memcmp(e->data + t->size, key.data, key.len) == 0) {
            list_remove(&e->used);
            list_push_front(&t->used, &e->used);
            return e->data;
        }
    }
    return NULL;
}

static void drop(struct zone *z, struct entry *e)
{
    struct zone_table *t = table_of(z);
    struct entry **link = bucket_of(t, e->hash);

    while (*link != e)
        link = &(*link)->next;
    *link = e->next;
    list_remove(&e->used);
    t->count--;
    zone_free(z, e);
}

/* Drops the oldest entry that may go, looking at a few.  false: none of them may. */
static bool make_room(struct zone *z, bool (*can_go)(const void *data))
{
    struct zone_table *t = table_of(z);
    struct list *node = t->used.prev;

    for (unsigned tries = 0; node != &t->used && tries < 64; tries++, node = node->prev) {
        struct entry *e = CONTAINER(node, struct entry, used);
        if (!can_go || can_go(e->data)) {
            drop(z, e);
            return true;
        }
    }
    return false;
}

void *zone_table_add(struct zone *z, struct str key, bool (*can_go)(const void *data))
{
    struct zone_table *t = table_of(z);
    struct entry *e;

    if (key.len > zone_size(z) / 16)           /* would put most others out for one */
        return NULL;
    while (!(e = zone_alloc(z, sizeof *e + t->size + key.len))) {
        if (!make_room(z, can_go))
            return NULL;
    }
    e->hash = hash_of(t, key);
    e->len = (uint32_t)key.len;
    memset(e->data, 0, t->size);
    memcpy(e->data + t->size, key.data, key.len);
    list_init(&e->used);
    list_push_front(&t->used, &e->used);
    struct entry **bucket = bucket_of(t, e->hash);
    e->next = *bucket;
    *bucket = e;
    t->count++;
    return e->data;
}

void zone_table_remove(struct zone *z, void *data)
{
    drop(z, entry_of(data));
}

void *zone_table_oldest(struct zone *z)
{
    struct zone_table *t = table_of(z);

    return list_empty(&t->used) ? NULL : CONTAINER(t->used.prev, struct entry, used)->data;
}

unsigned zone_table_count(const struct zone *z)
{
    return table_of(z)->count;
}

void **zone_table_extra(struct zone *z)
{
    return &table_of(z)->extra;
}

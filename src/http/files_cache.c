/*
 * files_cache: see files_cache.h.  Opens no files.
 */
#include "http/files_cache.h"

#include <stdlib.h>

#include "base/clock.h"
#include "event/timer.h"

enum {
    MEMORY_MAX = 64 << 20,             /* bytes of files that a worker keeps, over all its caches */
    SLOTS_MIN = 64,
    USE_STEP = 1000,                   /* ms: uses that are nearer are not told apart */
};

struct files_cache {
    struct files_cache *next;
    struct open_cache_conf conf;
    struct file_entry **slots;
    size_t slot_count;                 /* a power of two */
    unsigned count;
    struct list used;                  /* the first was used longest ago */
    struct timer timer;                /* looks for entries that nobody uses */
};

static struct files_cache *caches;
static size_t memory;                  /* bytes kept by all entries in caches */

/* ---- hashing ---- */

static inline uint64_t mix(uint64_t h)
{
    h *= 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

/* Eight bytes at a time; different in every process, so that collisions can't be prepared. */
uint64_t files_cache_hash(struct str path)
{
    static uint64_t seed;
    uint64_t word;

    if (seed == 0)
        seed = mix((uint64_t)(uintptr_t)&word ^ mix(clock_ms() ^ (uint64_t)(uintptr_t)&caches)) | 1;
    uint64_t h = seed ^ path.len;
    while (path.len >= sizeof word) {
        memcpy(&word, path.data, sizeof word);
        h = mix(h ^ word);
        path = str_from(path, sizeof word);
    }
    word = 0;
    memcpy(&word, path.data, path.len);
    return mix(mix(h ^ word));
}

static struct file_entry **slot_of(const struct files_cache *c, uint64_t hash)
{
    return &c->slots[(hash >> 20) & (c->slot_count - 1)];
}

static bool grow(struct files_cache *c)
{
    size_t old_count = c->slot_count;
    struct file_entry **old = c->slots;
    struct file_entry **slots = calloc(old_count ? old_count * 2 : SLOTS_MIN, sizeof *slots);

    if (!slots)
        return false;
    c->slots = slots;
    c->slot_count = old_count ? old_count * 2 : SLOTS_MIN;
    for (size_t i = 0; i < old_count; i++) {
        for (struct file_entry *e = old[i], *next; e; e = next) {
            struct file_entry **slot = slot_of(c, e->hash);
            next = e->next;
            e->next = *slot;
            *slot = e;
        }
    }
    free(old);
    return true;
}

/* ---- entries ---- */

static bool same_way(const struct file_how *a, const struct file_how *b)
{
    return a->symlinks == b->symlinks && a->from == b->from && a->directio == b->directio;
}

struct file_entry *files_cache_find(struct files_cache *c, struct str path, uint64_t hash,
                                    const struct file_how *how)
{
    for (struct file_entry *e = *slot_of(c, hash); e; e = e->next) {
        if (e->hash == hash && str_eq(e->path, path) && same_way(&e->how, how))
            return e;
    }
    return NULL;
}

void files_cache_touch(struct file_entry *e)
{
    e->uses++;
    if (clock_ms() - e->last_use < USE_STEP)
        return;
    e->last_use = clock_ms();
    list_remove(&e->used);
    list_push(&e->cache->used, &e->used);
}

void files_cache_drop(struct file_entry *e)
{
    struct files_cache *c = e->cache;
    struct file_entry **at = slot_of(c, e->hash);

    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    list_remove(&e->used);
    e->cache = NULL;
    c->count--;
    if (e->kept)
        memory -= (size_t)e->file.size;
    file_entry_unref(e);
}

static uint64_t inactive_ms(const struct files_cache *c)
{
    return (uint64_t)c->conf.inactive * 1000;
}

static struct file_entry *oldest(const struct files_cache *c)
{
    return CONTAINER(c->used.next, struct file_entry, used);
}

void files_cache_put(struct files_cache *c, struct file_entry *e, struct str path, uint64_t hash,
                     const struct file_how *how)
{
    struct file_entry *old = files_cache_find(c, path, hash, how);
    char *copy = malloc(path.len + 1);

    if (old)
        files_cache_drop(old);
    if (!copy || (c->count >= c->slot_count && !grow(c))) {
        free(copy);
        return;
    }
    while (c->count >= c->conf.max)
        files_cache_drop(oldest(c));
    memcpy(copy, path.data, path.len);
    copy[path.len] = '\0';
    e->path = (struct str){ copy, path.len };
    e->hash = hash;
    e->how = *how;
    e->cache = c;
    e->checked = e->last_use = clock_ms();
    e->next = *slot_of(c, hash);
    *slot_of(c, hash) = e;
    list_push(&c->used, &e->used);
    c->count++;
    if (e->kept)
        memory += (size_t)e->file.size;
    e->references++;
    if (!timer_armed(&c->timer))
        timer_set(&c->timer, inactive_ms(c));
}

bool files_cache_room(void)
{
    return memory + FILES_KEPT <= MEMORY_MAX;
}

/* ---- caches ---- */

/* Entries without a use for `inactive` go; the timer comes again when the next one may be due. */
static void drop_unused(struct timer *t)
{
    struct files_cache *c = CONTAINER(t, struct files_cache, timer);

    while (!list_empty(&c->used)) {
        uint64_t idle = clock_ms() - oldest(c)->last_use;
        if (idle < inactive_ms(c)) {
            timer_set(t, inactive_ms(c) - idle);
            return;
        }
        files_cache_drop(oldest(c));
    }
}

struct files_cache *files_cache_of(const struct open_cache_conf *conf)
{
    struct files_cache *c = caches;

    while (c && (c->conf.max != conf->max || c->conf.inactive != conf->inactive))
        c = c->next;
    if (c)
        return c;
    c = calloc(1, sizeof *c);
    if (!c || !grow(c)) {
        free(c);
        return NULL;
    }
    c->conf = *conf;
    list_init(&c->used);
    timer_init(&c->timer, drop_unused);
    c->next = caches;
    caches = c;
    return c;
}

void files_cache_fini(void)
{
    struct files_cache *next;

    for (struct files_cache *c = caches; c; c = next) {
        next = c->next;
        while (!list_empty(&c->used))
            files_cache_drop(oldest(c));
        timer_cancel(&c->timer);
        free(c->slots);
        free(c);
    }
    caches = NULL;
}

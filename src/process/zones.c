/*
 * zones: see zones.h.
 */
#include "process/zones.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

struct entry {
    struct entry *next;
    struct zone_place place;
    struct str name;                   /* empty in a worker that was told of the zone by message */
    const void *tag;
    unsigned last;                     /* number of the newest generation that uses it; 0: none */
};

static struct entry *entries;

static struct entry *find(const struct zone_spec *spec)
{
    for (struct entry *e = entries; e; e = e->next) {
        if (e->tag == spec->tag && e->place.size == spec->size && str_eq(e->name, spec->name))
            return e;
    }
    return NULL;
}

static struct entry *find_zone(const struct zone *z)
{
    struct entry *e = entries;

    while (e && e->place.zone != z)
        e = e->next;
    return e;
}

static struct entry *add(struct zone_place place)
{
    struct entry *e = calloc(1, sizeof *e);

    if (!e)
        return NULL;
    e->place = place;
    e->next = entries;
    entries = e;
    return e;
}

static void drop(struct entry **link)
{
    struct entry *e = *link;

    *link = e->next;
    if (e->place.fd >= 0)
        close(e->place.fd);
    zone_destroy(e->place.zone, e->place.size);
    free((void *)(uintptr_t)e->name.data);
    free(e);
}

static bool set_up(struct zone *z, const struct zone_spec *spec)
{
    bool done;

    if (!spec->init)
        return true;
    zone_lock(z);
    done = spec->init(z, spec->data);
    zone_unlock(z);
    return done;
}

static struct entry *create(const struct zone_spec *spec)
{
    struct zone_place place = { .size = spec->size };
    struct entry *e;

    place.zone = zone_create(spec->size, &place.fd);
    if (!place.zone) {
        log_note(LOG_LEVEL_EMERG, errno, "shared zone \"%.*s\" of %zu bytes could not be made",
                 STR_ARG(spec->name), spec->size);
        return NULL;
    }
    e = add(place);
    if (!e)
        return NULL;
    e->name.data = strndup(spec->name.data, spec->name.len);
    e->name.len = e->name.data ? spec->name.len : 0;
    e->tag = spec->tag;
    if (set_up(place.zone, spec))
        return e;
    log_note(LOG_LEVEL_EMERG, 0, "shared zone \"%.*s\" is too small", STR_ARG(spec->name));
    return NULL;
}

static void attach(struct zone_spec *spec, struct zone *z)
{
    spec->zone = z;
    zone_set_init(z, spec->init, spec->data);
}

bool zones_open(struct generation *g)
{
    for (unsigned i = 0; i < g->zones.count; i++) {
        struct zone_spec *spec = g->zones.items[i];
        struct entry *e = find(spec);

        if (!e)
            e = create(spec);
        if (!e) {
            zones_rollback();
            return false;
        }
        attach(spec, e->place.zone);
    }
    return true;
}

void zones_commit(const struct generation *g)
{
    for (unsigned i = 0; i < g->zones.count; i++)
        find_zone(g->zones.items[i]->zone)->last = g->number;
}

/* What no generation has used yet was made for one that is not going to be used. */
void zones_rollback(void)
{
    struct entry **link = &entries;

    while (*link) {
        if ((*link)->last == 0)
            drop(link);
        else
            link = &(*link)->next;
    }
}

struct zone_place zones_at(const struct generation *g, unsigned i)
{
    return find_zone(g->zones.items[i]->zone)->place;
}

bool zones_attach(struct generation *g, unsigned i, struct zone_place place)
{
    struct entry *e = find_zone(place.zone);

    if (e) {
        close(place.fd);
    } else {
        bool mapped = zone_map(place.zone, place.size, place.fd);

        close(place.fd);
        if (!mapped)
            return false;
        place.fd = -1;
        e = add(place);
    }
    if (!e)
        return false;
    e->last = g->number;
    attach(g->zones.items[i], place.zone);
    return true;
}

void zones_sweep(unsigned oldest)
{
    struct entry **link = &entries;

    while (*link) {
        if ((*link)->last != 0 && (*link)->last < oldest)
            drop(link);
        else
            link = &(*link)->next;
    }
}

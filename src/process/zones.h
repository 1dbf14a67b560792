/*
 * zones: the shared zones of all generations: made by the master, kept over a reload where name,
 * size and use stay the same, mapped by workers, and unmapped when the last generation that knows
 * them is gone everywhere.
 */
#ifndef PROCESS_ZONES_H
#define PROCESS_ZONES_H

#include "base/zone.h"
#include "config/generation.h"

/* A zone as a worker is told of it. */
struct zone_place {
    struct zone *zone;
    size_t size;
    int fd;
};

/* The master: makes what `g` needs and is not there, and attaches all.  false (logged): nothing has
 * changed then. */
bool zones_open(struct generation *g);
void zones_commit(const struct generation *g);
void zones_rollback(void);
/* Of g->zones[i]. */
struct zone_place zones_at(const struct generation *g, unsigned i);

/* A worker: maps place (or knows it already; owns its fd) and attaches it to g->zones[i]. */
bool zones_attach(struct generation *g, unsigned i, struct zone_place place);

/* No process holds a generation older than `oldest`: what only those know is unmapped. */
void zones_sweep(unsigned oldest);

#endif

/*
 * zone_table: texts and something of fixed size for each, in a shared zone.  It never fails for
 * being full: what was used longest ago makes room.  All calls want the zone's lock held.
 */
#ifndef BASE_ZONE_TABLE_H
#define BASE_ZONE_TABLE_H

#include "base/zone.h"

struct zone_table;

enum { ZONE_TABLE_MAX_KEY = 65535 };

/* A new table in a fresh zone, set as its root, for data of `size` bytes.  false: it does not fit. */
bool zone_table_init(struct zone *z, size_t size);

/* The data of a key, which counts as used now; NULL: it is not there. */
void *zone_table_find(struct zone *z, struct str key);
/*
 * New data, cleared, for a key that is not there.  `can_go` says whether an old entry's data may be
 * dropped (NULL: all may).  NULL: there is no room in spite of that.
 */
void *zone_table_add(struct zone *z, struct str key, bool (*can_go)(const void *data));
void zone_table_remove(struct zone *z, void *data);

/* The oldest entry's data; NULL: the table is empty. */
void *zone_table_oldest(struct zone *z);
unsigned zone_table_count(const struct zone *z);

/* A place for one pointer of the user's own into the zone; NULL in a new table. */
void **zone_table_extra(struct zone *z);

#endif

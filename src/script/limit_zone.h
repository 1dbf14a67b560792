/*
 * limit_zone: a shared zone that counts something for each value of a key; the same for requests and
 * connections, in http and stream.
 */
#ifndef SCRIPT_LIMIT_ZONE_H
#define SCRIPT_LIMIT_ZONE_H

#include "base/zone_table.h"
#include "script/template.h"

struct limit_zone {
    struct zone_spec *spec;            /* whose .zone is attached before use */
    struct str name;
    struct template key;
    size_t data_size;
    unsigned rate;                     /* of requests: thousandths a second */
};

/*
 * Defines the zone of a line "key zone=name:size ...": the key is word 1.  `tag` tells uses apart.  NULL
 * after setting_error().
 */
struct limit_zone *limit_zone_define(struct setting *s, unsigned word, struct str name, size_t size,
                                     const void *tag, size_t data_size);
/* One that was defined; NULL after setting_error() at word `word`. */
struct limit_zone *limit_zone_find(struct setting *s, unsigned word, struct str name,
                                   const void *tag);
/*
 * The key's value for this script: false where nothing is to be counted (it is empty, or too long,
 * which is logged).
 */
bool limit_zone_key(const struct limit_zone *z, struct script *s, struct str *key);

#endif

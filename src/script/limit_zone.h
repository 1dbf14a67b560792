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
    size_t data_size;                  /* 0: not defined yet */
    unsigned rate;                     /* of requests: thousandths a second */
    /* The word that first used a zone without a definition so far; while the tree is resolved. */
    const struct node *wanted;
    unsigned wanted_word;
};

/*
 * Defines the zone of a line "key zone=name:size ...": the key is word 1.  `tag` tells uses apart.  NULL
 * after setting_error().
 */
struct limit_zone *limit_zone_define(struct setting *s, unsigned word, struct str name, size_t size,
                                     const void *tag, size_t data_size);
/* The zone of that name, which a later line of the engine's own block may define.  NULL after
 * setting_error() at word `word`. */
struct limit_zone *limit_zone_find(struct setting *s, unsigned word, struct str name,
                                   const void *tag);
/* For a module's finish(): whether all that were used in this block have been defined by now. */
bool limit_zone_all_defined(struct setting *s, const void *tag);
/*
 * The key's value for this script: false where nothing is to be counted (it is empty, or too long,
 * which is logged).
 */
bool limit_zone_key(const struct limit_zone *z, struct script *s, struct str *key);

#endif

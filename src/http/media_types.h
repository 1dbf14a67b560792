/*
 * media_types: the lists of media types whose responses a filter is for: gzip_types, charset_types and
 * their like.  text/html is in each of them, and "*" stands for any.
 */
#ifndef HTTP_MEDIA_TYPES_H
#define HTTP_MEDIA_TYPES_H

#include "config/directive.h"
#include "script/table.h"

struct media_types {
    struct table *table;               /* without regard to case */
    bool any;
};

/* Field struct media_types; the row is marked REPEATS. */
extern const struct type type_media_types;

/* `type` is without parameters; an empty one is in no list. */
bool media_types_have(const struct media_types *t, struct str type);

#endif

/*
 * charset_map: tables from one charset to another and back, and the conversion itself.  Knows nothing of
 * requests.
 */
#ifndef HTTP_MODULES_CHARSET_MAP_H
#define HTTP_MODULES_CHARSET_MAP_H

#include "base/out.h"
#include "config/directive.h"

/* The character of UTF-8 that a byte stands for. */
struct charset_char {
    unsigned char len;
    char bytes[4];
};

/* One block charset_map.  A byte below 128 stands for itself unless a line says otherwise, the others
 * for "?". */
struct charset_map {
    struct str from, to;
    bool utf8;                         /* `to` is UTF-8 */
    unsigned char forth[256], back[256];       /* where it is not */
    struct charset_char chars[256];            /* where it is */
    unsigned char *pages[256];                 /* and back: by code point; NULL, 0: it has no byte */
};

struct charset_maps {
    ARRAY(struct charset_map *) list;
};

/* The block: field struct charset_maps; the row is marked REPEATS and FREE_BLOCK. */
extern const struct type type_charset_map;

enum charset_way {
    CHARSET_BYTES,                     /* a byte for a byte */
    CHARSET_TO_UTF8,
    CHARSET_FROM_UTF8,
};

/* A conversion under way. */
struct charset_recoding {
    const struct charset_map *map;
    const unsigned char *bytes;        /* of CHARSET_BYTES */
    enum charset_way way;
    /* Of CHARSET_FROM_UTF8, a character that has begun: */
    uint32_t code, least;
    unsigned missing;                  /* bytes */
};

/* How to come from one charset to the other; false: there is no table for that. */
bool charset_find(const struct charset_maps *maps, struct str from, struct str to,
                  struct charset_recoding *c);

enum { CHARSET_CHAR_MAX = 16 };        /* bytes that may come out for one that goes in */

/* Converts as much of *in as `o` has room for, with CHARSET_CHAR_MAX bytes to spare at least, and takes
 * that off it.  What UTF-8 can't be is "?", a character without a byte is written as "&#1234;". */
void charset_recode(struct charset_recoding *c, struct str *in, struct out *o);
/* At the end of the text: a character that was cut off is "?". */
void charset_end(struct charset_recoding *c, struct out *o);

#endif

/*
 * location: what a path is served by.  All prefix and exact locations of a level stand in one radix
 * tree that is walked once; regular-expression locations of a level are one set matched in one pass.
 * Precedence is nginx's: exact, then the longest prefix if it is ^~, then the first regular
 * expression, then the longest prefix.
 */
#ifndef HTTP_LOCATION_H
#define HTTP_LOCATION_H

#include "base/array.h"

struct request;
struct block;
struct radix;
struct pattern_set;

enum location_kind {
    LOCATION_SERVER,       /* the server's own level */
    LOCATION_PREFIX,
    LOCATION_PREFIX_FINAL, /* ^~ */
    LOCATION_EXACT,        /* = */
    LOCATION_REGEX,
    LOCATION_NAMED,
    LOCATION_UNNAMED,      /* an `if` or `limit_except` inside another */
};

/* Makes the content of a location's requests: sets r->response and gives a step's result. */
typedef int content_handler(struct request *r);

struct location {
    enum location_kind kind;
    struct str name;                   /* "/images/", without modifier */
    struct block *block;
    void **conf;                       /* the block's structs, by module index */
    uint64_t steps, filters;           /* what is on here */
    content_handler *handler;          /* NULL: a static file */
    unsigned methods;                  /* METHOD_BITs that limit_except leaves alone */
    const struct location *limited;    /* what counts for the others; NULL: nothing is limited */
    bool auto_redirect;                /* a proxied "/x/": "/x" is redirected to it */
    bool internal;
    bool connects;                     /* its handler takes CONNECT; no other one does */
    const struct location *outer;      /* the one that it is nested in; NULL at the server's level */

    struct radix *prefixes;            /* nested prefix and exact locations; NULL: none */
    struct pattern_set *patterns;      /* of nested regular-expression locations; NULL: none */
    ARRAY(struct location *) regexes;  /* in the order of the file, which is the set's */
    ARRAY(struct location *) named;
    ARRAY(struct location *) nested;   /* all of them, in the order of the file */
};

/* The step of the table that finds r->uri's location: STEP_NEXT, or a status (301 for a missing slash). */
int location_find(struct request *r);
/* A named location of the request's server; NULL: none. */
const struct location *location_named(const struct request *r, struct str name);
struct setting;
/* A regular-expression location joins its level; false after setting_error(). */
bool location_add_pattern(struct setting *s, struct location *level, struct location *l,
                          bool caseless);
/* After all locations of a level are known: builds tree and set.  false: mistakes are in diag. */
bool location_build(struct setting *s, struct location *level);

#endif

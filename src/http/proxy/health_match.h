/*
 * health_match: blocks `match`: which responses to a health check are good.
 */
#ifndef HTTP_PROXY_HEALTH_MATCH_H
#define HTTP_PROXY_HEALTH_MATCH_H

#include "config/resolve.h"

struct health_match;
struct script;

/* Of an http block. */
struct health_matches {
    ARRAY(struct health_match *) list;
};

/* "200-399", which counts where no block is named. */
extern const struct health_match health_match_usual;

/* The block of that name, which may come later in the http block; NULL after setting_error(). */
const struct health_match *health_match_use(struct setting *s, unsigned word, struct str name,
                                            struct health_matches *all);
/* A row's open(): the block itself; its lines are the rows below. */
bool health_match_open(struct setting *s, struct health_matches *all);

extern const struct type type_match_status, type_match_header, type_match_body, type_match_require;
                                               /* of the block */

/* Whether there are lines `require`, and whether all of them are true. */
bool health_match_requires(const struct health_match *m);
bool health_match_required(const struct health_match *m, struct script *s);
/* Whether a response's body matters. */
bool health_match_wants_body(const struct health_match *m);
/* NULL: it is good; otherwise what was looked at when it proved bad.  `fields`: the lines behind
 * the status line. */
const char *health_match_head(const struct health_match *m, unsigned status, struct str fields);
const char *health_match_body(const struct health_match *m, struct str body);

#endif

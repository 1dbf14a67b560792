/*
 * conn_count: how many connections (or requests, or sessions) are under way for each value of a key; the
 * same for http and stream.  What a process has counted ends with it, however it ends.
 */
#ifndef SCRIPT_CONN_COUNT_H
#define SCRIPT_CONN_COUNT_H

#include "script/limit_zone.h"

/* A line of limit_conn. */
struct conn_limit {
    const struct limit_zone *zone;
    unsigned max;
};

struct conn_limits {
    ARRAY(struct conn_limit) limits;
};

enum { CONN_LIMITS_MAX = 16 };         /* of one block */

extern const struct type type_conn_limit_zone;     /* limit_conn_zone key zone=name:size: no field */
extern const struct type type_conn_limit;          /* limit_conn name number: struct conn_limits */

/* What one request or session is counted as, to be given back when it ends. */
struct conn_held {
    unsigned count;
    struct {
        struct zone *zone;
        unsigned epoch;
        struct conn_hold *hold;        /* in the zone */
    } items[CONN_LIMITS_MAX];
};

/* Counts in all limits.  NULL: it may go on; otherwise the limit that is reached: nothing is counted. */
const struct conn_limit *conn_count_take(const struct conn_limits *limits, struct script *s,
                                         struct conn_held *held);
void conn_count_give_back(struct conn_held *held);
/* For a module's finish(): whether all zones that were used have been defined by now. */
bool conn_count_all_defined(struct setting *s);

#endif

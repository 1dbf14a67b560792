/*
 * range: parts of a body, RFC 9110 section 14: one range, or several as multipart/byteranges.
 */
#ifndef HTTP_MODULES_RANGE_H
#define HTTP_MODULES_RANGE_H

#include "base/array.h"
#include "http/pipeline.h"

extern const struct http_filter range_filter;

struct range {
    int64_t first, end;                /* bytes first..end-1 */
};

struct ranges {
    ARRAY(struct range) list;
    bool ascending;                    /* and none overlaps another */
};

enum range_result {
    RANGE_OK,
    RANGE_IGNORED,                     /* the whole body is to be sent */
    RANGE_UNSATISFIABLE,               /* 416 */
};

/* Reads the value of Range for a body of `length` bytes; at most `max` ranges.  Memory is in `a`. */
enum range_result range_parse(struct str value, int64_t length, unsigned max, struct arena *a,
                              struct ranges *ranges);

#endif

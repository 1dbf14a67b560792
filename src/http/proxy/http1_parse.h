/*
 * http1_parse: the head of a peer's HTTP/1 response, as pure functions (RFC 9112 sections 4 to 6).
 */
#ifndef HTTP_PROXY_HTTP1_PARSE_H
#define HTTP_PROXY_HTTP1_PARSE_H

#include "base/str.h"

struct http1_status_line {
    unsigned version;                  /* 1000 or 1001 */
    unsigned status;                   /* 100 to 999 */
    struct str text;                   /* "200 OK": the code, and what stands behind it */
};

/* A status line without its end.  false: it is none. */
bool http1_parse_status(struct str line, struct http1_status_line *result);

/* The next line of *in, its end taken off and *in moved behind it.  false: it is not all there. */
bool http1_next_line(struct str *in, struct str *line);

enum http1_field { HTTP1_FIELD, HTTP1_LAST, HTTP1_BAD };
/* A field line, or the empty one behind the last. */
enum http1_field http1_parse_field(struct str line, struct str *name, struct str *value);

#endif

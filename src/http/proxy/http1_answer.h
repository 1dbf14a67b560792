/*
 * http1_answer: a whole small HTTP/1 response in memory, for those who ask a server something of their own
 * (health checks, OCSP): its head, and its body without framing (RFC 9112).  Strict: nothing is guessed.
 * Pure functions; each looks at all that has come so far.
 */
#ifndef HTTP_PROXY_HTTP1_ANSWER_H
#define HTTP_PROXY_HTTP1_ANSWER_H

#include "base/out.h"
#include "http/proxy/http1_parse.h"

enum { HTTP1_ANSWER_HEAD_MAX = 65536 };

enum http1_answer_progress { HTTP1_ANSWER_MORE, HTTP1_ANSWER_GOOD, HTTP1_ANSWER_BAD };

struct http1_answer {
    struct http1_status_line status;
    struct str fields, body;           /* as they came */
    int64_t length;                    /* -1: not said */
    bool chunked, closes;
};

/* The head that is not an interim one. */
enum http1_answer_progress http1_answer_head(struct str in, struct http1_answer *a);
/* The value of its field of that name, the first; data NULL: there is none. */
struct str http1_answer_field(const struct http1_answer *a, struct str name);
/*
 * Its body to `o`, which drops what is too much; `end`: no more will come.  GOOD: all of it is there,
 * *extra: and something behind it.
 */
enum http1_answer_progress http1_answer_body(const struct http1_answer *a, bool end, struct out *o,
                                             bool *extra);
bool http1_answer_is_bodiless(const struct http1_answer *a);

#endif

/*
 * health_request: what variables make of a health check: a request stands in for the client's that there is
 * none of.  It has the location and its server ($host, $hostname, $proxy_host...), and in `require` the answer
 * ($upstream_status, $upstream_http_...); what speaks of a client is empty.
 */
#ifndef HTTP_PROXY_HEALTH_REQUEST_H
#define HTTP_PROXY_HEALTH_REQUEST_H

#include "http/proxy/health_check.h"

enum { HEALTH_BODY_MAX = 256 * 1024 };         /* bytes of a body that conditions see */

/* Where fields go. */
struct health_sink {
    void (*put)(void *to, struct str name, struct str value);
    void *to;
};

/* The probe's fields, Host the first of them: proxy_set_header's, but for those of a connection and those
 * whose value is empty. */
void health_request_fields(const struct http_probe *probe, const struct health_sink *to);
/* Whether a response's head is what the block match wants, with all that it requires; otherwise note->why
 * says what was looked at.  `fields`: lines as they are in HTTP/1. */
bool health_head_is_good(const struct http_probe *probe, unsigned status, struct str fields,
                         struct health_note *note);

#endif

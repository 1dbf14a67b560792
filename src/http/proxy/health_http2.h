/*
 * health_http2: health checks over HTTP/2 (RFC 9113), where the location has "proxy_http_version 2": one request
 * on a connection of its own, and what has come back so far.  Settings are believed to be the usual ones, and
 * nothing is acknowledged: the connection ends with the answer.
 */
#ifndef HTTP_PROXY_HEALTH_HTTP2_H
#define HTTP_PROXY_HEALTH_HTTP2_H

#include "upstream/health.h"

extern const struct health_kind health_http2;  /* conf: a struct http_probe */

#endif

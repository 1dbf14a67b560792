/*
 * http2: HTTP/2 towards a peer (RFC 9113), many requests on one connection.
 */
#ifndef HTTP_PROXY_HTTP2_H
#define HTTP_PROXY_HTTP2_H

#include "http/proxy/exchange.h"

extern const struct exchange_wire http2_wire;

#endif

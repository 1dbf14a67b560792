/*
 * http1: HTTP/1.0 and 1.1 towards a peer.
 */
#ifndef HTTP_PROXY_HTTP1_H
#define HTTP_PROXY_HTTP1_H

#include "http/proxy/exchange.h"

extern const struct exchange_wire http1_wire;

#endif

/*
 * http1: HTTP/1.0 and 1.1 towards a peer.
 */
#ifndef HTTP_PROXY_HTTP1_H
#define HTTP_PROXY_HTTP1_H

#include "http/request.h"

/* The content handler of a location with proxy_pass. */
int http1_handler(struct request *r);
/* $proxy_host, or $proxy_port; data NULL: the request is not passed on. */
struct str http1_target_part(const struct request *r, bool port);

#endif

/*
 * websocket: the handshake of RFC 6455 where one side's version of HTTP has another one (RFC 8441, RFC
 * 9220): inside, a WebSocket is always asked for as in HTTP/1.1.  What it says then is nobody's here.
 */
#ifndef HTTP_WEBSOCKET_H
#define HTTP_WEBSOCKET_H

#include "http/request.h"

/* Adds a Sec-WebSocket-Key to a request, unless it has one (section 4.1). */
void websocket_put_key(struct request *r);
/* Whether the fields of a 101 say that the request has become a WebSocket, by that key (section 4.1). */
bool websocket_accepted(const struct request *r, const struct headers *answer);
/* The client has sent no key, and is told nothing of it. */
void websocket_hide_proof(struct headers *answer);

/* Whether a request has a key; the name of its field. */
bool websocket_has_key(const struct request *r);
bool websocket_is_key(struct str name);
/* The fields of a 101 to a request that has one, where what made the tunnel speaks no HTTP/1.1. */
void websocket_accept(struct request *r);

#endif

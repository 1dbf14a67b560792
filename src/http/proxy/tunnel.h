/*
 * tunnel: behind a 101 (Switching Protocols), or a 200 to CONNECT, both sides talk as they like:
 * bytes go to and fro until one of them ends.
 */
#ifndef HTTP_PROXY_TUNNEL_H
#define HTTP_PROXY_TUNNEL_H

#include "http/proxy/exchange.h"

/* The exchange is the source of what the peer says; what the client says goes to the peer. */
void tunnel_begin(struct exchange *x);
/* The link has something to say. */
void tunnel_ready(struct exchange *x);
/* The client takes nothing now: what it says goes to the peer all the same.  false: it ended. */
bool tunnel_hear(struct exchange *x);
/* All that the peer has said is sent: whether the client goes on, where the wire lets it. */
bool tunnel_lasts(struct exchange *x);

#endif

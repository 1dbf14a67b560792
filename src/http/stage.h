/*
 * stage: a request that no client has sent, for who asks what a configuration would make of one: weir
 * explain, and variables in the probes of health checks.  It has no connection: nothing is read from it,
 * nothing is sent, and nothing may wait.
 */
#ifndef HTTP_STAGE_H
#define HTTP_STAGE_H

#include "http/request.h"
#include "http/v1/v1.h"
#include "net/listen.h"

/* What such a request needs of a connection; cleared at first, and there as long as the request is. */
struct stage {
    struct listener listener;
    struct client client;
    struct transport secure;           /* plain, under another name */
    struct v1 wire;
};

/* A request of `peer` that has come to the listener of `spec`; NULL: memory is short. */
struct request *stage_request(struct stage *s, struct generation *g, struct listen_spec *spec,
                              const struct peer *peer, bool secure);
/* Ends it without a line in the access log. */
void stage_forget(struct request *r);

#endif

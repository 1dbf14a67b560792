/*
 * exchange_resolve: a group that a request's variables name, and nobody knew before: its peers are the
 * addresses of that name, asked for now.
 */
#ifndef HTTP_PROXY_EXCHANGE_RESOLVE_H
#define HTTP_PROXY_EXCHANGE_RESOLVE_H

#include "http/proxy/exchange.h"

/* EXCHANGE_RESOLVE: STEP_WAIT, STEP_NEXT when there are peers, or 502. */
int exchange_resolve(struct exchange *x);
/* The exchange ends, or has its peers. */
void exchange_resolve_end(struct exchange *x);

#endif

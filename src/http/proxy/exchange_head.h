/*
 * exchange_head: what the head of a peer's response means for the client's.
 */
#ifndef HTTP_PROXY_EXCHANGE_HEAD_H
#define HTTP_PROXY_EXCHANGE_HEAD_H

#include "http/proxy/exchange.h"

/* x->head is there: it becomes r->response, or leads to another peer, an error page or another URI.
 *  A step's result. */
int exchange_respond(struct exchange *x);
/* x->head is a 1xx before the response: passed on where that is wanted.  Makes x ready for the
 * next. */
void exchange_interim(struct exchange *x);

#endif

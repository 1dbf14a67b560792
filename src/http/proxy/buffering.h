/*
 * buffering: a peer's response as a source.  What the client takes at once goes through one window
 * of memory; what it can't take yet is read ahead, into the window and then into a temporary file,
 * as far as proxy_buffers and proxy_max_temp_file_size allow.  Beyond that the peer waits.
 */
#ifndef HTTP_PROXY_BUFFERING_H
#define HTTP_PROXY_BUFFERING_H

#include "http/proxy/exchange.h"

/* Behind a response's head: the exchange is the source of the body that follows. */
void buffering_begin(struct exchange *x);
/* The client takes no more now: what the link has said already may be the last word before it does. */
void buffering_go_on(struct exchange *x);
/* The link has something to say. */
void buffering_ready(struct exchange *x);
void buffering_fini(struct exchange *x);

#endif

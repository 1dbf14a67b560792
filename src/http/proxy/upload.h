/*
 * upload: a request on its way to the peer: its head, and the body behind it, from memory, from a
 * file or piece by piece as the client sends it.  Then one piece at a time is in memory, and the
 * client waits while the peer does.
 */
#ifndef HTTP_PROXY_UPLOAD_H
#define HTTP_PROXY_UPLOAD_H

#include "http/proxy/exchange.h"

enum upload {
    UPLOAD_DONE,           /* all of it is sent */
    UPLOAD_WAITS,          /* for the peer, or for the client */
    UPLOAD_FAILED,         /* the peer takes no more: errno */
    UPLOAD_REFUSED,        /* the client's body, or the request, is no good: x->refused is its end */
};

/* Whether the body is to go on as it comes. */
bool upload_streams(const struct exchange *x);
/* Before a try: the body from its start, as far as it is there. */
void upload_start(struct exchange *x);
/* The head has been made: what stands between it and the first piece of the body comes behind
 * it. */
void upload_head_made(struct exchange *x, struct out *o);
/* Sends what can be sent now. */
enum upload upload_run(struct exchange *x);
/* The peer has taken `n` bytes: it is there. */
void upload_note_sent(struct exchange *x, size_t n);
/* Whether bytes of the body are gone that another peer would need. */
bool upload_is_final(const struct exchange *x);

#endif

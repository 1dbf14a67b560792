/*
 * http2_input: the frames that a peer sends over HTTP/2 (RFC 9113 section 6), each checked before anything
 * is done by it.
 */
#ifndef HTTP_PROXY_HTTP2_INPUT_H
#define HTTP_PROXY_HTTP2_INPUT_H

#include <stdbool.h>

struct http2_peer;

/* Takes the next frame off p->in: false where it is not all there, or p->error is set. */
bool http2_input_take(struct http2_peer *p);

#endif

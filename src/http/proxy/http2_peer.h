/*
 * http2_peer: a connection to a peer that speaks HTTP/2 (RFC 9113), shared by many requests at a time.
 * Frames go out here; those that come are http2_input.c's, and what a request sees of all that is
 * http2_stream.c's.  What leaves in one turn of the loop leaves in one call.
 */
#ifndef HTTP_PROXY_HTTP2_PEER_H
#define HTTP_PROXY_HTTP2_PEER_H

#include "base/byte_queue.h"
#include "http/v2/frame.h"
#include "http/v2/hpack.h"
#include "upstream/keepalive.h"

enum {
    HTTP2_OUT_ENOUGH = 65536,          /* bytes to be sent beyond which streams wait */
};

struct http2_peer {
    struct link *link;
    struct list place;                 /* among all of the process */
    struct deferred freed;
    uint32_t group;                    /* these three: who may share it */
    uint32_t key;
    struct address address;
    struct keepalive_conf keepalive;

    struct byte_queue in, out;
    struct hpack_decoder decoder;
    struct byte_queue block;           /* of fields that have not all come */
    uint32_t block_stream;             /* whose it is; 0: none is under way */
    bool block_ends;                   /* with it the stream ends */

    struct list streams, waiting;      /* http2_stream.place; .news of those to be woken */
    unsigned active, most;             /* streams; most that the peer takes */
    uint32_t next_id;
    int64_t send_window;
    int64_t stream_window;             /* what the peer lets a stream begin with */
    uint64_t credit;                   /* bytes that came and were not granted again */
    int error;                         /* of the connection; 0: none */
    bool connected, settled;           /* its settings have come */
    bool tunnels;                      /* it takes extended CONNECT (RFC 8441 section 3) */
    bool idle;                         /* kept when nobody uses it */
    bool goaway, closed;
    bool table_said;                   /* that our table of fields is empty */
};

/* Which connection is wanted. */
struct http2_want {
    uint32_t group;                    /* a hash of its name: groups share no connections */
    const struct address *to;
    uint32_t key;                      /* of the place, as links have it */
    bool fresh;                        /* a new connection in any case */
    const struct keepalive_conf *keepalive;    /* without connections: it is not shared */
    bool idle;                         /* it is kept when nobody uses it */
    const struct link_options *options;
};

/* One that can take a stream more, or a new one; NULL and errno where the connect fails at once. */
struct http2_peer *http2_peer_find(const struct http2_want *want);
/* A stream has come to it, or left it. */
void http2_peer_join(struct http2_peer *p, struct list *place);
void http2_peer_leave(struct http2_peer *p, struct list *place);

/* A frame is to be sent in this turn: its payload's space of `len` bytes.  NULL: memory is short, and the
 * connection is lost by it. */
char *http2_peer_put(struct http2_peer *p, enum frame_type type, uint8_t flags, uint32_t stream, size_t len);
/* The same for RST_STREAM and WINDOW_UPDATE. */
void http2_peer_put_u32(struct http2_peer *p, enum frame_type type, uint32_t stream, uint32_t value);
/* The peer breaks the rules: it is told which, as far as it will listen.  false. */
bool http2_peer_bad(struct http2_peer *p, enum frame_error code, const char *what);

#endif

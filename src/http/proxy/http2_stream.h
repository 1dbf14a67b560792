/*
 * http2_stream: a stream of a connection to a peer that speaks HTTP/2, as a struct link like any other, so
 * that an exchange need not know.  What its bytes mean is agreed upon between here and http2.c:
 *
 * - A request is its start (http2_stream_put_start) and a block of fields (HPACK, without use of the
 *   dynamic table), all in the first span that is sent, and behind it the bytes of the body.
 * - A response is a run of records: a byte of enum http2_record, four of a length, and so many more.
 *   Fields are two bytes of length and the name, four and the value.
 */
#ifndef HTTP_PROXY_HTTP2_STREAM_H
#define HTTP_PROXY_HTTP2_STREAM_H

#include "http/proxy/http2_peer.h"

enum http2_record {
    HTTP2_RECORD_HEAD = 'H',           /* of the response, or of an interim one */
    HTTP2_RECORD_DATA = 'D',
    HTTP2_RECORD_TRAILERS = 'T',
    HTTP2_RECORD_END = 'E',            /* nothing follows */
};

enum { HTTP2_RECORD_SIZE = 5, HTTP2_START_SIZE = 12 };

/* The body's length is not known: it ends with http2_stream_finish(). */
#define HTTP2_UNKNOWN UINT64_MAX
/* The same, of an extended CONNECT: where the peer does not take it, sending fails with EPROTONOSUPPORT. */
#define HTTP2_TUNNEL (UINT64_MAX - 1)

struct http2_stream {
    struct link link;                  /* first */
    struct http2_peer *peer;
    struct list place, news;           /* in its peer's streams, and waiting */
    struct deferred freed;
    uint32_t id;                       /* 0: nothing was sent */
    int64_t send_window, receive_window;
    uint64_t body_left;                /* of the request's */
    struct byte_queue in;              /* records that the user has not taken */
    uint64_t credit;                   /* bytes that came and were not granted again */
    int error;                         /* 0: none */
    bool sent, ended;                  /* our side is at its end, and the peer's */
    bool reset;                        /* the peer has closed it behind its response */
};

/* A stream of a connection there is, or of one that is opened now; NULL and errno where that fails at
 * once.  It has READY_WRITE when the connect has ended well. */
struct link *http2_stream_open(const struct http2_want *want, void (*wake)(void *owner), void *owner);
/* The start of a request: behind it come `block` bytes of fields. */
void http2_stream_put_start(char start[HTTP2_START_SIZE], size_t block, uint64_t body);
/* A body of unknown length is at its end; `trailers`: a block of fields behind it, or nothing. */
void http2_stream_finish(struct link *l, struct str trailers);

/* ---- for the connection ---- */

struct http2_stream *http2_stream_find(const struct http2_peer *p, uint32_t id);
/* The user is to be told; http2_stream_tell() does so. */
void http2_stream_wake(struct http2_stream *s, unsigned ready);
void http2_stream_wake_all(struct http2_peer *p, unsigned ready);
void http2_stream_tell(struct http2_peer *p);
/* A record has come.  Memory that is short is the stream's end. */
void http2_stream_put_record(struct http2_stream *s, enum http2_record type, struct str data);
/* The peer's side is at its end. */
void http2_stream_ends(struct http2_stream *s);
/* Nothing more will come of it. */
void http2_stream_lost(struct http2_stream *s, int error);
/* The same, and the peer is told. */
void http2_stream_reset(struct http2_stream *s, enum frame_error code);
/* Grants the peer what the user has taken, when it is worth while. */
void http2_stream_grant(struct http2_stream *s);

#endif

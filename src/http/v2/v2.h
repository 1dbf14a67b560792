/*
 * v2: HTTP/2 (RFC 9113) on a client's connection, over TLS or in clear: frames in, requests out;
 * responses in, frames out.  What a request keeps for its wire is struct v2_stream; what the
 * connection keeps, struct v2, whose buffers are given back while no stream is open.
 *
 * A turn: read what has come and take its frames (v2_input), run the requests that have something to
 * do (v2_stream), and send what they have queued in one call (v2_output); again, while that moves
 * something.
 */
#ifndef HTTP_V2_V2_H
#define HTTP_V2_V2_H

#include "http/buffer.h"
#include "http/request.h"
#include "http/v2/frame.h"
#include "http/v2/hpack.h"

enum {
    V2_BUCKETS = 16,                   /* of the table of streams; a power of two */
    V2_URGENCIES = 8,                  /* RFC 9218 section 4.1 */
    V2_URGENCY = 3,                    /* of who says nothing */
    V2_EARLY = 8,                      /* priorities kept of streams that are not open yet */
    V2_TURN_BYTES = 512 << 10,         /* sent to one client before others get their turn */
    V2_FRAME_SIZE = 1 << 16,           /* of what the peer sends */
    V2_WINDOW = 1 << 20,               /* bytes of bodies that a connection's peer may send ahead */
    V2_TUNNEL_WINDOW = V2_WINDOW / 4,  /* and of one tunnel */
};

#define V2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

struct http_listen;
struct v2_output;

/* A place in the order (RFC 9218 section 4). */
struct v2_priority {
    uint8_t urgency;                   /* 0 goes first */
    bool incremental;                  /* shares with its equals */
};

/* What PRIORITY_UPDATE said of a stream that is not open yet. */
struct v2_early {
    uint32_t id;                       /* 0: of none */
    struct v2_priority priority;
};

/* A stream (section 5): a request and its place on the connection.  In the request's arena. */
struct v2_stream {
    struct request *request;
    struct v2 *v2;
    struct v2_stream *next;            /* in its bucket */
    struct list all;                   /* in the order in which they were opened */
    struct list run;                   /* among those that have something to do */
    struct list place;                 /* among those that would send, had the connection room */
    struct timer timer;
    uint32_t id;

    /* from the peer */
    struct buffer *body, *body_last;   /* bytes of the body that nobody has read yet */
    uint64_t received;                 /* bytes of the body so far */
    int64_t receive_window;            /* that the peer may still send */
    uint32_t consumed;                 /* bytes read, for which it has not got room again yet */
    uint32_t target;                   /* what its window is kept at */
    bool in_closed;                    /* END_STREAM has come */
    bool bad_body;                     /* not of the length that was announced */
    bool gone;                         /* reset by the peer, or its connection is lost */

    /* to the peer */
    int64_t window;                    /* that may still be sent; may be below 0 (section 6.9.2) */
    unsigned pending;                  /* pieces of the output that point into its source */
    bool started;                      /* its request has been run */
    bool turn;                         /* it is its turn to send, others wait or not */
    bool waits;                        /* the timer is the request's */
    bool head_made, last, out_closed;  /* queued: the head; all of the body; END_STREAM */
    struct v2_priority priority;
    uint64_t resume_ms;                /* limit_rate: not before; 0: no wait */
};

/* A head that comes in several frames (section 4.3). */
struct v2_block {
    char *data;                        /* heap */
    size_t len, room;
    uint32_t stream;                   /* 0: none is under way */
    uint8_t flags;                     /* of its first frame */
};

enum v2_timer { V2_TIMER_NONE, V2_TIMER_IDLE, V2_TIMER_FRAME, V2_TIMER_SEND, V2_TIMER_END };
enum v2_goaway { V2_OPEN, V2_ANNOUNCED, V2_FINAL };

struct v2 {
    struct client *client;
    struct v2_output *output;          /* frames that are not sent yet; NULL: none */
    struct buffer *rest;               /* the beginning of a frame whose end has not come */
    struct v2_block block;
    struct hpack_decoder decoder;
    struct hpack_encoder encoder;

    struct list streams, run;
    struct list waiting[V2_URGENCIES]; /* who would send, by urgency */
    struct list heads;                 /* who has a head to send that there was no room for */
    size_t turn_bytes;                 /* of bodies, queued in this turn */
    struct v2_stream *buckets[V2_BUCKETS];
    unsigned live;                     /* streams */
    uint32_t last_id;                  /* highest that the peer has opened */
    uint32_t late;                     /* a stream whose head took too long */
    uint32_t goaway_id;                /* V2_FINAL: those above are not served */
    uint32_t *resets;                  /* ring of streams that we have reset; NULL: none yet */
    unsigned reset_count;
    struct timer owed_timer;
    uint32_t owed[8];                  /* streams that are answered and will be reset soon */
    unsigned owed_count;

    uint32_t data_stream, data_left;   /* the DATA frame that is coming in */
    uint8_t pad_left, data_flags;
    uint8_t preface_left;
    bool settings_seen;

    int64_t window;                    /* bytes of bodies that may still be sent */
    int64_t receive_window;
    uint32_t consumed;
    uint32_t initial_window, frame_size;       /* the peer's settings */

    struct v2_early early[V2_EARLY];   /* by number */

    int32_t budget;                    /* v2_budget.c */
    uint64_t budget_ms;
    uint64_t announced_ms;

    enum v2_timer timer;
    enum v2_goaway goaway;
    bool unread;                       /* rest has come, and nobody has looked at it */
    bool running;                      /* in v2_run(): who wakes needs no further turn */
    bool moved;                        /* something has been read or sent in this turn */
    bool closing;                      /* after an error of the connection (section 5.4.1) */
    bool lost;                         /* nothing can be sent any more */
};

extern const struct wire v2_wire;
extern struct module http_v2_module;           /* v2_conf */
extern struct module http_v2_location_module;  /* v2_location_conf */

/* Of http and server. */
struct v2_conf {
    bool on;
    size_t preread_size, recv_buffer_size;
    unsigned max_streams;
};

/* Of http, server and location. */
struct v2_location_conf {
    size_t chunk_size;
};

const struct v2_conf *v2_conf(void *const *conf);
size_t v2_chunk_size(void *const *conf);

static inline struct v2_stream *v2_stream_of(const struct request *r)
{
    return r->wire_state;
}

/* ---- v2.c: the connection, as client.c sees it ---- */

/* Whether a listener's clients may speak HTTP/2, by the settings of a server and the `listen`. */
bool v2_enabled(void *const *conf, const struct http_listen *l);
/* HTTP/2 begins on a connection that is idle: after TLS has agreed on "h2" or with a preface in c->in.
 * false: memory is short, and nothing has changed. */
bool v2_begin(struct client *c);
/* A client's first bytes are in c->in: begins where they are a preface. */
enum v2_preface { V2_NO_PREFACE, V2_PREFACE_MORE, V2_BEGUN };
enum v2_preface v2_look(struct client *c);
/* Does what can be done; true: the client's state has changed, and there may be more. */
bool v2_run(struct client *c);
void v2_timeout(struct client *c);
void v2_drain(struct client *c);
void v2_abort(struct client *c);
const void *v2_pin(const struct client *c);
/* The client is let go: streams have ended. */
void v2_free(struct client *c);
/* The worker ends: what connections share is freed. */
void v2_worker_fini(void);

/* An error of the connection: GOAWAY, and all ends (section 5.4.1).  `why` for the log. */
void v2_fail(struct v2 *v, enum frame_error code, const char *why);
/* The peer is gone: requests end unless they go on without it. */
void v2_lose(struct v2 *v);
/* GOAWAY in two steps, so that no stream is lost that the peer opens meanwhile (section 6.8): the first
 * lets it know, the second, when it has answered to that, names the last stream that is served. */
void v2_announce_end(struct v2 *v);
void v2_settle_end(struct v2 *v);

/* ---- v2_budget.c ---- */

/* What a frame costs that is cheap for the peer; what it is worth that a request was served. */
enum {
    V2_COST_PING = 10,
    V2_COST_SETTINGS = 20,             /* and V2_COST_SMALL for each of them */
    V2_COST_RESET = 10,                /* by the peer, or of a stream that was no good */
    V2_COST_EMPTY = 10,                /* a frame without content that could do without */
    V2_COST_SMALL = 1,                 /* WINDOW_UPDATE, PRIORITY, unknown types, a setting */
    V2_WORTH_RESPONSE = 20,
    V2_WORTH_DATA = 2,                 /* of a frame of DATA that was sent: it may be answered */
};

void v2_budget_init(struct v2 *v);
/* false: over it, the connection has failed (ENHANCE_YOUR_CALM). */
bool v2_charge(struct v2 *v, int cost);
void v2_earn(struct v2 *v, int worth);

/* ---- v2_input.c ---- */

/* Reads once and takes the frames: true when there may be more to read. */
bool v2_input(struct v2 *v);
/* The process's space for reading is given back. */
void v2_input_fini(void);

/* ---- v2_head.c ---- */

/* The block of a head is there as a whole. */
void v2_head_complete(struct v2 *v, uint32_t id, uint8_t flags, struct cursor *block);

/* ---- v2_stream.c ---- */

/* NULL: memory is short. */
struct v2_stream *v2_stream_new(struct v2 *v, uint32_t id);
struct v2_stream *v2_stream_find(const struct v2 *v, uint32_t id);
/* The peer has reset it: its request ends at once, where it can. */
void v2_stream_cancel(struct v2_stream *s);
/* It has something to do: its request is run in this turn or the next. */
void v2_stream_wake(struct v2_stream *s);
/* Runs those that have something to do, or may send now. */
void v2_streams_run(struct v2 *v);
/* An error of the stream alone (section 5.4.2). */
void v2_stream_fail(struct v2_stream *s, enum frame_error code, const char *why);
/* Bytes of the body have come.  false: memory is short. */
bool v2_stream_take(struct v2_stream *s, struct str data);
void v2_stream_end_body(struct v2_stream *s);
/* Bytes of a body have been used, or dropped: the peer gets room for others. */
void v2_credit(struct v2 *v, struct v2_stream *s, size_t bytes);
/* Whether we have reset it: frames that were on their way then are no mistake. */
bool v2_was_reset(const struct v2 *v, uint32_t id);
/* The peer has closed a stream that we were about to reset. */
void v2_forget_owed(struct v2 *v, uint32_t id);
void v2_reset(struct v2 *v, uint32_t id, enum frame_error code);
void v2_reset_owed(struct timer *t);

/* ---- v2_priority.c ---- */

/* The value of a `priority` field or of a PRIORITY_UPDATE (RFC 9218 section 4). */
void v2_prioritize(struct v2_stream *s, struct str value);
/* A PRIORITY_UPDATE of a stream that is not open yet: kept until then (section 7.1). */
void v2_priority_early(struct v2 *v, uint32_t id, struct str value);
/* The stream is open: what an early PRIORITY_UPDATE said counts more than its head. */
void v2_priority_begin(struct v2_stream *s);
/* The response's own `priority`: what it says counts more than what the client said (section 8). */
void v2_priority_respond(struct v2_stream *s);
/* It would send, and the connection has no room or window: it gets its turn. */
void v2_stream_queue(struct v2_stream *s);
/* Whether some have not had their turn yet. */
bool v2_streams_wait(const struct v2 *v);
/* Whether one that is more urgent has not had its turn yet. */
bool v2_stream_must_wait(const struct v2_stream *s);

/* ---- v2_description.c ---- */

void v2_put_description(struct v2 *v, struct out *o, const struct response *res);

/* ---- v2_send.c ---- */

int v2_send(struct request *r);
void v2_interim(struct request *r, unsigned status, const struct headers *fields);

#endif

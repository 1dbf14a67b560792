/*
 * exchange: a request passed to a peer, and the peer's response: which peer, how long, whether
 * another one is asked, what the client gets to see.  How messages look on the wire to the peer is
 * behind struct exchange_wire, a file per protocol.
 */
#ifndef HTTP_PROXY_EXCHANGE_H
#define HTTP_PROXY_EXCHANGE_H

#include "http/proxy/exchange_conf.h"
#include "http/request.h"
#include "upstream/balance.h"
#include "upstream/link.h"

struct exchange;

enum head_result {
    HEAD_MORE,             /* it is not all there */
    HEAD_DONE,
    HEAD_INTERIM,          /* one that precedes the response: x->head has it; on with the next */
    HEAD_BAD,              /* logged */
};

struct exchange_wire {
    const char *name;                  /* "http", in logs */
    const char *directives;            /* what their names begin with: "proxy" */
    /* Appends the head of the request.  false: it can't be made (logged).  NULL: the connection
     * itself is all that is wanted, and a tunnel begins where it is there. */
    bool (*put_head)(struct exchange *x, struct out *o);
    /* Around a piece of a body that goes on as it comes: appends what stands before its `len`
     * bytes, gives what stands behind them; `last`: nothing follows.  x->body_length is -1 where it
     * is not known.  NULL: nothing does. */
    struct str (*put_piece)(struct exchange *x, size_t len, bool last, struct out *o);
    /* Behind the last byte of the request; NULL: nothing is to be done. */
    void (*body_sent)(struct exchange *x);
    /* Looks at x->in, takes what it understands. */
    enum head_result (*read_head)(struct exchange *x);
    /* The next run of the body's bytes in `in`: *used bytes of framing stand before it.  Sets
     * x->complete behind the last one.  `in` is empty where the peer has closed.  false:
     * malformed.  Of a tunnel, too; NULL: its bytes are as they come. */
    bool (*next_data)(struct exchange *x, struct str in, size_t *used, struct str *data);
    /* Appends the URI that is asked for, for logs; NULL: there is none. */
    void (*put_uri)(struct exchange *x, struct out *o);
    /* A field's value as the client is to see it. */
    struct str (*rewrite)(struct exchange *x, const struct header *f);
    /* A connection to x->pick.peer, or what stands for one; NULL: link_open() and the pool of idle
     * ones. `fresh`: not one that has served before. */
    struct link *(*open)(struct exchange *x, const struct link_options *options, uint32_t key,
                         bool fresh, void (*wake)(void *owner));
    const struct module *module;       /* whose directives these are */
    size_t state_size;                 /* of x->wire_state */
};

enum exchange_state {
    EXCHANGE_REQUEST,      /* the client's body is being read */
    EXCHANGE_RESOLVE,      /* peers are asked for by a name: exchange_resolve.c */
    EXCHANGE_CONNECT,      /* a peer is to be chosen */
    EXCHANGE_QUEUE,        /* until one can be had: upstream/queue.h */
    EXCHANGE_SEND,         /* the request goes out, the connect perhaps before it */
    EXCHANGE_HEAD,         /* the response's head comes in */
    EXCHANGE_BODY,         /* it is a source now: buffering.c */
    EXCHANGE_TUNNEL,       /* both sides talk as they like: tunnel.c */
    EXCHANGE_ENDED,        /* the peer is let go */
};

/* What $upstream_addr and its like tell of a try. */
struct attempt {
    struct str peer;
    struct str server;                 /* as the line `server` has it */
    unsigned status;                   /* 0: none came */
    bool first;                        /* of its exchange: an internal redirect led to it */
    uint64_t start_ms;
    int64_t queue_ms;                  /* before it; -1: it did not wait */
    int64_t connect_ms, header_ms, response_ms;        /* -1: it did not come so far */
    uint64_t length, received, sent;   /* bytes of the body, and in all */
};

struct attempts {
    ARRAY(struct attempt) list;
};

/* Of a response as it came. */
struct exchange_head {
    unsigned status;
    struct str status_text;            /* "200 OK" */
    struct headers fields;
    int64_t length;                    /* of the body; -1: not known */
    bool keepalive;                    /* the peer's connection may serve again */
    bool upgrade;                      /* a tunnel begins: a 101 that was asked for, or CONNECT */
};

/* What lies between the peer and the client. */
struct exchange_buffer {
    char *at, *end;                    /* bytes read and not taken */
    char *limit;                       /* of the space that end moves in */
};

/* proxy_limit_rate. */
struct exchange_rate {
    uint64_t bytes;                    /* a second; 0: no limit */
    uint64_t taken, start_ms;
    bool pause;                        /* until the link's timer strikes */
};

struct exchange {
    struct source source;              /* first: the response's body */
    struct request *request;
    const struct exchange_wire *wire;
    const struct exchange_conf *conf;
    const void *wire_conf;             /* the wire's directives */
    void *wire_state;                  /* the wire's own */
    enum exchange_state state;
    uint32_t key;                      /* of connections: which place they belong to */
    const struct tls_peer *tls;        /* NULL: peers are spoken to in clear */

    struct pick pick;
    const struct address *local;       /* that connections come from; NULL: as the system chooses */
    bool local_known;
    struct resolve *resolve;           /* of EXCHANGE_RESOLVE */
    struct link *link;
    struct attempts *attempts;
    uint64_t start_ms;
    bool attempted;                    /* a peer has been asked */
    bool needed;                       /* somebody besides the client wants the response */
    bool logs;                         /* a line of exchange_log() is being written */
    unsigned interims;                 /* responses before the one that counts */

    /* the request on its way */
    struct str unsent;                 /* of the head */
    struct str body_text;              /* of its body, in memory */
    struct str body_end;               /* what stands behind that */
    int64_t body_length;               /* of all of it; -1: not known */
    char piece_line[24];               /* what stands before a piece */
    int body_file;                     /* or in this file: -1 for none */
    off_t body_offset;
    uint64_t body_left;
    bool head_sent, request_sent;
    bool streaming;                    /* the body goes on as it comes: upload.c */
    bool deaf;                         /* the peer takes no more of it */
    int refused;                       /* what the request ends with, of UPLOAD_REFUSED */

    /* the response on its way */
    struct exchange_head head;
    struct headers trailers;           /* behind its body */
    struct exchange_buffer in;
    struct exchange_rate rate;
    struct buffer *head_buffer;        /* fields point into it */
    struct window *window, *spare;     /* NULL: not needed so far */
    struct window *current;            /* where `in` is; NULL: head_buffer */
    struct window *held;               /* what the client has bytes of */
    bool bodiless;                     /* none follows whatever the head says (HEAD) */
    bool complete;                     /* the body's end has been seen */
    bool broken;                       /* it will not be */
    bool wanted;                       /* the client could take more */
    bool slow;                         /* it has once been behind */
    bool buffering;
    int file;                          /* where what the client can't take yet goes; -1: none */
    off_t file_at, file_end;           /* its bytes that are not given yet */
    struct tunnel *tunnel;             /* of EXCHANGE_TUNNEL */
};

/*
 * The content handler's work: goes on with the request's exchange.  exchange_begin() before the
 * first call; `u` NULL: none could be found (502).
 */
struct exchange *exchange_begin(struct request *r, const struct exchange_wire *wire,
                                const struct exchange_conf *conf, struct upstream *u);
int exchange_run(struct exchange *x);
/* Whether the exchange is the one under way, not one that an internal redirect left behind. */
static inline bool exchange_under_way(const struct exchange *x)
{
    return x && x->state < EXCHANGE_BODY;
}

/* For the parts of the exchange: the try has come to nothing (a bit of enum next_upstream):
 * STEP_NEXT where another peer is asked, or the status that is the end. */
int exchange_next(struct exchange *x, unsigned kind);
/* Begins to choose among the group's peers. */
void exchange_choose(struct exchange *x);
bool exchange_may_try_again(const struct exchange *x, unsigned kind);
/* 0: a status that no other peer is asked for. */
unsigned exchange_kind_of_status(unsigned status);
/* Lets go of the peer: to the pool where `reuse`. */
void exchange_release(struct exchange *x, bool reuse);
/* The response's body has all come, and the trailers behind it: these become the client's. */
void exchange_pass_trailers(struct exchange *x);
/* The client has gone and nobody else wants the response. */
bool exchange_client_gone(const struct exchange *x);
static inline struct attempt *exchange_attempt(const struct exchange *x)
{
    return &x->attempts->list.items[x->attempts->list.count - 1];
}

#endif

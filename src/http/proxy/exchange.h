/*
 * exchange: a request passed to a peer, and the peer's response: which peer, how long, whether another
 * one is asked, what the client gets to see.  How messages look on the wire to the peer is behind
 * struct exchange_wire, a file per protocol.
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
    /* Appends the head of the request.  false: it can't be made (logged). */
    bool (*put_head)(struct exchange *x, struct out *o);
    /* Looks at x->in, takes what it understands. */
    enum head_result (*read_head)(struct exchange *x);
    /* The next run of the body's bytes in `in`: *used bytes of framing stand before it.  Sets
     * x->complete behind the last one.  `in` is empty where the peer has closed.  false: malformed. */
    bool (*next_data)(struct exchange *x, struct str in, size_t *used, struct str *data);
    /* A field's value as the client is to see it. */
    struct str (*rewrite)(struct exchange *x, const struct header *f);
};

enum exchange_state {
    EXCHANGE_REQUEST,      /* the client's body is being read */
    EXCHANGE_CONNECT,      /* a peer is to be chosen */
    EXCHANGE_SEND,         /* the request goes out, the connect perhaps before it */
    EXCHANGE_HEAD,         /* the response's head comes in */
    EXCHANGE_BODY,         /* it is a source now: buffering.c */
    EXCHANGE_TUNNEL,       /* both sides talk as they like: tunnel.c */
    EXCHANGE_ENDED,        /* the peer is let go */
};

/* What $upstream_addr and its like tell of a try. */
struct attempt {
    struct str peer;
    unsigned status;                   /* 0: none came */
    bool first;                        /* of its exchange: an internal redirect led to it */
    uint64_t start_ms;
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
    bool upgrade;                      /* a 101 that was asked for */
};

/* What lies between the peer and the client. */
struct exchange_buffer {
    char *at, *end;                    /* bytes read and not taken */
    char *limit;                       /* of the space that end moves in */
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

    struct pick pick;
    struct link *link;
    struct attempts *attempts;
    uint64_t start_ms;
    bool attempted;                    /* a peer has been asked */

    /* the request on its way */
    struct str unsent;                 /* of the head */
    struct str body_text;              /* of its body, in memory */
    int body_file;                     /* or in this file: -1 for none */
    off_t body_offset;
    uint64_t body_left;
    bool head_sent, request_sent;

    /* the response on its way */
    struct exchange_head head;
    struct exchange_buffer in;
    struct buffer *head_buffer;        /* fields point into it */
    struct window *window, *spare;     /* NULL: not needed so far */
    struct window *current, *held;     /* where `in` is (NULL: head_buffer); what the client has bytes of */
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
 * The content handler's work: goes on with the request's exchange.  exchange_begin() before the first
 * call; `u` NULL: none could be found (502).
 */
struct exchange *exchange_begin(struct request *r, const struct exchange_wire *wire,
                                const struct exchange_conf *conf, struct upstream *u);
int exchange_run(struct exchange *x);
/* Whether the exchange is the one under way, not one that an internal redirect left behind. */
static inline bool exchange_under_way(const struct exchange *x)
{
    return x && x->state < EXCHANGE_BODY;
}

/* For the parts of the exchange: the try has come to nothing (a bit of enum next_upstream): STEP_NEXT where
 * another peer is asked, or the status that is the end. */
int exchange_next(struct exchange *x, unsigned kind);
bool exchange_may_try_again(const struct exchange *x, unsigned kind);
/* 0: a status that no other peer is asked for. */
unsigned exchange_kind_of_status(unsigned status);
/* Lets go of the peer: to the pool where `reuse`. */
void exchange_release(struct exchange *x, bool reuse);
/* The client has gone and nobody else wants the response. */
bool exchange_client_gone(const struct exchange *x);
static inline struct attempt *exchange_attempt(const struct exchange *x)
{
    return &x->attempts->list.items[x->attempts->list.count - 1];
}

#endif

/*
 * v1: HTTP/1.0 and 1.1 (and the plain line of 0.9) on a connection: heads in, requests out;
 * responses in, bytes out.  What a request keeps for its wire is struct v1.
 */
#ifndef HTTP_V1_H
#define HTTP_V1_H

#include "http/request.h"
#include "http/v1/v1_parse.h"

enum v1_progress { V1_LINE, V1_FIELDS, V1_COMPLETE };

enum { V1_SPANS = BATCH_SPANS + 5 };   /* and the head, a chunk's size, gathered bytes, the end */

struct v1 {
    /* the head as it comes in */
    enum v1_progress progress;
    struct buffer *old;                /* buffers that were filled; texts point into them */
    size_t scanned;                    /* bytes of the current line known to hold no line feed */
    size_t head_size;                  /* bytes of the head's whole lines so far */
    unsigned fields;
    bool settled;                      /* no text points into a buffer any more */

    /* the request's body */
    struct v1_chunks chunks;
    struct buffer *chunks_in;          /* the client's buffer, if it has had none but chunks */
    uint64_t body_left;                /* of a body with a length */
    bool body_done;

    /* the response as it goes out */
    bool head_made, last;
    bool broken;                       /* the body can't be completed: abort when what there is is sent */
    unsigned first, count;             /* spans not sent */
    uint64_t resume_ms;                /* limit_rate: not before; 0: no wait */
    size_t turn_bytes;                 /* sent in this turn of the loop */
    char *gather;                      /* postpone_output: where small pieces are put together */
    size_t gathered;
    char chunk_line[20];
    struct span spans[V1_SPANS];
    struct batch batch;
};

extern const struct wire v1_wire;

static inline struct v1 *v1_of(const struct request *r)
{
    return r->wire_state;
}

/*
 * Reads as much of a head as has come: false when there is nothing to do but wait; true when the
 * client's state has changed (a request has begun, or the connection is closed).
 */
bool v1_read_head(struct client *c);
/* Takes one line of the head, its end taken off.  0 (v->progress says how far), or a status. */
unsigned v1_take_line(struct request *r, struct v1 *v, struct str line);
/* The response has begun and is not complete, and the connection's end would be taken for its own. */
bool v1_is_cut_off(const struct request *r);
/* What c->in holds becomes free for the next request: v1's part of a request's end. */
void v1_release(struct client *c, struct request *r);

/* Bytes of a tunnel that came behind the head: how many. */
size_t v1_take_rest(struct request *r, char *space, size_t size);

int v1_send(struct request *r);
void v1_interim(struct request *r, unsigned status, const struct headers *fields);
ssize_t v1_read_body(struct request *r, char *buffer, size_t size);
/* Whether bytes are to come that belong to this request: of its body, or behind a head that was
 * refused. */
bool v1_body_left(const struct request *r);

#endif

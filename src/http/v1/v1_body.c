/*
 * v1_body: the request's body off the connection: first what came along with the head, then what
 * the client sends, its framing taken off (RFC 9112 sections 6 and 7).
 */
#include <errno.h>

#include "http/buffer.h"
#include "http/v1/v1.h"

bool v1_body_left(const struct request *r)
{
    return !v1_of(r)->body_done;
}

/* Body bytes of known length: straight into the caller's space. */
static ssize_t read_length(struct request *r, struct v1 *v, char *space, size_t size)
{
    struct client *c = r->client;
    ssize_t n;

    if (size > v->body_left)
        size = (size_t)v->body_left;
    if (c->in && buffer_len(c->in)) {
        n = (ssize_t)(buffer_len(c->in) < size ? buffer_len(c->in) : size);
        memcpy(space, c->in->at, (size_t)n);
        c->in->at += n;
    } else
        n = client_recv(c, space, size);
    if (n == 0) {
        errno = 0;
        return IO_ERROR;                       /* the client left before the end */
    }
    if (n > 0) {
        r->received += (uint64_t)n;
        v->body_left -= (uint64_t)n;
        v->body_done = v->body_left == 0;
    }
    return n;
}

/* More bytes into c->in, which is used up: into a buffer of their own, as the head's texts lie in
 * the one that it was read into. */
static ssize_t refill(struct client *c, struct v1 *v)
{
    if (v->chunks_in != c->in) {
        struct buffer *b = buffer_new(BUFFER_SIZE);
        if (!b) {
            errno = ENOMEM;
            return IO_ERROR;
        }
        c->in->next = v->old;
        v->old = c->in;
        v->chunks_in = c->in = b;
    }
    c->in->at = c->in->end = c->in->data;
    ssize_t n = client_recv(c, c->in->end, c->in->size);
    if (n > 0)
        c->in->end += n;
    if (n == 0)
        errno = 0;                             /* the client left before the end */
    return n == 0 ? IO_ERROR : n;
}

/* Lines that v1_chunks_next() has checked.  Odd names are dropped as they are in heads. */
static void take_trailers(struct request *r, struct str lines)
{
    struct str name, value;

    while (lines.len) {
        struct str line = str_split(&lines, '\n');
        if (v1_parse_field(str_first(line, line.len - 1), false, &name, &value) == V1_OK)
            headers_add(&r->trailers, &r->arena, name, value);
    }
}

/* Takes some of what is in c->in: bytes of the body, 0 at its end or where only framing was, or
 * -400. */
static ssize_t take_chunks(struct request *r, struct v1 *v, char *space, size_t size)
{
    struct buffer *b = r->client->in;
    struct str data, in = { b->at, buffer_len(b) < size ? buffer_len(b) : size };
    size_t used;

    if (!v->chunks.trailers) {
        v->chunks.trailers = ARENA_NEW(&r->arena, struct out);
        *v->chunks.trailers = out_growing(&r->arena, V1_MAX_CHUNK_EXTRA);
    }
    if (!v1_chunks_next(&v->chunks, in, &used, &data)) {
        request_log(r, LOG_LEVEL_INFO, 0, "client sent invalid chunked body");
        return -STATUS_BAD_REQUEST;
    }
    if (data.len)
        memcpy(space, data.data, data.len);
    b->at += used + data.len;
    r->received += used + data.len;
    v->body_done = v->chunks.state == CHUNK_DONE;
    if (v->body_done)
        take_trailers(r, out_str_of(v->chunks.trailers));
    return (ssize_t)data.len;
}

static ssize_t read_chunks(struct request *r, struct v1 *v, char *space, size_t size)
{
    struct client *c = r->client;

    for (;;) {
        while (buffer_len(c->in)) {
            ssize_t n = take_chunks(r, v, space, size);
            if (n != 0 || v->body_done)
                return n;
        }
        ssize_t n = refill(c, v);
        if (n <= 0)
            return n;
    }
}

/* Of a tunnel: first what came along with the head. */
static ssize_t hear(struct request *r, char *space, size_t size)
{
    size_t rest = v1_take_rest(r, space, size);
    ssize_t n = rest ? (ssize_t)rest : client_recv(r->client, space, size);

    if (n > 0)
        r->received += (uint64_t)n;
    return n;
}

ssize_t v1_read_body(struct request *r, char *space, size_t size)
{
    struct v1 *v = v1_of(r);

    if (r->flags.tunnel)
        return hear(r, space, size);
    if (v->body_done)
        return 0;
    return r->chunked_body ? read_chunks(r, v, space, size) : read_length(r, v, space, size);
}

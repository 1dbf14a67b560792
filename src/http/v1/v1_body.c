/*
 * v1_body: the request's body off the connection: first what came along with the head, then what the
 * client sends, its framing taken off (RFC 9112 sections 6 and 7).
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

/* More bytes in c->in: into a buffer of their own, as the head's texts lie in the old one. */
static ssize_t refill(struct client *c, struct v1 *v)
{
    if (buffer_room(c->in) == 0) {
        struct buffer *b = buffer_new(BUFFER_SIZE);
        if (!b)
            return IO_ERROR;
        c->in->next = v->old;
        v->old = c->in;
        c->in = b;
    }
    ssize_t n = client_recv(c, c->in->end, buffer_room(c->in));
    if (n > 0)
        c->in->end += n;
    errno = n == 0 ? 0 : errno;
    return n == 0 ? IO_ERROR : n;
}

/* The buffer that only chunks were read into can be used from its start again. */
static void rewind_buffer(struct client *c, struct v1 *v)
{
    if (buffer_len(c->in) == 0 && v->old)
        c->in->at = c->in->end = c->in->data;
}

static ssize_t read_chunks(struct request *r, struct v1 *v, char *space, size_t size)
{
    struct client *c = r->client;
    size_t used;
    struct str data;

    for (;;) {
        struct str in = { c->in->at, buffer_len(c->in) };
        if (in.len > size && v->chunks.state == CHUNK_DATA)
            in.len = size;                     /* no more data than the caller can take */
        if (in.len) {
            if (!v1_chunks_next(&v->chunks, in.len > size ? str_first(in, size) : in, &used, &data)) {
                request_log(r, LOG_LEVEL_INFO, 0, "client sent invalid chunked body");
                return -STATUS_BAD_REQUEST;
            }
            c->in->at += used + data.len;
            r->received += used + data.len;
            if (v->chunks.state == CHUNK_DONE) {
                v->body_done = true;
                return 0;
            }
            if (data.len) {
                memcpy(space, data.data, data.len);
                return (ssize_t)data.len;
            }
            continue;
        }
        rewind_buffer(c, v);
        ssize_t n = refill(c, v);
        if (n <= 0)
            return n;
    }
}

ssize_t v1_read_body(struct request *r, char *space, size_t size)
{
    struct v1 *v = v1_of(r);

    if (v->body_done)
        return 0;
    return r->chunked_body ? read_chunks(r, v, space, size) : read_length(r, v, space, size);
}

/*
 * v1: heads of requests, from bytes to lines.  A line is looked at once, when its end is there;
 * what it means is v1_head's.
 */
#include "http/v1/v1.h"

#include <errno.h>
#include <sys/socket.h>

#include "http/buffer.h"
#include "http/core.h"
#include "http/http.h"
#include "http/v2/v2.h"
#include "modules_enabled.h"

static void v1_wait(struct request *r, uint64_t ms)
{
    client_wait(r->client, ms);
}

static void v1_wait_no_more(struct request *r)
{
    client_wait_no_more(r->client);
}

static void v1_wake(struct request *r)
{
    client_wake(r->client);
}

static bool v1_gone(const struct request *r)
{
    return (r->client->connection.watch.ready & (READY_EOF | READY_ERROR)) != 0;
}

static bool v1_blocked(const struct request *r)
{
    return !(r->client->connection.watch.ready & READY_WRITE);
}

bool v1_is_cut_off(const struct request *r)
{
    const struct response *res = &r->response;

    return v1_of(r)->head_made && !r->flags.response_complete && !r->flags.header_only &&
           !r->flags.chunked && !r->flags.tunnel && (res->length < 0 || r->flags.simple);
}

static void v1_leave(struct request *r)
{
    if (!v1_is_cut_off(r))                     /* that has to wait for a reset */
        shutdown(r->client->connection.watch.fd, SHUT_RDWR);
}

static void v1_ended(struct request *r, enum client_after after)
{
    client_request_ended(r->client, after);
}

const struct wire v1_wire = {
    .name = "HTTP/1",
    .send = v1_send,
    .read_body = v1_read_body,
    .interim = v1_interim,
    .wait = v1_wait,
    .wait_no_more = v1_wait_no_more,
    .wake = v1_wake,
    .gone = v1_gone,
    .blocked = v1_blocked,
    .leave = v1_leave,
    .ended = v1_ended,
};

static const struct server_conf *conf_of(const struct request *r)
{
    return server_conf(r->conf);
}

/* The longest line, its end included, and the largest head. */
static size_t max_line(const struct server_conf *conf)
{
    size_t large = conf->large_client_header_buffers.size;

    return large > conf->client_header_buffer_size ? large : conf->client_header_buffer_size;
}

static size_t max_head(const struct server_conf *conf)
{
    return conf->client_header_buffer_size +
           conf->large_client_header_buffers.count * conf->large_client_header_buffers.size;
}

/* 0, or a status where a line or the head with it is too large. */
static unsigned check_size(const struct request *r, const struct v1 *v, size_t line)
{
    const struct server_conf *conf = conf_of(r);
    bool long_line = line > max_line(conf);

    if (!long_line && v->head_size + line <= max_head(conf))
        return 0;
    if (v->progress == V1_LINE) {
        request_log(r, LOG_LEVEL_INFO, 0, "client sent too long URI");
        return STATUS_URI_TOO_LONG;
    }
    request_log(r, LOG_LEVEL_INFO, 0, long_line ? "client sent too long header line"
                                                : "client sent too large request");
    return STATUS_HEADER_TOO_LARGE;
}

/* The next whole line of c->in, with its end.  false: it is not there yet. */
static bool next_line(struct buffer *b, struct v1 *v, struct str *line)
{
    size_t len = buffer_len(b);
    const char *lf = len > v->scanned ? memchr(b->at + v->scanned, '\n', len - v->scanned) : NULL;

    if (!lf) {
        v->scanned = len;
        return false;
    }
    *line = str_range(b->at, lf + 1);
    b->at += line->len;
    v->scanned = 0;
    return true;
}

static struct str without_end(struct str line)
{
    line.len--;
    if (line.len && line.data[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* What has come of the line that the head stopped in, for the log. */
static struct str broken_line(const struct client *c)
{
    struct str rest = { c->in->at, buffer_len(c->in) };

    return str_split(&rest, '\r');
}

/* Takes the lines that are there.  0, or a status. */
static unsigned take_lines(struct request *r, struct v1 *v)
{
    struct buffer *b = r->client->in;
    struct str line;

    while (next_line(b, v, &line)) {
        unsigned status = check_size(r, v, line.len);
        v->head_size += line.len;
        if (status == 0)
            status = v1_take_line(r, v, without_end(line));
        if (status || v->progress == V1_COMPLETE)
            return status;
    }
    if (v->progress == V1_LINE && buffer_len(b) && !v1_may_begin(*b->at))
        return v1_take_line(r, v, broken_line(r->client));
    return check_size(r, v, buffer_len(b) + 1);
}

/* Makes room in c->in, which is full: an unfinished line moves to the front, or to a larger buffer
 * where texts of the request point into this one. */
static bool make_room(struct client *c, struct request *r, struct v1 *v)
{
    struct buffer *b = c->in;
    size_t len = buffer_len(b), size = max_line(conf_of(r));

    if (v->progress == V1_LINE && b->at > b->data) {
        memmove(b->data, b->at, len);
        b->at = b->data;
        b->end = b->at + len;
        return true;
    }
    struct buffer *larger = buffer_new(len < size ? size : len + 1);
    if (!larger)
        return false;
    memcpy(larger->data, b->at, len);
    larger->end += len;
    b->next = v->old;
    v->old = b;
    c->in = larger;
    return true;
}

static ssize_t fill(struct client *c, struct request *r, struct v1 *v)
{
    if (buffer_room(c->in) == 0 && !make_room(c, r, v)) {
        errno = ENOMEM;
        return IO_ERROR;
    }
    ssize_t n = client_recv(c, c->in->end, buffer_room(c->in));
    if (n > 0)
        c->in->end += n;
    return n;
}

/* The request is answered with an error.  Nobody knows where the next one would begin: all that
 * still comes is read away. */
static bool refuse(struct client *c, struct request *r, unsigned status)
{
    struct v1 *v = v1_of(r);

    if (r->version == 0)
        r->version = VERSION_10;
    if (!r->line.data)
        r->line = broken_line(c);
    r->content_length = -1;
    r->chunked_body = false;
    v->body_left = UINT64_MAX;
    v->body_done = false;
    client_request_complete(c);
    request_refuse(r, status);
    return true;
}

/* Nothing more of a head will come. */
static bool head_broken(struct client *c, struct request *r, ssize_t n)
{
    if (n < 0)
        request_log(r, LOG_LEVEL_INFO, errno, "reading a request's head failed");
    else
        request_log(r, LOG_LEVEL_INFO, 0,
                    "client prematurely closed connection while sending a request's head");
    if (!r->line.data && buffer_len(c->in))
        r->line = broken_line(c);
    r->response.status = STATUS_BAD_REQUEST;
    request_end(r, CLIENT_DROP);
    return true;
}

/* More than 0: the first bytes of a request are in c->in; 0: the end; or enum io. */
static ssize_t read_first(struct client *c)
{
    const struct http_listen *l = c->listener->spec->object;

    if (!(c->connection.watch.ready & READY_READ))
        return IO_AGAIN;
    struct buffer *b = buffer_new(
        server_conf(l->default_server->root.conf)->client_header_buffer_size);
    if (!b) {
        errno = ENOMEM;
        return IO_ERROR;
    }
    ssize_t n = client_recv(c, b->data, b->size);
    if (n > 0) {
        b->end += n;
        c->in = b;
    } else
        buffer_free(b);
    return n;
}

/* Whether a client's first bytes are HTTP/2's preface, or its beginning. */
static bool is_v2(struct client *c)
{
    IF_MODULE_v2(const struct http_listen *l = c->listener->spec->object;
    if (c->requests == 0 && *c->in->at == 'P' && c->connection.transport == &transport_plain &&
        !l->ssl && v2_enabled(l->default_server->root.conf, l))
        return v2_look(c) != V2_NO_PREFACE;)
    (void)c;
    return false;
}

/* An idle client has sent something, perhaps already with the request before.  false: it has not,
 * or the client is closed. */
static bool begin(struct client *c)
{
    ssize_t n = c->in ? 1 : read_first(c);

    if (n == IO_AGAIN) {
        client_now_idle(c);
        return false;
    }
    if (n > 0 && is_v2(c))
        return false;
    struct request *r = n > 0 ? request_new(c, &v1_wire) : NULL;
    if (!r) {
        if (n > 0)
            errno = ENOMEM;
        if (n != 0)
            client_log(c, errno == ENOMEM ? LOG_LEVEL_CRIT : LOG_LEVEL_INFO, errno,
                       "reading a request failed");
        client_close(c);
        return false;
    }
    r->wire_state = arena_alloc(&r->arena, sizeof(struct v1));
    memset(r->wire_state, 0, offsetof(struct v1, chunk_line));
    client_request_begun(c, r);
    return true;
}

bool v1_read_head(struct client *c)
{
    if (c->state == CLIENT_IDLE && !begin(c))
        return c->state == CLIENT_V2_IDLE;

    struct request *r = c->request;
    struct v1 *v = v1_of(r);
    for (;;) {
        unsigned status = take_lines(r, v);
        if (status)
            return refuse(c, r, status);
        if (v->progress == V1_COMPLETE) {
            if (v->settled)
                v1_release(c, r);
            client_request_complete(c);
            return true;
        }
        ssize_t n = fill(c, r, v);
        if (n == IO_AGAIN) {
            client_await_head(c);
            return false;
        }
        if (n <= 0)
            return head_broken(c, r, n);
    }
}

void v1_release(struct client *c, struct request *r)
{
    struct v1 *v = v1_of(r);

    for (struct buffer *b = v->old, *next; b; b = next) {
        next = b->next;
        buffer_free(b);
    }
    v->old = NULL;
    if (c->in && buffer_len(c->in) == 0) {
        buffer_free(c->in);
        c->in = NULL;
    }
}

size_t v1_take_rest(struct request *r, char *space, size_t size)
{
    struct client *c = r->client;
    size_t n = c->in ? buffer_len(c->in) : 0;

    if (n > size)
        n = size;
    if (n == 0)
        return 0;
    memcpy(space, c->in->at, n);
    c->in->at += n;
    if (v1_of(r)->settled)
        v1_release(c, r);
    return n;
}

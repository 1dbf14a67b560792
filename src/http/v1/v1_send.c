/*
 * v1_send: responses, from a struct response to bytes on the connection.  The head is written once into
 * a space that all requests share, and leaves together with the first bytes of the body in one call;
 * only what the client does not take at once is kept per request.
 */
#include "http/v1/v1.h"

#include <errno.h>

#include "http/core.h"

enum {
    HEAD_SPACE = 65536,            /* the largest head of a response */
    SEND_VECTORS = BATCH_SPANS + 4,
    TURN_BYTES = 2 << 20,          /* sent to one client before others get their turn */
};

static char head_space[HEAD_SPACE];

static void put_field(struct out *o, struct str name, struct str value)
{
    out_str(o, name);
    OUT_LITERAL(o, ": ");
    out_str(o, value);
    OUT_LITERAL(o, "\r\n");
}

static void put_status(struct out *o, const struct response *res)
{
    struct str line = status_line(res->status);

    if (res->status_text.len) {
        OUT_LITERAL(o, "HTTP/1.1 ");
        out_str(o, res->status_text);
        OUT_LITERAL(o, "\r\n");
    } else if (line.len)
        out_str(o, line);
    else
        out_printf(o, "HTTP/1.1 %u \r\n", res->status);
}

/* What describes the body, where it was not prepared ahead. */
static void put_description(struct out *o, const struct request *r)
{
    const struct response *res = &r->response;

    if (res->content_type.len) {
        OUT_LITERAL(o, "Content-Type: ");
        out_str(o, res->content_type);
        if (res->charset.len) {
            OUT_LITERAL(o, "; charset=");
            out_str(o, res->charset);
        }
        OUT_LITERAL(o, "\r\n");
    }
    if (res->length >= 0 && res->status != STATUS_NO_CONTENT && res->status != STATUS_NOT_MODIFIED) {
        OUT_LITERAL(o, "Content-Length: ");
        out_uint(o, (uint64_t)res->length);
        OUT_LITERAL(o, "\r\n");
    }
    if (res->last_modified >= 0) {
        OUT_LITERAL(o, "Last-Modified: ");
        clock_put_http_date(o, res->last_modified);
        OUT_LITERAL(o, "\r\n");
    }
}

/* A path is made absolute as the directives say; a URL is sent as it is. */
static void put_location(struct out *o, struct request *r)
{
    const struct core_conf *conf = core_conf(r->conf);
    struct str location = r->response.location;

    OUT_LITERAL(o, "Location: ");
    if (location.data[0] == '/' && conf->absolute_redirect) {
        struct address local = { 0 };
        struct str host = conf->server_name_in_redirect ? r->server->name : r->host;
        bool have = address_local(r->client->connection.watch.fd, &local);
        unsigned port = have ? address_port(&local) : 0;

        OUT_LITERAL(o, "http://");
        if (host.len)
            out_str(o, host);
        else if (have)
            address_put_host(o, &local, true);
        if (conf->port_in_redirect && port && port != 80) {
            out_char(o, ':');
            out_uint(o, port);
        }
    }
    out_str(o, location);
    OUT_LITERAL(o, "\r\n");
}

static void put_connection(struct out *o, const struct request *r)
{
    const struct core_conf *conf = core_conf(r->conf);

    if (r->response.status == STATUS_SWITCHING_PROTOCOLS)
        OUT_LITERAL(o, "Connection: upgrade\r\n");
    else if (!r->flags.keepalive)
        OUT_LITERAL(o, "Connection: close\r\n");
    else {
        OUT_LITERAL(o, "Connection: keep-alive\r\n");
        if (conf->keepalive_timeout.header) {
            OUT_LITERAL(o, "Keep-Alive: timeout=");
            out_uint(o, (uint64_t)conf->keepalive_timeout.header);
            OUT_LITERAL(o, "\r\n");
        }
    }
}

/* How the body's end will be known: by its length, by chunks, or by the end of the connection. */
static void choose_framing(struct request *r)
{
    struct response *res = &r->response;
    bool bodiless = r->flags.header_only || res->status < STATUS_OK;
    bool chunks = r->version == VERSION_11 && core_conf(r->conf)->chunked_transfer_encoding;

    if (res->make_trailers && chunks && !bodiless)
        res->length = -1;                      /* trailers stand behind chunks alone */
    if (res->length >= 0 || (bodiless && r->method != METHOD_HEAD))
        return;
    if (chunks)
        r->flags.chunked = true;
    else
        r->flags.keepalive = false;
}

static void put_head(struct out *o, struct request *r)
{
    const struct response *res = &r->response;

    choose_framing(r);
    put_status(o, res);
    out_str(o, core_conf(r->conf)->server_line);
    OUT_LITERAL(o, "Date: ");
    out_str(o, clock_http_date());
    OUT_LITERAL(o, "\r\n");
    if (res->prepared.len)
        out_str(o, res->prepared);
    else
        put_description(o, r);
    if (res->location.len)
        put_location(o, r);
    if (r->flags.chunked)
        OUT_LITERAL(o, "Transfer-Encoding: chunked\r\n");
    put_connection(o, r);
    if (!res->prepared.len) {
        if (res->etag.len)
            put_field(o, STR("ETag"), res->etag);
        if (res->content_encoding.len)
            put_field(o, STR("Content-Encoding"), res->content_encoding);
        if (res->allow_ranges)
            OUT_LITERAL(o, "Accept-Ranges: bytes\r\n");
    }
    for (unsigned i = 0; i < res->headers.list.count; i++) {
        const struct header *f = &res->headers.list.items[i];
        if (!f->hidden)
            put_field(o, f->name, f->value);
    }
    OUT_LITERAL(o, "\r\n");
}

static void queue_memory(struct v1 *v, const char *data, size_t len)
{
    v->spans[v->count++] = (struct span){ .data = data, .len = len, .file = -1 };
}

/* false: the head is larger than any peer would take. */
static bool make_head(struct request *r, struct v1 *v)
{
    struct out o = out_fixed(head_space, sizeof head_space);

    v->head_made = true;
    r->flags.head_sent = true;
    if (r->flags.simple) {                     /* HTTP/0.9 has none */
        r->flags.keepalive = false;
        return true;
    }
    put_head(&o, r);
    if (o.overflow) {
        request_log(r, LOG_LEVEL_ERROR, 0, "the response's head is larger than %d bytes",
                    HEAD_SPACE);
        return false;
    }
    r->head_bytes = out_len(&o);
    queue_memory(v, head_space, out_len(&o));
    return true;
}

/* The end of a chunked body, with trailers. */
static void queue_end(struct request *r, struct v1 *v, bool after_data)
{
    const struct headers *trailers = &r->response.trailers;

    if (r->response.make_trailers)
        r->response.make_trailers(r);
    if (trailers->list.count == 0) {
        struct str end = after_data ? STR("\r\n0\r\n\r\n") : STR("0\r\n\r\n");
        queue_memory(v, end.data, end.len);
        return;
    }
    struct out o = out_growing(&r->arena, HEAD_SPACE);
    if (after_data)
        OUT_LITERAL(&o, "\r\n");
    OUT_LITERAL(&o, "0\r\n");
    for (unsigned i = 0; i < trailers->list.count; i++)
        put_field(&o, trailers->list.items[i].name, trailers->list.items[i].value);
    OUT_LITERAL(&o, "\r\n");
    queue_memory(v, o.start, out_len(&o));
}

static void queue_body(struct request *r, struct v1 *v)
{
    const struct batch *b = &v->batch;
    bool chunked = r->flags.chunked && !r->flags.header_only;

    if (chunked && b->bytes) {
        struct out o = out_fixed(v->chunk_line, sizeof v->chunk_line);
        out_hex(&o, b->bytes, 1);
        OUT_LITERAL(&o, "\r\n");
        queue_memory(v, v->chunk_line, out_len(&o));
    }
    for (unsigned i = 0; i < b->count; i++)
        v->spans[v->count++] = b->spans[i];
    if (chunked && v->last)
        queue_end(r, v, b->bytes > 0);
    else if (chunked && b->bytes)
        queue_memory(v, "\r\n", 2);
}

/* Bytes that limit_rate allows now; 0: none, and v->resume_ms says when. */
static size_t allowance(struct request *r, struct v1 *v)
{
    size_t max = core_conf(r->conf)->sendfile_max_chunk;

    if (max == 0 || max > TURN_BYTES)
        max = TURN_BYTES;
    v->resume_ms = 0;
    if (r->limit_rate == 0)
        return max;
    uint64_t body = r->sent > r->head_bytes ? r->sent - r->head_bytes : 0;
    uint64_t earned = r->limit_rate_after +
                      r->limit_rate * (uint64_t)(clock_seconds() - r->start_seconds + 1);
    if (body >= earned) {
        v->resume_ms = clock_ms() + (body - earned) * 1000 / r->limit_rate + 1;
        return 0;
    }
    return earned - body < max ? (size_t)(earned - body) : max;
}

/* The values of limit_rate and limit_rate_after for this response, unless something set them before. */
static void take_limits(struct request *r)
{
    const struct core_conf *conf = core_conf(r->conf);
    size_t size;

    if (r->flags.limit_rate_set)
        return;
    r->flags.limit_rate_set = true;
    if (!template_is_empty(&conf->limit_rate) &&
        parse_size(template_value(&conf->limit_rate, request_script(r)), &size))
        r->limit_rate = size;
    if (!template_is_empty(&conf->limit_rate_after) &&
        parse_size(template_value(&conf->limit_rate_after, request_script(r)), &size))
        r->limit_rate_after = size;
}

/* Queues what comes next: STEP_NEXT if there is something to send or all is sent. */
static int refill(struct request *r, struct v1 *v)
{
    v->first = v->count = 0;
    batch_reset(&v->batch);
    if (!v->head_made) {
        take_limits(r);
        if (!make_head(r, v))
            return STEP_ABORT;
    }
    if (!r->response.body) {
        v->last = true;
        if (!r->flags.header_only)
            queue_body(r, v);
        return STEP_NEXT;
    }
    size_t budget = allowance(r, v);
    if (budget == 0)
        return v->count ? STEP_NEXT : STEP_WAIT;
    switch (source_pull(r->response.body, &v->batch, budget)) {
    case PULL_DATA:
        break;
    case PULL_LAST:
        v->last = true;
        break;
    case PULL_WAIT:
        return v->count ? STEP_NEXT : STEP_WAIT;
    case PULL_ERROR:
        return STEP_ABORT;
    }
    queue_body(r, v);
    return STEP_NEXT;
}

/* Takes `n` sent bytes off the queue. */
static void advance(struct v1 *v, size_t n)
{
    while (v->first < v->count && n >= v->spans[v->first].len)
        n -= v->spans[v->first++].len;
    if (n) {
        struct span *s = &v->spans[v->first];
        if (s->data)
            s->data += n;
        else
            s->offset += (off_t)n;
        s->len -= n;
    }
}

static ssize_t send_memory(struct client *c, struct v1 *v)
{
    struct iovec iov[SEND_VECTORS];
    int n = 0;
    unsigned i = v->first;

    for (; i < v->count && v->spans[i].data; i++) {
        iov[n].iov_base = (void *)(uintptr_t)v->spans[i].data;
        iov[n++].iov_len = v->spans[i].len;
    }
    return c->connection.transport->sendv(&c->connection, iov, n, i < v->count);
}

/* A file that has become shorter must not be padded: its end before ours ends the connection. */
static ssize_t send_file(struct request *r, struct v1 *v)
{
    struct connection *connection = &r->client->connection;
    struct span *s = &v->spans[v->first];
    off_t offset = s->offset;

    ssize_t n = connection->transport->sendfile(connection, s->file, &offset, s->len);
    if (n == 0) {
        request_log(r, LOG_LEVEL_ALERT, 0, "the file was truncated while it was sent");
        errno = EIO;
        return IO_ERROR;
    }
    return n;
}

/* The head lies in a space that the next request will use: what is left of it moves to the arena. */
static void keep_head(struct request *r, struct v1 *v)
{
    struct span *s = &v->spans[v->first];

    if (v->first < v->count && s->data >= head_space && s->data < head_space + HEAD_SPACE)
        s->data = arena_str(&r->arena, (struct str){ s->data, s->len }).data;
}

/* Sends what is queued: STEP_NEXT, STEP_WAIT, STEP_ABORT. */
static int flush(struct request *r, struct v1 *v)
{
    struct client *c = r->client;

    while (v->first < v->count) {
        if (v->spans[v->first].len == 0) {
            v->first++;
            continue;
        }
        if (!(c->connection.watch.ready & READY_WRITE)) {
            keep_head(r, v);
            timer_set(&c->connection.timer, core_conf(r->conf)->send_timeout);
            return STEP_WAIT;
        }
        ssize_t n = v->spans[v->first].data ? send_memory(c, v) : send_file(r, v);
        if (n == IO_AGAIN)
            continue;
        if (n < 0) {
            request_log(r, LOG_LEVEL_INFO, errno, "sending to client failed");
            return STEP_ABORT;
        }
        r->sent += (uint64_t)n;
        v->turn_bytes += (size_t)n;
        advance(v, (size_t)n);
    }
    return STEP_NEXT;
}

static int wait_for_source(struct request *r, struct v1 *v)
{
    struct client *c = r->client;

    if (v->resume_ms)
        timer_set(&c->connection.timer, v->resume_ms - clock_ms());
    else
        timer_cancel(&c->connection.timer);    /* the source has timeouts of its own */
    return STEP_WAIT;
}

/* A timer has struck: either the pause of limit_rate is over, or the client took nothing for too long. */
static bool gave_up(struct request *r, struct v1 *v)
{
    struct client *c = r->client;

    if (!c->timed_out)
        return false;
    c->timed_out = false;
    if (v->resume_ms || (c->connection.watch.ready & READY_WRITE))
        return false;
    request_log(r, LOG_LEVEL_INFO, ETIMEDOUT, "client timed out while the response was sent");
    return true;
}

int v1_send(struct request *r)
{
    struct v1 *v = v1_of(r);

    if (gave_up(r, v))
        return STEP_ABORT;
    if (v->resume_ms && clock_ms() < v->resume_ms && v->first == v->count)
        return STEP_WAIT;
    v->turn_bytes = 0;
    for (;;) {
        if (v->first == v->count) {
            if (v->last)
                return STEP_NEXT;
            int result = refill(r, v);
            if (result == STEP_WAIT)
                return wait_for_source(r, v);
            if (result == STEP_ABORT)
                return STEP_ABORT;
        }
        int result = flush(r, v);
        if (result != STEP_NEXT)
            return result;
        if (v->turn_bytes >= TURN_BYTES && !v->last) {
            request_wake(r);
            return STEP_WAIT;
        }
    }
}

void v1_interim(struct request *r, unsigned status, const struct headers *fields)
{
    char space[4096];
    struct out o = out_fixed(space, sizeof space);
    struct iovec iov = { space, 0 };

    if (r->version != VERSION_11 || r->flags.head_sent)
        return;
    out_str(&o, status_line(status));
    for (unsigned i = 0; fields && i < fields->list.count; i++)
        put_field(&o, fields->list.items[i].name, fields->list.items[i].value);
    OUT_LITERAL(&o, "\r\n");
    iov.iov_len = out_len(&o);
    /* An interim response may be left out: one that does not fit the socket's buffer at once is. */
    if (!o.overflow && r->client->connection.transport->sendv(&r->client->connection, &iov, 1, false) > 0)
        r->sent += iov.iov_len;
}

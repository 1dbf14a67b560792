/*
 * v1_send: responses, from a struct response to bytes on the connection.  The head is written once
 * into a space that all requests share, and leaves together with the first bytes of the body in one
 * call; only what the client does not take at once is kept per request.
 */
#include "http/v1/v1.h"

#include <errno.h>

#include "http/core.h"
#include "http/http.h"
#include "http/pace.h"
#include "http/response.h"

enum {
    HEAD_SPACE = 65536,            /* the largest head of a response */
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
    char space[HTTP_DATE_LEN];

    if (res->content_type.len) {
        OUT_LITERAL(o, "Content-Type: ");
        out_str(o, res->content_type);
        if (res->charset.len) {
            OUT_LITERAL(o, "; charset=");
            out_str(o, res->charset);
        }
        OUT_LITERAL(o, "\r\n");
    }
    if (res->length >= 0 && res->status != STATUS_NO_CONTENT &&
        res->status != STATUS_NOT_MODIFIED) {
        OUT_LITERAL(o, "Content-Length: ");
        out_uint(o, (uint64_t)res->length);
        OUT_LITERAL(o, "\r\n");
    }
    struct str modified = response_modified_text(res, space);
    if (modified.len) {
        OUT_LITERAL(o, "Last-Modified: ");
        out_str(o, modified);
        OUT_LITERAL(o, "\r\n");
    }
}

static void put_location(struct out *o, const struct request *r)
{
    OUT_LITERAL(o, "Location: ");
    response_put_location(o, r);
    OUT_LITERAL(o, "\r\n");
}

static void put_server(struct out *o, struct request *r)
{
    const struct core_conf *conf = core_conf(r->conf);

    if (conf->server_line.len || template_is_text(&conf->server_tokens.text)) {
        out_str(o, conf->server_line);
        return;
    }
    struct str name = response_server(r);
    if (name.len)
        put_field(o, STR("Server"), name);
}

/* What old browsers can't do: keep-alive after POST (MSIE 6), or at all (some Safaris). */
static bool keepalive_disabled(const struct request *r)
{
    struct str agent = headers_value(&r->headers, HEADER_USER_AGENT);
    unsigned off = core_conf(r->conf)->keepalive_disable;
    ptrdiff_t msie;

    if (!agent.data || !off)
        return false;
    if ((off & KEEPALIVE_NOT_MSIE6) && r->method == METHOD_POST &&
        (msie = str_find(agent, STR("MSIE "))) >= 0 && agent.len > (size_t)msie + 6)
        return agent.data[msie + 6] == '.' && agent.data[msie + 5] < '7' &&
               str_find(agent, STR("SV1")) < 0;
    return (off & KEEPALIVE_NOT_SAFARI) && str_find(agent, STR("Safari/")) >= 0 &&
           str_find(agent, STR("Mac OS X")) >= 0 && str_find(agent, STR("Chrom")) < 0;
}

static void put_connection(struct out *o, struct request *r)
{
    const struct core_conf *conf = core_conf(r->conf);

    if (r->flags.keepalive && keepalive_disabled(r))
        r->flags.keepalive = false;
    if (r->response.status == STATUS_SWITCHING_PROTOCOLS)
        OUT_LITERAL(o, "Connection: upgrade\r\n");
    else if (!r->flags.keepalive && !r->flags.tunnel)
        OUT_LITERAL(o, "Connection: close\r\n");
    else if (r->flags.keepalive) {
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
    bool bodiless = r->flags.header_only || res->status < STATUS_OK || r->flags.tunnel;
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
    if (!res->has_server)
        put_server(o, r);
    if (!res->has_date) {
        OUT_LITERAL(o, "Date: ");
        out_str(o, clock_http_date());
        OUT_LITERAL(o, "\r\n");
    }
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
    size_t bytes = v->gathered + b->bytes;
    bool chunked = r->flags.chunked && !r->flags.header_only;

    if (chunked && bytes) {
        struct out o = out_fixed(v->chunk_line, sizeof v->chunk_line);
        out_hex(&o, bytes, 1);
        OUT_LITERAL(&o, "\r\n");
        queue_memory(v, v->chunk_line, out_len(&o));
    }
    if (v->gathered)
        queue_memory(v, v->gather, v->gathered);
    for (unsigned i = 0; i < b->count; i++)
        v->spans[v->count++] = b->spans[i];
    if (chunked && v->last)
        queue_end(r, v, bytes > 0);
    else if (chunked && bytes)
        queue_memory(v, "\r\n", 2);
}

/* Bytes that may be pulled now; 0: none, and v->resume_ms says when. */
static size_t allowance(const struct request *r, struct v1 *v)
{
    size_t max = core_conf(r->conf)->sendfile_max_chunk;

    return pace_allowance(r, max == 0 || max > TURN_BYTES ? TURN_BYTES : max, &v->resume_ms);
}

/* Copies the batch behind what was gathered, and empties it.  false: it has a piece of a file. */
static bool gather_batch(struct v1 *v)
{
    struct batch *b = &v->batch;

    for (unsigned i = 0; i < b->count; i++) {
        if (!b->spans[i].data)
            return false;
    }
    for (unsigned i = 0; i < b->count; i++) {
        memcpy(v->gather + v->gathered, b->spans[i].data, b->spans[i].len);
        v->gathered += b->spans[i].len;
    }
    batch_reset(b);
    return true;
}

/* Pulls the body's next piece; small ones are put together to postpone_output bytes, if they can be
 * had. */
static enum pull pull_piece(struct request *r, struct v1 *v, size_t budget)
{
    size_t enough = core_conf(r->conf)->postpone_output;
    enum pull result = source_pull(r->response.body, &v->batch, budget);

    if (result != PULL_DATA || v->batch.bytes >= enough || budget < enough || r->flags.tunnel)
        return result;
    if (!v->gather && !(v->gather = arena_try_alloc(&r->arena, enough)))
        return result;
    while (result == PULL_DATA && gather_batch(v) && v->gathered < enough)
        result = source_pull(r->response.body, &v->batch, enough - v->gathered);
    return result == PULL_WAIT && v->gathered ? PULL_DATA : result;
}

static int refill_body(struct request *r, struct v1 *v)
{
    size_t budget = allowance(r, v);

    if (budget == 0)
        return v->count ? STEP_NEXT : STEP_WAIT;
    switch (pull_piece(r, v, budget)) {
    case PULL_DATA:
        break;
    case PULL_LAST:
        v->last = true;
        break;
    case PULL_WAIT:
        return v->count ? STEP_NEXT : STEP_WAIT;
    case PULL_ERROR:
        if (v->gathered == 0)
            return STEP_ABORT;
        v->broken = true;                      /* what came before goes out first */
        break;
    }
    queue_body(r, v);
    return STEP_NEXT;
}

/* Queues what comes next: STEP_NEXT if there is something to send or all is sent. */
static int refill(struct request *r, struct v1 *v)
{
    if (v->broken)
        return STEP_ABORT;
    v->first = v->count = 0;
    v->gathered = 0;
    batch_reset(&v->batch);
    if (!v->head_made) {
        pace_begin(r);
        if (!make_head(r, v))
            return STEP_ABORT;
    }
    if (r->response.body)
        return refill_body(r, v);
    v->last = true;
    if (!r->flags.header_only)
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
    struct iovec iov[V1_SPANS];
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

/* The client takes no more now. */
static int wait_for_client(struct request *r, struct v1 *v)
{
    const struct core_conf *conf = core_conf(r->conf);
    struct client *c = r->client;

    keep_head(r, v);
    if (conf->send_lowat && !c->sndlowat) {
        int size = (int)conf->send_lowat;
        c->sndlowat = true;                    /* Linux refuses; then it is as it is */
        (void)setsockopt(c->connection.watch.fd, SOL_SOCKET, SO_SNDLOWAT, &size, sizeof size);
    }
    if (v->turn_bytes || !c->waits)            /* not for events that brought nothing */
        client_wait(c, conf->send_timeout);
    /* Of a tunnel the client may have said something before its end. */
    return r->flags.tunnel ? STEP_WAIT : request_wait(r);
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
        if (!(c->connection.watch.ready & READY_WRITE))
            return wait_for_client(r, v);
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
    if (v->resume_ms) {
        client_wait(r->client, v->resume_ms > clock_ms() ? v->resume_ms - clock_ms() : 0);
        return request_wait(r);
    }
    client_wait_no_more(r->client);            /* the source has timeouts of its own */
    return STEP_WAIT;
}

/* The timer has struck: either the pause of limit_rate is over, or the client took nothing for too
 * long. */
static bool gave_up(struct request *r, struct v1 *v)
{
    if (!r->timed_out)
        return false;
    if (v->first == v->count || (r->client->connection.watch.ready & READY_WRITE)) {
        r->timed_out = false;
        return false;
    }
    request_log(r, LOG_LEVEL_INFO, ETIMEDOUT, "client timed out while the response was sent");
    return true;
}

int v1_send(struct request *r)
{
    struct v1 *v = v1_of(r);

    if (gave_up(r, v))
        return STEP_ABORT;
    if (v->resume_ms && clock_ms() < v->resume_ms && v->first == v->count)
        return wait_for_source(r, v);
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
    struct connection *connection = &r->client->connection;
    if (!o.overflow && connection->transport->sendv(connection, &iov, 1, false) > 0)
        r->sent += iov.iov_len;
}

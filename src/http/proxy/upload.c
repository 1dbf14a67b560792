/*
 * upload: see upload.h.
 */
#include "http/proxy/upload.h"

#include <errno.h>

#include "http/body.h"
#include "http/proxy/exchange_log.h"

bool upload_streams(const struct exchange *x)
{
    const struct request *r = x->request;
    const struct exchange_conf *conf = x->conf;

    if (r->parent || (r->body && (r->body->complete || r->body->passed)))
        return false;
    return r->chunked_body ? conf->stream_chunks : conf->stream_length && r->content_length > 0;
}

bool upload_is_final(const struct exchange *x)
{
    return x->streaming && x->request->body->passed;
}

/* HTTP/1.1 has them behind chunks alone. */
static bool passes_trailers(const struct exchange *x)
{
    return x->conf->pass_trailers && x->request->trailers.list.count;
}

void upload_start(struct exchange *x)
{
    const struct body *b = x->conf->pass_request_body ? x->request->body : NULL;

    if (b && b->passed && !x->streaming)
        b = NULL;                              /* another peer has had it, before a redirect */
    x->body_left = 0;
    x->body_offset = 0;
    x->body_text = b && b->file < 0 ? b->memory : (struct str){ NULL, 0 };
    x->body_end = (struct str){ NULL, 0 };
    x->deaf = false;
    if (b && b->file >= 0) {
        x->body_file = b->file;
        x->body_left = b->length;
    }
    x->body_length = (int64_t)(x->body_text.len + x->body_left);
    if (x->streaming && (!b->complete || passes_trailers(x)))
        x->body_length = x->request->content_length;
}

/* What stands around the piece in x->body_text. */
static void put_piece(struct exchange *x, struct out *o)
{
    if (x->wire->put_piece)
        x->body_end = x->wire->put_piece(x, x->body_text.len, x->request->body->complete, o);
}

void upload_head_made(struct exchange *x, struct out *o)
{
    if (x->streaming && x->body_length < 0 && (x->body_text.len || x->request->body->complete))
        put_piece(x, o);
}

/* ---- to the peer ---- */

static void take_off(struct str *s, size_t *n)
{
    size_t taken = *n < s->len ? *n : s->len;

    *s = str_from(*s, taken);
    *n -= taken;
}

static ssize_t send_text(struct exchange *x)
{
    struct connection *c = &x->link->connection;
    struct str *parts[] = { &x->unsent, &x->body_text, &x->body_end };
    struct iovec iov[3];
    int count = 0;

    for (unsigned i = 0; i < 3; i++) {
        if (parts[i]->len)
            iov[count++] = (struct iovec){ (void *)(uintptr_t)parts[i]->data, parts[i]->len };
    }
    ssize_t n = c->transport->sendv(c, iov, count, x->body_left > 0);
    size_t sent = n > 0 ? (size_t)n : 0;
    for (unsigned i = 0; i < 3; i++)
        take_off(parts[i], &sent);
    return n;
}

static ssize_t send_some(struct exchange *x)
{
    struct connection *c = &x->link->connection;

    if (!(c->watch.ready & READY_WRITE))
        return IO_AGAIN;
    if (x->unsent.len || x->body_text.len || x->body_end.len)
        return send_text(x);
    ssize_t n = c->transport->sendfile(c, x->body_file, &x->body_offset, (size_t)x->body_left);
    if (n > 0)
        x->body_left -= (uint64_t)n;
    if (n == 0) {
        errno = EIO;
        return IO_ERROR;
    }
    return n;
}

static bool piece_sent(const struct exchange *x)
{
    return x->unsent.len == 0 && x->body_text.len == 0 && x->body_end.len == 0 && x->body_left == 0;
}

void upload_note_sent(struct exchange *x, size_t n)
{
    struct attempt *a = exchange_attempt(x);

    x->link->connected = true;
    x->head_sent = true;
    if (a->connect_ms < 0)
        a->connect_ms = x->link->reused ? 0 : (int64_t)(clock_ms() - a->start_ms);
    a->sent += n;
    timer_set(&x->link->connection.timer, x->conf->send_timeout);
}

/* ---- from the client ---- */

/* The next piece of the body, with what stands around it. */
static enum upload next_piece(struct exchange *x)
{
    int result = body_stream(x->request);

    if (result == STEP_WAIT) {
        timer_cancel(&x->link->connection.timer);      /* nobody waits for the peer */
        return UPLOAD_WAITS;
    }
    if (result != STEP_NEXT) {
        x->refused = result;
        return UPLOAD_REFUSED;
    }
    struct out o = out_fixed(x->piece_line, sizeof x->piece_line);
    x->body_text = x->request->body->memory;
    put_piece(x, &o);
    x->unsent = out_str_of(&o);
    timer_set(&x->link->connection.timer, x->conf->send_timeout);
    return UPLOAD_DONE;
}

static bool more_to_come(const struct exchange *x)
{
    return x->streaming && !x->request->body->complete;
}

/* The peer is well, but the request is not for it. */
static enum upload no_websockets(struct exchange *x)
{
    exchange_log(x, LOG_LEVEL_ERROR, 0, "upstream takes no WebSockets over HTTP/2 "
                 "(SETTINGS_ENABLE_CONNECT_PROTOCOL): proxy_http_version 1.1 may be what it wants");
    x->refused = STATUS_BAD_GATEWAY;
    return UPLOAD_REFUSED;
}

enum upload upload_run(struct exchange *x)
{
    while (!x->request_sent) {
        while (!piece_sent(x)) {
            ssize_t n = send_some(x);
            if (n == IO_AGAIN)
                return UPLOAD_WAITS;
            if (n < 0 && errno == EPROTONOSUPPORT)
                return no_websockets(x);
            if (n < 0)
                return UPLOAD_FAILED;
            upload_note_sent(x, (size_t)n);
        }
        enum upload result = more_to_come(x) ? next_piece(x) : UPLOAD_DONE;
        if (result != UPLOAD_DONE)
            return result;
        x->request_sent = piece_sent(x) && !more_to_come(x);
    }
    if (x->wire->body_sent)
        x->wire->body_sent(x);
    return UPLOAD_DONE;
}

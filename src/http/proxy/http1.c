/*
 * http1: see http1.h.  Requests are put together from the parsed form, responses are taken apart
 * strictly: nothing goes from one side to the other as it was written.
 */
#include "http/proxy/http1.h"

#include "http/proxy/http1_parse.h"
#include "http/proxy/proxied.h"
#include "http/proxy/proxy_rewrite.h"
#include "http/v1/v1_parse.h"
#include "http/websocket.h"

enum { TRAILERS_MOST = 65536 };

enum framing { FRAMING_NONE, FRAMING_LENGTH, FRAMING_CHUNKED, FRAMING_CLOSE };

struct http1 {
    struct proxied proxied;            /* first */
    enum framing framing;
    uint64_t left;                     /* of FRAMING_LENGTH */
    struct v1_chunks chunks;
    struct out trailers;               /* their lines, as they come */
    bool status_read, chunked;
    bool speaks_11;                    /* the peer */
};

static struct http1 *state_of(const struct exchange *x)
{
    return x->wire_state;
}

/* ---- the request ---- */

static void put_field(void *to, struct str name, struct str value)
{
    struct out *o = to;

    out_str(o, name);
    OUT_LITERAL(o, ": ");
    out_str(o, value);
    OUT_LITERAL(o, "\r\n");
}

static bool keeps(const struct exchange *x)
{
    const struct upstream *u = x->pick.group;

    return proxied_conf(x)->http_version == VERSION_11 && u->pool && u->keepalive.connections;
}

static bool put_head(struct exchange *x, struct out *o)
{
    const struct proxy_conf *conf = proxied_conf(x);
    struct http1 *h = state_of(x);

    h->status_read = h->chunked = false;
    proxied_start(x);
    struct str method = proxied_method(x);
    if (!method.data)
        return false;
    out_str(o, method);
    out_char(o, ' ');
    proxy_pass_put_uri(x->request, conf->pass, &h->proxied.target, o);
    if (conf->http_version == VERSION_11)
        OUT_LITERAL(o, " HTTP/1.1\r\n");
    else
        OUT_LITERAL(o, " HTTP/1.0\r\n");
    if (!proxied_put_fields(x, keeps(x), put_field, o))
        return false;
    OUT_LITERAL(o, "\r\n");
    return true;
}

/* The end of the last chunk and of the body, with what trails it (RFC 9112 section 7.1.2). */
static struct str end_with_trailers(struct exchange *x, bool data)
{
    struct out o = out_growing(&x->request->arena, TRAILERS_MOST);

    out_str(&o, data ? STR("\r\n0\r\n") : STR("0\r\n"));
    proxied_put_trailers(x, put_field, &o);
    OUT_LITERAL(&o, "\r\n");
    return o.overflow ? (data ? STR("\r\n0\r\n\r\n") : STR("0\r\n\r\n")) : out_str_of(&o);
}

/* RFC 9112 section 7.1. */
static struct str put_piece(struct exchange *x, size_t len, bool last, struct out *o)
{
    if (x->body_length >= 0)
        return STR("");
    if (len) {
        out_hex(o, len, 1);
        OUT_LITERAL(o, "\r\n");
    }
    return last ? end_with_trailers(x, len > 0) : STR("\r\n");
}

/* ---- the response's head ---- */

static enum head_result take_status(struct exchange *x, struct str line)
{
    struct http1_status_line parsed;

    if (!http1_parse_status(line, &parsed))
        return proxied_bad(x, "no valid HTTP/1.0 header", line);
    state_of(x)->status_read = true;
    x->head.status = parsed.status;
    x->head.status_text = parsed.text;
    x->head.keepalive = state_of(x)->speaks_11 = parsed.version == VERSION_11;
    return HEAD_MORE;
}

static enum head_result take_connection(struct exchange *x, struct str value)
{
    while (value.data) {
        struct str token = str_trim(str_split(&value, ','));
        if (str_eq_nocase(token, STR("close")))
            proxied_of(x)->close = true;
        else if (str_eq_nocase(token, STR("keep-alive")))
            x->head.keepalive = true;
    }
    return HEAD_MORE;
}

static enum head_result take_field(struct exchange *x, struct str name, struct str value)
{
    enum header_id id = header_id(name);

    if (proxied_take_field(x, id, name, value) == HEAD_BAD)
        return HEAD_BAD;
    switch (id) {
    case HEADER_TRANSFER_ENCODING:
        if (!str_eq_nocase(value, STR("chunked")))
            return proxied_bad(x, "unknown \"Transfer-Encoding\"", value);
        state_of(x)->chunked = true;
        return HEAD_MORE;
    case HEADER_CONNECTION:
        return take_connection(x, value);
    default:
        return HEAD_MORE;
    }
}

/* How the end of the body is known: RFC 9112 section 6.3. */
static enum head_result choose_framing(struct exchange *x)
{
    struct http1 *h = state_of(x);
    struct exchange_head *head = &x->head;
    bool bodiless = proxied_is_bodiless(x);

    if (h->chunked && head->length >= 0)
        return proxied_bad(x, "\"Content-Length\" and \"Transfer-Encoding\" headers at the same "
                              "time", STR(""));
    h->framing = bodiless ? FRAMING_NONE : h->chunked ? FRAMING_CHUNKED
                 : head->length >= 0 ? FRAMING_LENGTH : FRAMING_CLOSE;
    h->left = head->length > 0 ? (uint64_t)head->length : 0;
    h->trailers = out_growing(&x->request->arena, V1_MAX_CHUNK_EXTRA);
    h->chunks = (struct v1_chunks){ .trailers = &h->trailers };
    x->complete = bodiless || (h->framing == FRAMING_LENGTH && h->left == 0);
    if (h->proxied.close || h->framing == FRAMING_CLOSE || (h->chunked && !h->speaks_11))
        head->keepalive = false;               /* chunks in HTTP/1.0: RFC 9112 section 6.1 */
    return HEAD_DONE;
}

/* What follows is no HTTP that anybody knows. */
static enum head_result refuse_upgrade(struct exchange *x, const char *what)
{
    proxied_bad(x, what, x->head.status_text);
    x->head = (struct exchange_head){ .status = STATUS_BAD_GATEWAY };
    x->complete = true;
    return HEAD_DONE;
}

static enum head_result take_line(struct exchange *x, struct str line)
{
    struct str name, value;

    if (!state_of(x)->status_read)
        return take_status(x, line);
    switch (http1_parse_field(line, &name, &value)) {
    case HTTP1_FIELD:
        return take_field(x, name, value);
    case HTTP1_BAD:
        return proxied_bad(x, "invalid header line", line);
    case HTTP1_LAST:
        break;
    }
    if (x->head.status >= STATUS_OK)
        return choose_framing(x);
    if (x->head.status != STATUS_SWITCHING_PROTOCOLS) {
        state_of(x)->status_read = false;
        return HEAD_INTERIM;
    }
    if (!proxied_of(x)->upgrade)
        return refuse_upgrade(x, "an upgrade that was not asked for");
    if (x->request->flags.extended && !websocket_accepted(x->request, &x->head.fields))
        return refuse_upgrade(x, "an upgrade that is no WebSocket");
    x->head.upgrade = true;
    state_of(x)->framing = FRAMING_CLOSE;
    return HEAD_DONE;
}

/* Whether what has come behind the head is as it must be: the client has not been told anything
 * yet. */
static bool begins_well(struct exchange *x, struct str in)
{
    struct v1_chunks chunks = { 0 };
    struct str data;
    size_t used;

    while (state_of(x)->framing == FRAMING_CHUNKED && in.len && chunks.state != CHUNK_DONE) {
        if (!v1_chunks_next(&chunks, in, &used, &data))
            return false;
        in = str_from(in, used + data.len);
    }
    return true;
}

static enum head_result read_head(struct exchange *x)
{
    struct str in = str_range(x->in.at, x->in.end), line;
    enum head_result result = HEAD_MORE;

    if (x->head.status == 0)                   /* from the start, perhaps in another buffer */
        state_of(x)->status_read = state_of(x)->chunked = false;
    while (result == HEAD_MORE && http1_next_line(&in, &line))
        result = take_line(x, line);
    x->in.at = x->in.end - in.len;
    if (result == HEAD_DONE && !x->head.upgrade && !x->complete && !begins_well(x, in))
        return proxied_bad(x, "an invalid chunked body", STR(""));
    return result;
}

/* ---- its body ---- */

static bool take_trailers(struct exchange *x)
{
    struct str in = out_str_of(&state_of(x)->trailers), line, name, value;

    while (http1_next_line(&in, &line)) {
        if (http1_parse_field(line, &name, &value) != HTTP1_FIELD)
            return false;
        headers_add(&x->trailers, &x->request->arena, name, value);
    }
    return true;
}

static bool next_data(struct exchange *x, struct str in, size_t *used, struct str *data)
{
    struct http1 *h = state_of(x);

    *used = 0;
    *data = in;
    switch (h->framing) {
    case FRAMING_NONE:
        break;
    case FRAMING_CLOSE:
        x->complete = in.len == 0;
        return true;
    case FRAMING_LENGTH:
        if (in.len > h->left)
            data->len = (size_t)h->left;
        h->left -= data->len;
        x->complete = h->left == 0;
        return in.len > 0;
    case FRAMING_CHUNKED:
        if (!in.len || !v1_chunks_next(&h->chunks, in, used, data))
            return false;
        x->complete = h->chunks.state == CHUNK_DONE;
        return !x->complete || take_trailers(x);
    }
    return false;
}

const struct exchange_wire http1_wire = {
    .name = "http", .put_head = put_head, .put_piece = put_piece, .read_head = read_head,
    .next_data = next_data, .put_uri = proxied_put_uri, .rewrite = proxy_rewrite_field,
    .directives = "proxy", .module = &http_proxy_module, .state_size = sizeof(struct http1),
};

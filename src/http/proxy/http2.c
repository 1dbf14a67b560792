/*
 * http2: see http2.h.  Messages to and from the forms that http2_stream.h tells of; frames are not known
 * here.
 */
#include "http/proxy/http2.h"

#include "http/proxy/exchange_log.h"
#include "http/proxy/http2_stream.h"
#include "http/proxy/proxied.h"
#include "http/proxy/proxy_rewrite.h"
#include "http/websocket.h"

enum { PATH_MOST = 65536, TRAILERS_MOST = 65536 };

struct http2 {
    struct proxied proxied;            /* first */
    unsigned char record[HTTP2_RECORD_SIZE];
    unsigned have;                     /* bytes of it that have come */
    uint32_t record_left;              /* of its content */
    uint64_t left;                     /* of the body, where its length is known */
    bool websocket;                    /* the request is an extended CONNECT (RFC 8441) */
};

static struct http2 *state_of(const struct exchange *x)
{
    return x->wire_state;
}

static struct link *open_stream(struct exchange *x, const struct link_options *options, uint32_t key,
                                bool fresh, void (*wake)(void *owner))
{
    const struct upstream *u = x->pick.group;
    struct http2_want want = {
        .group = str_hash(u->name), .to = &x->pick.peer->address, .key = key, .fresh = fresh,
        .keepalive = u->is_block ? &u->keepalive : &keepalive_initial, .idle = u->is_block, .options = options,
    };

    return http2_stream_open(&want, wake, x);
}

/* ---- the request ---- */

struct fields {
    struct hpack_encoder encoder;
    struct out *out;
};

static void put(struct fields *f, struct str name, struct str value)
{
    hpack_put_field(&f->encoder, f->out, name, value, HPACK_PLAIN);
}

static void put_field(void *to, struct str name, struct str value)
{
    bool odd_te = str_eq_nocase(name, STR("te")) && !str_eq_nocase(value, STR("trailers"));

    if (!headers_is_of_http1(header_id(name)) && !odd_te && !str_eq_nocase(name, STR("host")))
        put(to, name, value);
}

static void put_field_of_websocket(void *to, struct str name, struct str value)
{
    if (!websocket_is_key(name))
        put_field(to, name, value);
}

static bool put_pseudo(struct exchange *x, struct fields *f)
{
    struct out path = out_growing(&x->request->arena, PATH_MOST);
    struct str method = proxied_method(x);

    if (!method.data)
        return false;
    proxy_pass_put_uri(x->request, proxied_conf(x)->pass, &proxied_of(x)->target, &path);
    if (path.overflow) {
        exchange_log(x, LOG_LEVEL_ERROR, 0, "the URI for the upstream is larger than %d bytes",
                    PATH_MOST);
        return false;
    }
    if (state_of(x)->websocket) {
        put(f, STR(":method"), STR("CONNECT"));
        put(f, STR(":protocol"), STR("websocket"));
    } else
        put(f, STR(":method"), method);
    put(f, STR(":scheme"), x->tls ? STR("https") : STR("http"));
    put(f, STR(":path"), out_str_of(&path));
    put(f, STR(":authority"), proxied_host(x));
    return true;
}

/* How long the body is, as far as that says where the request ends. */
static uint64_t body_length(const struct exchange *x)
{
    bool may_trail = x->conf->pass_trailers && (x->body_length || x->request->trailers.list.count);

    if (state_of(x)->websocket)
        return HTTP2_TUNNEL;
    return x->body_length < 0 || may_trail ? HTTP2_UNKNOWN : (uint64_t)x->body_length;
}

static bool put_head(struct exchange *x, struct out *o)
{
    struct fields f = { .out = o };
    char start[HTTP2_START_SIZE] = { 0 };
    size_t at = out_len(o);

    state_of(x)->have = 0;
    state_of(x)->record_left = 0;
    proxied_start(x);
    state_of(x)->websocket = x->body_length == 0 && proxied_wants_websocket(x);
    hpack_encoder_init(&f.encoder);
    out_bytes(o, start, sizeof start);
    hpack_put_begin(&f.encoder, o);
    bool good = put_pseudo(x, &f) &&
                proxied_put_fields(x, true, state_of(x)->websocket ? put_field_of_websocket : put_field, &f);
    hpack_encoder_fini(&f.encoder);
    if (good && !o->overflow)
        http2_stream_put_start(o->start + at, out_len(o) - at - HTTP2_START_SIZE, body_length(x));
    return good;
}

static void body_sent(struct exchange *x)
{
    struct out block = out_growing(&x->request->arena, TRAILERS_MOST);
    struct fields f = { .out = &block };

    if (state_of(x)->websocket)
        return;
    hpack_encoder_init(&f.encoder);
    hpack_put_begin(&f.encoder, &block);
    proxied_put_trailers(x, put_field, &f);
    hpack_encoder_fini(&f.encoder);
    http2_stream_finish(x->link, block.overflow ? STR("") : out_str_of(&block));
}

/* ---- the response's head ---- */

static enum head_result take_status(struct exchange *x, struct str value)
{
    uint64_t status;

    if (value.len != 3 || !str_to_u64(value, &status) || status < 100)
        return proxied_bad(x, "an invalid status", value);
    x->head.status = (unsigned)status;
    return HEAD_MORE;
}

static enum head_result take_head(struct exchange *x, struct cursor c)
{
    bool first = true;

    while (cursor_left(&c)) {
        struct str name = cursor_str(&c, cursor_u16(&c)), value = cursor_str(&c, cursor_u32(&c));
        enum header_id id = header_id(name);
        enum head_result result = HEAD_MORE;
        if (first != str_eq(name, STR(":status")))
            return proxied_bad(x, "a head without a status, or with two", name);
        if (headers_is_of_http1(id))
            return proxied_bad(x, "a field that HTTP/2 has not", name);
        result = first ? take_status(x, value) : proxied_take_field(x, id, name, value);
        if (result == HEAD_BAD)
            return HEAD_BAD;
        first = false;
    }
    if (x->head.status == STATUS_SWITCHING_PROTOCOLS)
        return proxied_bad(x, "a status that HTTP/2 has not", STR("101"));
    return x->head.status < STATUS_OK ? HEAD_INTERIM : HEAD_DONE;
}

/* A tunnel begins: as HTTP/1.1 says it. */
static enum head_result begin_websocket(struct exchange *x)
{
    websocket_accept(x->request);
    x->head.status = STATUS_SWITCHING_PROTOCOLS;
    x->head.upgrade = true;
    x->head.length = -1;
    return HEAD_DONE;
}

static bool is_end(struct str in)
{
    return in.len >= HTTP2_RECORD_SIZE && in.data[0] == HTTP2_RECORD_END;
}

static enum head_result read_head(struct exchange *x)
{
    struct cursor c = cursor_of(x->in.at, (size_t)(x->in.end - x->in.at));
    uint8_t type = cursor_u8(&c);
    const unsigned char *content = cursor_take(&c, cursor_u32(&c));

    if (c.bad)
        return HEAD_MORE;
    if (type != HTTP2_RECORD_HEAD)
        return proxied_bad(x, "no head", STR(""));
    enum head_result result = take_head(x, cursor_of(content, (size_t)(c.at - content)));
    x->in.at += c.at - (const unsigned char *)x->in.at;
    if (result != HEAD_DONE)
        return result;
    if (state_of(x)->websocket && x->head.status / 100 == 2)
        return begin_websocket(x);
    state_of(x)->left = x->head.length > 0 ? (uint64_t)x->head.length : 0;
    if (is_end(str_range(x->in.at, x->in.end))) {
        x->in.at += HTTP2_RECORD_SIZE;
        if (state_of(x)->left && !proxied_is_bodiless(x))
            return proxied_bad(x, "no body where \"Content-Length\" promises one", STR(""));
        x->complete = true;
    }
    x->complete |= proxied_is_bodiless(x);
    return HEAD_DONE;
}

/* ---- its body ---- */

/* A record's own bytes; they may come one by one.  How many were taken. */
static size_t take_record(struct http2 *h, struct str in)
{
    size_t n = 0;

    while (h->have < HTTP2_RECORD_SIZE && n < in.len)
        h->record[h->have++] = (unsigned char)in.data[n++];
    if (h->have == HTTP2_RECORD_SIZE) {
        struct cursor c = cursor_of(h->record + 1, 4);
        h->record_left = cursor_u32(&c);
    }
    return n;
}

static bool next_data(struct exchange *x, struct str in, size_t *used, struct str *data)
{
    struct http2 *h = state_of(x);

    *used = 0;
    *data = (struct str){ NULL, 0 };
    if (!in.len)
        return false;                          /* closed before a record of the end */
    if (h->record_left == 0)
        *used = take_record(h, in);
    if (h->have < HTTP2_RECORD_SIZE)
        return true;
    struct str content = str_from(in, *used);
    if (content.len > h->record_left)
        content.len = h->record_left;
    h->record_left -= (uint32_t)content.len;
    enum http2_record type = (enum http2_record)h->record[0];
    if (h->record_left == 0)
        h->have = 0;
    if (type == HTTP2_RECORD_END) {
        x->complete = true;
        return x->head.length < 0 || h->left == 0;
    }
    if (type != HTTP2_RECORD_DATA) {
        *used += content.len;                  /* trailers */
        return true;
    }
    *data = content;
    if (x->head.length >= 0) {
        if (content.len > h->left)
            return false;
        h->left -= content.len;
    }
    return true;
}

const struct exchange_wire http2_wire = {
    .name = "http", .put_head = put_head, .body_sent = body_sent, .read_head = read_head,
    .next_data = next_data,
    .put_uri = proxied_put_uri, .rewrite = proxy_rewrite_field,
    .directives = "proxy", .open = open_stream, .module = &http_proxy_module,
    .state_size = sizeof(struct http2),
};

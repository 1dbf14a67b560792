/*
 * v2_head: what a head means, field by field and together (RFC 9113 section 8).  What is malformed is
 * answered with 400, what is too large with 431 when it has been read for the sake of HPACK's table;
 * what unfolds far beyond its own bytes ends the connection before it costs memory.
 */
#include "http/core.h"
#include "http/host.h"
#include "http/v1/v1_parse.h"
#include "http/v2/v2_output.h"
#include "http/websocket.h"

enum { SKIPPED_BYTES = 64 };           /* of a head that is skipped, for a point of the budget */

/* A head being read. */
struct v2_head {
    struct v2 *v2;
    struct request *request;
    struct headers *headers;           /* where fields go: the request's, or its trailers */
    struct out space;                  /* of their texts, in the request's arena */
    struct cursor block;               /* all of it */
    struct str pseudo[HPACK_PSEUDO_OTHER + 1];     /* by enum hpack_pseudo; data NULL: has not come */
    struct str host;
    bool prioritized;                  /* a field says so */
    ARRAY(struct str) cookies;         /* pieces of Cookie */
    size_t cookie_size;                /* of them, put together */
    size_t size;                       /* of names and values so far */
    size_t cost;                       /* of all fields, also those that are skipped */
    unsigned fields, count;            /* regular ones; all */
    unsigned status;                   /* what refuses it; 0: nothing does */
};

static void refuse_with(struct v2_head *h, unsigned status, const char *what, struct str text)
{
    if (h->status)
        return;
    request_log(h->request, LOG_LEVEL_INFO, 0, "client sent %s: \"%.*s\"", what, STR_ARG(text));
    h->status = status;
}

static void refuse(struct v2_head *h, const char *what, struct str text)
{
    refuse_with(h, STATUS_BAD_REQUEST, what, text);
}

static void refuse_size(struct v2_head *h, unsigned status, const char *what)
{
    request_log(h->request, LOG_LEVEL_INFO, 0, "client sent %s", what);
    h->status = status;
}

/* A block's own bytes are read over soon. */
static struct str keep(struct v2_head *h, struct str s)
{
    const unsigned char *at = (const unsigned char *)s.data;

    if (s.len == 0 || at < h->block.at || at >= h->block.end)
        return s;
    if (!out_need(&h->space, s.len))
        return STR("");
    memcpy(h->space.at, s.data, s.len);
    h->space.at += s.len;
    return (struct str){ h->space.at - s.len, s.len };
}

/* ---- a field ---- */

/* Section 8.3.1. */
static void take_pseudo(struct v2_head *h, const struct hpack_field *f)
{
    if (h->fields || h->headers != &h->request->headers)
        refuse(h, "a pseudo-header field out of its place", f->name);
    else if (f->pseudo == HPACK_STATUS || f->pseudo == HPACK_PSEUDO_OTHER)
        refuse(h, "an unknown pseudo-header field", f->name);
    else if (h->pseudo[f->pseudo].data)
        refuse(h, "a duplicate pseudo-header field", f->name);
    else if (f->flaws & HPACK_BAD_VALUE)
        refuse(h, "an invalid pseudo-header field", f->name);
    else
        h->pseudo[f->pseudo] = keep(h, f->value);
}

/* A name that only underscores_in_headers or ignore_invalid_headers let through. */
static bool is_odd(struct str name, bool underscores)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || char_is_digit(c) || c == '-' || (underscores && c == '_')))
            return true;
    }
    return false;
}

/* Fields that have no place in HTTP/2 (section 8.2.2). */
static bool is_of_connection(const struct hpack_field *f)
{
    return headers_is_of_http1((enum header_id)f->id) ||
           (f->id == HEADER_TE && !str_eq_nocase(f->value, STR("trailers")));
}

/* Section 8.2.3: pieces of Cookie are put together. */
static void take_cookie(struct v2_head *h, struct str value)
{
    *ARRAY_PUSH(&h->cookies, &h->request->arena) = value;
    h->cookie_size += value.len + 2;
}

static void add_field(struct v2_head *h, const struct hpack_field *f)
{
    struct headers *to = h->headers;
    bool repeated = f->id != HEADER_OTHER && to->known[f->id];

    if (repeated && header_rule((enum header_id)f->id) == HEADER_UNIQUE) {
        refuse(h, "a duplicate field", f->name);
        return;
    }
    headers_add_as(to, &h->request->arena, (enum header_id)f->id, keep(h, f->name),
                   keep(h, f->value));
}

static void take_regular(struct v2_head *h, const struct hpack_field *f)
{
    const struct server_conf *conf = server_conf(h->request->conf);

    if (++h->fields > conf->max_headers || h->fields > UINT16_MAX - 2)
        refuse(h, "too many header fields", f->name);
    else if (f->flaws)
        refuse(h, f->flaws & HPACK_BAD_NAME ? "an invalid field name"
                                            : "an invalid value of the field", f->name);
    else if (is_of_connection(f))
        refuse(h, "a field of HTTP/1 connections", f->name);
    else if (conf->ignore_invalid_headers && is_odd(f->name, conf->underscores_in_headers))
        request_log(h->request, LOG_LEVEL_INFO, 0, "client sent invalid header line: \"%.*s\"",
                    STR_ARG(f->name));
    else if (f->id == HEADER_HOST && h->host.data)
        refuse(h, "a duplicate field", f->name);
    else if (f->id == HEADER_HOST)
        h->host = keep(h, f->value);
    else if (f->id == HEADER_COOKIE)
        take_cookie(h, f->value);
    else {
        h->prioritized |= str_eq(f->name, STR("priority"));
        add_field(h, f);
    }
}

/* ---- a block ---- */

/* Whether a field may still be taken; otherwise the head is refused as too large. */
static bool fits(struct v2_head *h, const struct hpack_field *f)
{
    const struct bufs *large = &server_conf(h->request->conf)->large_client_header_buffers;

    h->size += f->name.len + f->value.len;
    if (f->value.len > large->size && f->pseudo == HPACK_PATH)
        refuse_size(h, STATUS_URI_TOO_LONG, "too long URI");
    else if (f->name.len > large->size || f->value.len > large->size)
        refuse_size(h, STATUS_HEADER_TOO_LARGE, "too large header field");
    else if (h->size > large->count * large->size || h->space.overflow)
        refuse_size(h, STATUS_HEADER_TOO_LARGE, "too large request");
    return h->status == 0;
}

/*
 * Whether what the block unfolds to is out of proportion.  A head that is too large is read to its end
 * as long as the client pays for it with bytes of its own; few of them that stand for many, from the
 * table or as fields beyond max_headers, are a bomb.
 */
static bool is_bomb(struct v2_head *h, const struct hpack_field *f, size_t block)
{
    const struct server_conf *conf = server_conf(h->request->conf);
    const struct bufs *large = &conf->large_client_header_buffers;

    h->cost += f->name.len + f->value.len;
    if (h->count++ >= conf->max_headers)
        h->cost += HPACK_FIELD_COST;
    return h->cost > large->count * large->size + 2 * block;
}

/* Reads the block to its end.  false: the connection has failed. */
static bool read_block(struct v2_head *h, struct cursor *block)
{
    const struct server_conf *conf = server_conf(h->request->conf);
    size_t most = conf->large_client_header_buffers.count * conf->large_client_header_buffers.size;
    size_t len = cursor_left(block);
    struct v2 *v = h->v2;
    struct hpack_field f;
    enum hpack_result result;

    h->block = *block;
    h->space = out_growing(&h->request->arena, 2 * (most + conf->max_headers) + 1024);
    out_need(&h->space, (len < most ? len + len / 2 : most) + 64);
    for (;;) {
        result = hpack_next(&v->decoder, block, h->status ? NULL : &h->space, &f);
        if (result == HPACK_END || result == HPACK_ERROR || is_bomb(h, &f, len))
            break;
        if (h->status || !fits(h, &f))
            continue;                          /* for the sake of the table */
        if (f.pseudo == HPACK_REGULAR)
            take_regular(h, &f);
        else
            take_pseudo(h, &f);
    }
    if (result == HPACK_ERROR)
        v2_fail(v, block->bad ? FRAME_SIZE_ERROR : FRAME_COMPRESSION_ERROR, "a bad header block");
    else if (result != HPACK_END)
        v2_fail(v, FRAME_ENHANCE_YOUR_CALM, "a head that unfolds to far more than it may be");
    else if (h->space.overflow && !h->status)
        refuse_size(h, STATUS_HEADER_TOO_LARGE, "too large request");
    return !v->closing;
}

/* A head that nobody wants: read for the sake of the table.  Its size is paid for, because many fields
 * may be in it. */
static void skip_block(struct v2 *v, struct cursor *block)
{
    struct hpack_field f;
    enum hpack_result result;

    if (!v2_charge(v, (int)(cursor_left(block) / SKIPPED_BYTES)))
        return;
    do
        result = hpack_next(&v->decoder, block, NULL, &f);
    while (result == HPACK_FIELD || result == HPACK_TOO_LARGE);
    if (result == HPACK_ERROR)
        v2_fail(v, FRAME_COMPRESSION_ERROR, "a bad header block");
}

/* ---- all of them ---- */

static void put_front(struct v2_head *h, enum header_id id, struct str name, struct str value)
{
    struct headers *to = h->headers;

    *ARRAY_PUSH(&to->list, &h->request->arena) =
        (struct header){ .name = name, .value = value, .id = (uint8_t)id };
    to->known[id] = (uint16_t)to->list.count;
}

static void join_cookies(struct v2_head *h)
{
    struct out *o = &h->space;
    struct str cookie = STR("");

    if (h->cookies.count == 1)
        cookie = keep(h, h->cookies.items[0]);
    else if (h->cookies.count && out_need(o, h->cookie_size)) {
        char *start = o->at;
        for (unsigned i = 0; i < h->cookies.count; i++) {
            if (i)
                OUT_LITERAL(o, "; ");
            out_str(o, h->cookies.items[i]);
        }
        cookie = str_range(start, o->at);
    }
    if (cookie.len)
        put_front(h, HEADER_COOKIE, STR("cookie"), cookie);
}

static bool is_method(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!((s.data[i] >= 'A' && s.data[i] <= 'Z') || s.data[i] == '_' || s.data[i] == '-'))
            return false;
    }
    return s.len > 0;
}

/* RFC 3986 section 3.1. */
static bool is_scheme(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = char_lower(s.data[i]);
        bool letter = c >= 'a' && c <= 'z';
        if (!letter && (i == 0 || !(char_is_digit(c) || c == '+' || c == '-' || c == '.')))
            return false;
    }
    return s.len > 0;
}

/* "GET /path HTTP/2.0" */
static void make_line(struct v2_head *h, struct str target)
{
    struct request *r = h->request;
    struct out *o = &h->space;

    if (!out_need(o, r->method_name.len + target.len + sizeof "  HTTP/2.0"))
        return;
    char *start = o->at;
    out_str(o, r->method_name);
    out_char(o, ' ');
    out_str(o, target);
    OUT_LITERAL(o, " HTTP/2.0");
    r->line = str_range(start, o->at);
}

/* With :protocol (RFC 8441 section 4) a CONNECT is for a resource of this server: what asks for that over
 * HTTP/1.1 is GET, and as such it is served. */
static void take_method(struct v2_head *h)
{
    struct request *r = h->request;

    r->method_name = h->pseudo[HPACK_METHOD];
    r->method = request_method(r->method_name);
    r->flags.header_only = r->method == METHOD_HEAD;
    r->flags.connect = r->method == METHOD_CONNECT;
    if (!h->pseudo[HPACK_PROTOCOL].data)
        return;
    if (!r->flags.connect)
        refuse(h, "\":protocol\" without CONNECT", r->method_name);
    r->flags.extended = true;
    r->method = METHOD_GET;
    r->method_name = STR("GET");
}

/* A plain CONNECT is for an authority, and nothing else (section 8.5). */
static void take_authority(struct v2_head *h)
{
    struct str *path = &h->pseudo[HPACK_PATH];

    if (h->pseudo[HPACK_SCHEME].data || path->data)
        refuse_with(h, STATUS_NOT_ALLOWED, "CONNECT with more than an authority", h->request->line);
    else if (!h->pseudo[HPACK_AUTHORITY].len)
        refuse(h, "CONNECT without an authority", h->request->line);
    *path = STR("/");                          /* where a location is looked for */
}

/* :method, :scheme and :path: what a request can't do without. */
static void take_line(struct v2_head *h)
{
    struct request *r = h->request;
    struct str scheme = h->pseudo[HPACK_SCHEME], *path = &h->pseudo[HPACK_PATH];

    take_method(h);
    make_line(h, r->method == METHOD_CONNECT ? h->pseudo[HPACK_AUTHORITY] : *path);
    if (!is_method(r->method_name))
        refuse(h, "an invalid method", r->method_name);
    else if (r->method == METHOD_CONNECT)
        take_authority(h);
    else if (!scheme.len || !path->len)
        refuse(h, "a request without all of its pseudo-header fields", r->line);
    else if (!is_scheme(scheme))
        refuse(h, "an invalid scheme", scheme);
    r->unparsed_uri = *path;
    r->uri = STR("");
}

/* Section 8.3.1: the authority, and Host where it is there, must say the same. */
static void take_host(struct v2_head *h)
{
    struct request *r = h->request;
    struct str authority = h->pseudo[HPACK_AUTHORITY];

    if (!authority.data)
        authority = h->host;
    else if (h->host.data && !str_eq_nocase(authority, h->host)) {
        refuse(h, "another host in Host than in \":authority\"", h->host);
        return;
    }
    if (!authority.len || !host_parse(&r->arena, authority, &r->host, &r->host_port)) {
        refuse(h, authority.len ? "an invalid host" : "a request without host", authority);
        return;
    }
    if (r->method == METHOD_CONNECT && r->host_port == 0)
        refuse(h, "CONNECT without a port", authority);
    put_front(h, HEADER_HOST, STR("host"), authority);
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.data[i] <= ' ' || s.data[i] == '\x7f')
            return true;
    }
    return false;
}

static void take_path(struct v2_head *h)
{
    struct request *r = h->request;
    struct str target = h->pseudo[HPACK_PATH];
    struct v1_path path;

    if (str_eq(target, STR("*")) && r->method == METHOD_OPTIONS) {
        r->uri = target;
        return;
    }
    char *space = arena_try_alloc(&r->arena, target.len);
    if (!space || target.data[0] != '/' || has_control(target) ||
        !v1_parse_path(target, server_conf(r->conf)->merge_slashes, space, &path)) {
        refuse(h, "an invalid path", target);
        return;
    }
    r->uri = path.path;
    r->args = path.args;
    r->flags.complex_uri = path.changed;
}

/* How long the body will be. */
static void take_length(struct v2_head *h, bool ended)
{
    struct request *r = h->request;
    struct str length = headers_value(&r->headers, HEADER_CONTENT_LENGTH);
    uint64_t bytes;

    if (!length.data) {
        r->chunked_body = !ended && !r->flags.connect; /* its end will tell */
        return;
    }
    if (r->flags.connect)
        refuse(h, "CONNECT with a content-length", length);
    if (!str_to_u64(length, &bytes) || bytes > INT64_MAX)
        refuse(h, "an invalid content-length", length);
    else if (ended && bytes)
        refuse(h, "no body, but a content-length", length);
    else
        r->content_length = (int64_t)bytes;
}

/* What asks for a WebSocket over HTTP/1.1, as far as it is not there: back ends get to see that. */
static void put_upgrade(struct v2_head *h)
{
    struct request *r = h->request;

    put_front(h, HEADER_UPGRADE, STR("upgrade"), STR("websocket"));
    put_front(h, HEADER_CONNECTION, STR("connection"), STR("Upgrade"));
    websocket_put_key(r);
}

/* 0, or the status that refuses a request which is well-formed. */
static unsigned judge(struct request *r, struct str protocol)
{
    if (!v2_enabled(r->server->root.conf, r->client->listener->spec->object)) {
        request_log(r, LOG_LEVEL_INFO, 0, "client asked for a server that does not speak HTTP/2");
        return STATUS_MISDIRECTED_REQUEST;
    }
    if (r->method == METHOD_TRACE) {
        request_log(r, LOG_LEVEL_INFO, 0, "client sent %.*s method", STR_ARG(r->method_name));
        return STATUS_NOT_ALLOWED;
    }
    if (r->flags.extended && !str_eq_nocase(protocol, STR("websocket"))) {
        request_log(r, LOG_LEVEL_INFO, 0, "client asked for an unknown protocol: \"%.*s\"",
                    STR_ARG(protocol));
        return STATUS_NOT_IMPLEMENTED;
    }
    return 0;
}

/* A head that is too large and has no error_page: 431, which says so, and for which clients that show
 * it to people have words of their own. */
static void leave_page_out(struct request *r)
{
    struct response *res = &r->response;

    if (r->state != REQUEST_SENDING || res->status != STATUS_BAD_REQUEST)
        return;
    source_close(res->body);
    res->body = NULL;
    res->length = 0;
    res->content_type = (struct str){ NULL, 0 };
    res->status = STATUS_HEADER_FIELDS_TOO_LARGE;
}

static void take_head(struct v2_head *h, struct v2_stream *s)
{
    struct request *r = h->request;

    take_line(h);
    if (!h->status)
        take_host(h);
    join_cookies(h);
    if (!h->status)
        take_path(h);
    if (!h->status) {
        take_length(h, s->in_closed);
        request_begin(r);
    }
    if (!h->status)
        h->status = judge(r, h->pseudo[HPACK_PROTOCOL]);
    if (!h->status && r->flags.extended)
        put_upgrade(h);
    if (h->prioritized)
        v2_prioritize(s, headers_joined(&r->headers, &r->arena, STR("priority")));
    v2_priority_begin(s);
    if (!h->status)
        return;
    r->content_length = -1;
    r->chunked_body = false;
    request_refuse(r, h->status);
    if (h->status == STATUS_HEADER_TOO_LARGE)
        leave_page_out(r);
}

/* ---- streams ---- */

/* Whether a new stream may be opened; otherwise its head is of no interest, and it is reset but where the
 * peer knows that it is not served. */
static bool may_open(struct v2 *v, uint32_t id)
{
    const struct http_listen *l = v->client->listener->spec->object;

    v->last_id = id;
    if (v->late == id) {
        v->late = 0;
        return false;
    }
    if (v->goaway == V2_ANNOUNCED)
        v2_announce_end(v);                    /* for good, after a while */
    if (v->goaway == V2_FINAL && id > v->goaway_id) {
        v2_charge(v, V2_COST_EMPTY);
        return false;
    }
    if (v->live < v2_conf(l->default_server->root.conf)->max_streams)
        return true;
    client_log(v->client, LOG_LEVEL_INFO, 0, "client opened more than %u streams at a time", v->live);
    if (v2_charge(v, V2_COST_RESET))
        v2_reset(v, id, FRAME_REFUSED_STREAM);
    return false;
}

static void open_stream(struct v2 *v, uint32_t id, uint8_t flags, struct cursor *block)
{
    bool wanted = may_open(v, id);
    struct v2_stream *s = wanted ? v2_stream_new(v, id) : NULL;

    if (!s) {
        skip_block(v, block);
        if (wanted)                            /* memory is short */
            v2_reset(v, id, FRAME_REFUSED_STREAM);
        return;
    }
    struct request *r = s->request;
    struct v2_head h = { .v2 = v, .request = r, .headers = &r->headers };
    s->in_closed = (flags & FLAG_END_STREAM) != 0;
    r->received = cursor_left(block);
    v2_stream_wake(s);
    if (!read_block(&h, block))
        return;
    take_head(&h, s);
    if (r->client->requests >= core_conf(r->conf)->keepalive_requests ||
        clock_ms() - r->client->start_ms >= core_conf(r->conf)->keepalive_time)
        v2_announce_end(v);
}

/* Section 8.1: fields behind the body, which end the stream. */
static void take_trailers(struct v2 *v, struct v2_stream *s, uint8_t flags, struct cursor *block)
{
    struct request *r = s->request;
    struct v2_head h = { .v2 = v, .request = r, .headers = &r->trailers };

    r->received += cursor_left(block);
    if (!read_block(&h, block))
        return;
    if (s->in_closed)
        v2_stream_fail(s, FRAME_STREAM_CLOSED, "HEADERS behind the end of the body");
    else if (r->flags.connect)                 /* section 8.5 */
        v2_stream_fail(s, FRAME_PROTOCOL_ERROR, "HEADERS behind those of CONNECT");
    else if (!(flags & FLAG_END_STREAM) || h.status)
        v2_stream_fail(s, FRAME_PROTOCOL_ERROR, "bad trailers");
    else {
        v2_stream_end_body(s);
        v2_stream_wake(s);
    }
}

void v2_head_complete(struct v2 *v, uint32_t id, uint8_t flags, struct cursor *block)
{
    struct v2_stream *s = v2_stream_find(v, id);

    if (s && !s->gone)
        take_trailers(v, s, flags, block);
    else if (s || id <= v->last_id) {          /* reset by us; the peer did not know */
        if (v2_charge(v, V2_COST_EMPTY))
            skip_block(v, block);
    } else
        open_stream(v, id, flags, block);
}

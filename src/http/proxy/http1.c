/*
 * http1: see http1.h.  Requests are put together from the parsed form, responses are taken apart strictly:
 * nothing goes from one side to the other as it was written.
 */
#include "http/proxy/http1.h"

#include "http/proxy/exchange.h"
#include "http/proxy/http1_parse.h"
#include "http/proxy/proxy_conf.h"
#include "http/proxy/proxy_pass.h"
#include "http/proxy/proxy_rewrite.h"
#include "http/v1/v1_parse.h"

enum framing { FRAMING_NONE, FRAMING_LENGTH, FRAMING_CHUNKED, FRAMING_CLOSE };

struct http1 {
    struct proxy_target target;
    enum framing framing;
    uint64_t left;                     /* of FRAMING_LENGTH */
    struct v1_chunks chunks;
    bool status_read, chunked, head;   /* the method was HEAD */
    bool close;                        /* the request says so */
    bool upgrade;                      /* the request asks for it */
};

static struct http1 *state_of(const struct exchange *x)
{
    return x->wire_state;
}

static const struct proxy_conf *conf_of(const struct exchange *x)
{
    return x->wire_conf;
}

/* ---- the request ---- */

static void put_field(struct out *o, struct str name, struct str value)
{
    out_str(o, name);
    OUT_LITERAL(o, ": ");
    out_str(o, value);
    OUT_LITERAL(o, "\r\n");
}

static bool is_framing(struct str name)
{
    return str_eq_nocase(name, STR("content-length")) ||
           str_eq_nocase(name, STR("transfer-encoding"));
}

/* proxy_set_header's.  false: a value that would break the head apart. */
static bool put_set_headers(struct exchange *x, struct out *o)
{
    const struct proxy_conf *conf = conf_of(x);

    for (unsigned i = 0; i < conf->headers.items.count; i++) {
        const struct set_header *h = &conf->headers.items.items[i];
        struct str value = template_value(&h->value, request_script(x->request));
        if (value.len == 0 || is_framing(h->name))
            continue;
        if (!template_safe(value)) {
            request_log(x->request, LOG_LEVEL_ERROR, 0, "the value of \"%.*s\" has a line break in it",
                        STR_ARG(h->name));
            return false;
        }
        put_field(o, h->name, value);
        if (str_eq_nocase(h->name, STR("connection")) && str_eq_nocase(value, STR("close")))
            state_of(x)->close = true;
        if (str_eq_nocase(h->name, STR("upgrade")))
            state_of(x)->upgrade = true;
    }
    return true;
}

static bool keeps(const struct exchange *x)
{
    const struct upstream *u = x->pick.group;

    return conf_of(x)->http_version == VERSION_11 && u->pool && u->keepalive.connections;
}

static void put_default_headers(struct exchange *x, struct out *o)
{
    const struct proxy_conf *conf = conf_of(x);
    const struct request *r = x->request;
    uint64_t length = x->body_text.len + x->body_left;

    if (!conf->own_host)
        put_field(o, STR("Host"), state_of(x)->target.host);
    if (!conf->own_connection && !keeps(x)) {
        OUT_LITERAL(o, "Connection: close\r\n");
        state_of(x)->close = true;
    }
    if (length || (r->content_length >= 0 && x->conf->pass_request_body)) {
        OUT_LITERAL(o, "Content-Length: ");
        out_uint(o, length);
        OUT_LITERAL(o, "\r\n");
    }
}

static bool is_replaced(const struct proxy_conf *conf, const struct header *f)
{
    if (f->id != HEADER_OTHER)
        return conf->replaced >> f->id & 1;
    for (unsigned i = 0; i < conf->replaced_names.names.count; i++) {
        if (str_eq_nocase(conf->replaced_names.names.items[i], f->name))
            return true;
    }
    return false;
}

/* Whether Connection says that a field is for this hop alone (RFC 9110 section 7.6.1). */
static bool is_of_connection(const struct headers *h, struct str name)
{
    for (unsigned i = h->known[HEADER_CONNECTION]; i && i <= h->list.count; i++) {
        struct str list = h->list.items[i - 1].value;
        while (h->list.items[i - 1].id == HEADER_CONNECTION && list.data) {
            if (str_eq_nocase(str_trim(str_split(&list, ',')), name))
                return true;
        }
    }
    return false;
}

static void put_client_headers(struct exchange *x, struct out *o)
{
    const struct headers *h = &x->request->headers;
    bool nominates = h->known[HEADER_CONNECTION] != 0;

    for (unsigned i = 0; i < h->list.count; i++) {
        const struct header *f = &h->list.items[i];
        if (!is_replaced(conf_of(x), f) && !(nominates && is_of_connection(h, f->name)))
            put_field(o, f->name, f->value);
    }
}

/* false: there is none that could stand in a request line. */
static bool put_method(struct exchange *x, struct out *o)
{
    const struct proxy_conf *conf = conf_of(x);
    struct str method = x->request->method_name;

    if (!template_is_empty(&conf->method))
        method = template_value(&conf->method, request_script(x->request));
    if (!v1_is_token(method)) {
        request_log(x->request, LOG_LEVEL_ERROR, 0, "invalid method \"%.*s\" for upstream",
                    STR_ARG(method));
        return false;
    }
    state_of(x)->head = str_eq(method, STR("HEAD"));
    out_str(o, method);
    return true;
}

static bool put_head(struct exchange *x, struct out *o)
{
    const struct proxy_conf *conf = conf_of(x);
    struct http1 *h = state_of(x);

    h->status_read = h->chunked = h->close = h->upgrade = false;
    if (!template_is_empty(&conf->body)) {
        x->body_text = template_value(&conf->body, request_script(x->request));
        x->body_left = 0;
    }
    if (!put_method(x, o))
        return false;
    out_char(o, ' ');
    proxy_pass_put_uri(x->request, conf->pass, &h->target, o);
    if (conf->http_version == VERSION_11)
        OUT_LITERAL(o, " HTTP/1.1\r\n");
    else
        OUT_LITERAL(o, " HTTP/1.0\r\n");
    if (!put_set_headers(x, o))
        return false;
    put_default_headers(x, o);
    if (x->conf->pass_request_headers)
        put_client_headers(x, o);
    OUT_LITERAL(o, "\r\n");
    return true;
}

/* ---- the response's head ---- */

static enum head_result bad(const struct exchange *x, const char *what, struct str line)
{
    request_log(x->request, LOG_LEVEL_ERROR, 0, "upstream sent %s: \"%.*s\" while reading response "
                "header from upstream", what, STR_ARG(str_first(line, line.len < 256 ? line.len : 256)));
    return HEAD_BAD;
}

static enum head_result take_status(struct exchange *x, struct str line)
{
    struct http1_status_line parsed;

    if (!http1_parse_status(line, &parsed))
        return bad(x, "no valid HTTP/1.0 header", line);
    state_of(x)->status_read = true;
    x->head.status = parsed.status;
    x->head.status_text = parsed.text;
    x->head.keepalive = parsed.version == VERSION_11;
    return HEAD_MORE;
}

static enum head_result take_connection(struct exchange *x, struct str value)
{
    while (value.data) {
        struct str token = str_trim(str_split(&value, ','));
        if (str_eq_nocase(token, STR("close")))
            state_of(x)->close = true;
        else if (str_eq_nocase(token, STR("keep-alive")))
            x->head.keepalive = true;
    }
    return HEAD_MORE;
}

/* Fields of which the first counts: who believes one is not to be fooled by who believes another. */
static bool is_single(struct str name)
{
    static const struct str names[] = {
        STR_INIT("content-type"), STR_INIT("content-encoding"), STR_INIT("content-range"),
        STR_INIT("date"), STR_INIT("expires"), STR_INIT("last-modified"), STR_INIT("etag"),
        STR_INIT("server"), STR_INIT("location"), STR_INIT("refresh"), STR_INIT("accept-ranges"),
        STR_INIT("x-accel-expires"), STR_INIT("x-accel-redirect"), STR_INIT("x-accel-limit-rate"),
        STR_INIT("x-accel-buffering"), STR_INIT("x-accel-charset"),
    };

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].len == name.len && str_eq_nocase(names[i], name))
            return true;
    }
    return false;
}

static bool has_field(const struct headers *h, struct str name)
{
    for (unsigned i = 0; i < h->list.count; i++) {
        if (h->list.items[i].name.len == name.len && str_eq_nocase(h->list.items[i].name, name))
            return true;
    }
    return false;
}

static enum head_result take_field(struct exchange *x, struct str name, struct str value,
                                   struct str line)
{
    struct headers *h = &x->head.fields;
    enum header_id id = header_id(name);
    uint64_t length;

    if (is_single(name) && has_field(h, name)) {
        request_log(x->request, LOG_LEVEL_WARN, 0, "upstream sent duplicate header line: \"%.*s\", "
                    "ignored", STR_ARG(line));
        return HEAD_MORE;
    }
    if ((id == HEADER_CONTENT_LENGTH || id == HEADER_TRANSFER_ENCODING) && h->known[id])
        return bad(x, "duplicate header line", line);
    headers_add(h, &x->request->arena, name, value);
    if (id == HEADER_CONTENT_LENGTH) {
        if (!str_to_u64(value, &length) || length > INT64_MAX)
            return bad(x, "invalid \"Content-Length\" header", line);
        x->head.length = (int64_t)length;
    }
    if (id == HEADER_TRANSFER_ENCODING) {
        if (!str_eq_nocase(value, STR("chunked")))
            return bad(x, "unknown \"Transfer-Encoding\"", line);
        state_of(x)->chunked = true;
    }
    return id == HEADER_CONNECTION ? take_connection(x, value) : HEAD_MORE;
}

/* How the end of the body is known: RFC 9112 section 6.3. */
static enum head_result choose_framing(struct exchange *x)
{
    struct http1 *h = state_of(x);
    struct exchange_head *head = &x->head;
    bool bodiless = h->head || head->status == STATUS_NO_CONTENT || head->status == STATUS_NOT_MODIFIED;

    if (h->chunked && head->length >= 0)
        return bad(x, "\"Content-Length\" and \"Transfer-Encoding\" headers at the same time",
                   STR(""));
    h->framing = bodiless ? FRAMING_NONE : h->chunked ? FRAMING_CHUNKED
                 : head->length >= 0 ? FRAMING_LENGTH : FRAMING_CLOSE;
    h->left = head->length > 0 ? (uint64_t)head->length : 0;
    h->chunks = (struct v1_chunks){ 0 };
    x->complete = bodiless || (h->framing == FRAMING_LENGTH && h->left == 0);
    if (h->close || h->framing == FRAMING_CLOSE)
        head->keepalive = false;
    return HEAD_DONE;
}

static enum head_result take_line(struct exchange *x, struct str line)
{
    struct str name, value;

    if (!state_of(x)->status_read)
        return take_status(x, line);
    switch (http1_parse_field(line, &name, &value)) {
    case HTTP1_FIELD:
        return take_field(x, name, value, line);
    case HTTP1_BAD:
        return bad(x, "invalid header line", line);
    case HTTP1_LAST:
        break;
    }
    if (x->head.status >= STATUS_OK)
        return choose_framing(x);
    if (x->head.status != STATUS_SWITCHING_PROTOCOLS) {
        state_of(x)->status_read = false;
        return HEAD_INTERIM;
    }
    if (!state_of(x)->upgrade)
        return bad(x, "an upgrade that was not asked for", x->head.status_text);
    x->head.upgrade = true;
    return HEAD_DONE;
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
    return result;
}

/* ---- its body ---- */

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
        return true;
    }
    return false;
}

static const struct exchange_wire wire = {
    "http", put_head, read_head, next_data, proxy_rewrite_field,
};

struct str http1_target_part(const struct request *r, bool port)
{
    const struct proxy_conf *conf = CONF(r->conf, http_proxy_module);
    const struct proxy_target *t = NULL;

    if (r->exchange && r->exchange->wire == &wire && r->exchange->wire_state)
        t = &state_of(r->exchange)->target;
    else if (conf->pass && template_is_text(&conf->pass->url))
        t = &conf->pass->target;
    if (!t)
        return (struct str){ NULL, 0 };
    return port ? t->port : t->host;
}

int http1_handler(struct request *r)
{
    const struct proxy_conf *conf = CONF(r->conf, http_proxy_module);
    struct exchange *x = r->exchange;
    struct proxy_target target;

    if (!exchange_under_way(x)) {
        if (!proxy_pass_target(r, conf->pass, &target))
            return STATUS_INTERNAL_SERVER_ERROR;
        if (!target.upstream)
            return STATUS_BAD_GATEWAY;
        x = exchange_begin(r, &wire, &conf->exchange, target.upstream);
        x->wire_conf = conf;
        x->wire_state = ARENA_NEW(&r->arena, struct http1);
        state_of(x)->target = target;
        x->key = target.upstream->keepalive.local ? conf->pass->key : 0;
    }
    return exchange_run(x);
}

/*
 * proxied: see proxied.h.
 */
#include "http/proxy/proxied.h"

#include "http/proxy/exchange_log.h"
#include "http/modules/ssl/ssl_peer.h"
#include "http/proxy/http1.h"
#include "http/proxy/http2.h"
#include "http/response.h"
#include "http/v1/v1_parse.h"
#include "http/websocket.h"
#include "modules_enabled.h"

/* ---- the request ---- */

enum { LOGGED_MOST = 256 };            /* bytes of what a peer sent */

/* Where fields go. */
struct sink {
    void (*put)(void *to, struct str name, struct str value);
    void *to;
};

static void sink_put(const struct sink *s, struct str name, struct str value)
{
    s->put(s->to, name, value);
}

static void put_number(const struct sink *s, struct str name, uint64_t value)
{
    char space[24];
    struct out o = out_fixed(space, sizeof space);

    out_uint(&o, value);
    sink_put(s, name, out_str_of(&o));
}

void proxied_start(struct exchange *x)
{
    const struct proxy_conf *conf = proxied_conf(x);
    struct proxied *p = proxied_of(x);

    p->close = p->upgrade = false;
    if (template_is_empty(&conf->body))
        return;
    x->body_text = template_value(&conf->body, request_script(x->request));
    x->body_left = 0;
    x->body_length = (int64_t)x->body_text.len;
}

struct str proxied_method(struct exchange *x)
{
    const struct proxy_conf *conf = proxied_conf(x);
    struct str method = x->request->method_name;

    if (!template_is_empty(&conf->method))
        method = template_value(&conf->method, request_script(x->request));
    if (!v1_is_token(method)) {
        exchange_log(x, LOG_LEVEL_ERROR, 0, "invalid method \"%.*s\" for upstream",
                    STR_ARG(method));
        return (struct str){ NULL, 0 };
    }
    proxied_of(x)->head = str_eq(method, STR("HEAD"));
    return method;
}

struct str proxied_host(struct exchange *x)
{
    const struct proxy_conf *conf = proxied_conf(x);

    for (unsigned i = 0; conf->own_host && i < conf->headers.items.count; i++) {
        const struct set_header *h = &conf->headers.items.items[i];
        if (h->id == HEADER_HOST)
            return template_value(&h->value, request_script(x->request));
    }
    return proxied_of(x)->target.host;
}

/* RFC 9110 section 7.8; a tunnel takes the whole connection, or a stream that asks for one. */
static bool may_upgrade(const struct request *r)
{
    return (r->version == VERSION_11 || r->flags.extended) && r == r->main;
}

bool proxied_wants_websocket(struct exchange *x)
{
    const struct proxy_conf *conf = proxied_conf(x);
    const struct request *r = x->request;
    bool wants = false;

    for (unsigned i = 0; i < conf->headers.items.count; i++) {
        const struct set_header *h = &conf->headers.items.items[i];
        if (h->id == HEADER_UPGRADE)
            wants |= str_eq_nocase(template_value(&h->value, request_script(x->request)), STR("websocket"));
    }
    return wants && may_upgrade(r) && websocket_has_key(r);
}

/* proxy_set_header's.  false: a value that would break the head apart. */
static bool put_set_headers(struct exchange *x, const struct sink *to)
{
    const struct proxy_conf *conf = proxied_conf(x);

    for (unsigned i = 0; i < conf->headers.items.count; i++) {
        const struct set_header *h = &conf->headers.items.items[i];
        struct str value = template_value(&h->value, request_script(x->request));
        if (value.len == 0 || h->id == HEADER_CONTENT_LENGTH || h->id == HEADER_TRANSFER_ENCODING)
            continue;
        if (h->id == HEADER_UPGRADE && !may_upgrade(x->request))
            continue;
        if (!template_safe(value)) {
            exchange_log(x, LOG_LEVEL_ERROR, 0, "the value of \"%.*s\" has a line break in it",
                        STR_ARG(h->name));
            return false;
        }
        sink_put(to, h->name, value);
        if (h->id == HEADER_CONNECTION && str_eq_nocase(value, STR("close")))
            proxied_of(x)->close = true;
        if (h->id == HEADER_UPGRADE)
            proxied_of(x)->upgrade = true;
    }
    return true;
}

static void put_default_headers(struct exchange *x, bool keeps, const struct sink *to)
{
    const struct proxy_conf *conf = proxied_conf(x);
    const struct request *r = x->request;
    if (!conf->own_host)
        sink_put(to, STR("Host"), proxied_of(x)->target.host);
    if (!conf->own_connection && !keeps) {
        sink_put(to, STR("Connection"), STR("close"));
        proxied_of(x)->close = true;
    }
    if (x->body_length < 0)
        sink_put(to, STR("Transfer-Encoding"), STR("chunked"));
    else if (x->body_length ||
             ((r->content_length >= 0 || r->chunked_body) && x->conf->pass_request_body))
        put_number(to, STR("Content-Length"), (uint64_t)x->body_length);
}

/* One less than it was: RFC 9110 section 7.6.2.  What is no number goes on as it is. */
static void put_max_forwards(const struct sink *to, const struct header *f)
{
    uint64_t left;

    if (!str_to_u64(f->value, &left) || left == 0) {
        sink_put(to, f->name, f->value);
        return;
    }
    put_number(to, f->name, left - 1);
}

static void put_client_headers(struct exchange *x, const struct sink *to)
{
    const struct headers *h = &x->request->headers;
    bool nominates = h->known[HEADER_CONNECTION] != 0;

    for (unsigned i = 0; i < h->list.count; i++) {
        const struct header *f = &h->list.items[i];
        if (header_set_has(&proxied_conf(x)->replaced, f) ||
            (nominates && headers_nominate(h, f->name)))
            continue;
        if (f->id == HEADER_MAX_FORWARDS && x->request->method == METHOD_OPTIONS)
            put_max_forwards(to, f);
        else
            sink_put(to, f->name, f->value);
    }
}

bool proxied_put_fields(struct exchange *x, bool keeps,
                        void (*put)(void *to, struct str name, struct str value), void *to)
{
    struct sink s = { put, to };

    if (!put_set_headers(x, &s))
        return false;
    put_default_headers(x, keeps, &s);
    if (x->conf->pass_request_headers)
        put_client_headers(x, &s);
    return true;
}

/* RFC 9110 section 6.5.1: what frames, routes, authenticates or modifies a request has no place behind it.
 * Nor has what means something to Weir, or is set here: some servers take trailers for fields of the
 * head. */
static bool may_trail(const struct exchange *x, const struct header *f)
{
    static const struct str names[] = {
        STR_INIT("proxy-authorization"), STR_INIT("forwarded"), STR_INIT("pragma"),
    };

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (str_eq_nocase(f->name, names[i]))
            return false;
    }
    return f->id == HEADER_OTHER && !str_starts_nocase(f->name, STR("x-forwarded-")) &&
           !header_set_has(&proxied_conf(x)->replaced, f) && !headers_nominate(&x->request->headers, f->name);
}

void proxied_put_trailers(struct exchange *x, void (*put)(void *to, struct str name, struct str value),
                          void *to)
{
    const struct headers *trailers = &x->request->trailers;

    if (!x->conf->pass_trailers || !x->conf->pass_request_headers ||
        !template_is_empty(&proxied_conf(x)->body))
        return;
    for (unsigned i = 0; i < trailers->list.count; i++) {
        const struct header *f = &trailers->list.items[i];
        if (may_trail(x, f))
            put(to, f->name, f->value);
    }
}

void proxied_put_uri(struct exchange *x, struct out *o)
{
    proxy_pass_put_uri(x->request, proxied_conf(x)->pass, &proxied_of(x)->target, o);
}

/* ---- the response ---- */

enum head_result proxied_bad(struct exchange *x, const char *what, struct str text)
{
    if (text.len > LOGGED_MOST)
        text.len = LOGGED_MOST;
    exchange_log(x, LOG_LEVEL_ERROR, 0, "upstream sent %s: \"%.*s\"", what, STR_ARG(text));
    return HEAD_BAD;
}

/* Fields of which the first counts: who believes one is not to be fooled by who believes another. */
static bool is_single(enum header_id id)
{
    switch (id) {
    case HEADER_CONTENT_TYPE:
    case HEADER_CONTENT_ENCODING:
    case HEADER_CONTENT_RANGE:
    case HEADER_DATE:
    case HEADER_EXPIRES:
    case HEADER_LAST_MODIFIED:
    case HEADER_ETAG:
    case HEADER_SERVER:
    case HEADER_LOCATION:
    case HEADER_REFRESH:
    case HEADER_ACCEPT_RANGES:
    case HEADER_X_ACCEL_EXPIRES:
    case HEADER_X_ACCEL_REDIRECT:
    case HEADER_X_ACCEL_LIMIT_RATE:
    case HEADER_X_ACCEL_BUFFERING:
    case HEADER_X_ACCEL_CHARSET:
        return true;
    default:
        return false;
    }
}

enum head_result proxied_take_field(struct exchange *x, enum header_id id, struct str name,
                                    struct str value)
{
    struct headers *h = &x->head.fields;
    uint64_t length;

    if (h->known[id] && is_single(id)) {
        exchange_log(x, LOG_LEVEL_WARN, 0, "upstream sent duplicate header line: \"%.*s: %.*s\", "
                    "ignored", STR_ARG(name), STR_ARG(value));
        return HEAD_MORE;
    }
    if (h->known[id] && (id == HEADER_CONTENT_LENGTH || id == HEADER_TRANSFER_ENCODING))
        return proxied_bad(x, "duplicate header line", name);
    headers_add_as(h, &x->request->arena, id, name, value);
    if (id != HEADER_CONTENT_LENGTH)
        return HEAD_MORE;
    if (!str_to_u64(value, &length) || length > INT64_MAX)
        return proxied_bad(x, "invalid \"Content-Length\" header", value);
    x->head.length = (int64_t)length;
    return HEAD_MORE;
}

bool proxied_is_bodiless(const struct exchange *x)
{
    return proxied_of(x)->head || x->head.status == STATUS_NO_CONTENT ||
           x->head.status == STATUS_NOT_MODIFIED;
}

/* ---- the handler ---- */

struct str proxied_target_part(const struct request *r, bool port)
{
    const struct proxy_conf *conf = CONF(r->conf, http_proxy_module);
    const struct exchange *x = r->exchange;
    const struct proxy_target *t = NULL;

    if (x && x->wire->module == &http_proxy_module && x->wire_state)
        t = &proxied_of(x)->target;
    else if (conf->pass && template_is_text(&conf->pass->url))
        t = &conf->pass->target;
    if (!t)
        return (struct str){ NULL, 0 };
    return port ? t->port : t->host;
}

/* OPTIONS that is not to be passed on any more: Weir is whom it asks. */
static bool ends_here(const struct request *r)
{
    struct str most = headers_value(&r->headers, HEADER_MAX_FORWARDS);
    uint64_t left;

    return r->method == METHOD_OPTIONS && str_to_u64(most, &left) && left == 0;
}

/* false: what is said to the peer can't be kept secret (logged). */
static bool make_secure(struct exchange *x)
{
    IF_MODULE_ssl(struct str alpn = x->wire == &http2_wire ? STR("\x02h2") : STR("");
    x->tls = ssl_peer_of(x->request, proxied_of(x)->target.host, alpn, &x->key);)
    return x->tls != NULL;
}

int proxied_handler(struct request *r)
{
    const struct proxy_conf *conf = CONF(r->conf, http_proxy_module);
    const struct exchange_wire *wire = conf->http_version == VERSION_20 ? &http2_wire : &http1_wire;
    struct exchange *x = r->exchange;
    struct proxy_target target;

    if (!exchange_under_way(x)) {
        if (ends_here(r))
            return response_text(r, STATUS_OK, STR(""), STR(""));
        if (!proxy_pass_target(r, conf->pass, &target))
            return STATUS_INTERNAL_SERVER_ERROR;
        if (!target.upstream)
            return STATUS_BAD_GATEWAY;
        x = exchange_begin(r, wire, &conf->exchange, target.upstream);
        x->wire_conf = conf;
        x->wire_state = memset(arena_alloc(&r->arena, wire->state_size), 0, wire->state_size);
        proxied_of(x)->target = target;
        if (target.upstream->keepalive.local)  /* for one host of one place */
            x->key = (conf->pass->key ^ str_hash_nocase(target.upstream->name)) | 1;
        if (target.secure && !make_secure(x))
            return STATUS_INTERNAL_SERVER_ERROR;
    }
    return exchange_run(x);
}

/*
 * v1_head: what the lines of a head mean, one by one and together.  Whatever is ambiguous is
 * refused; nothing is guessed.
 */
#include "http/core.h"
#include "http/host.h"
#include "http/http.h"
#include "http/v1/v1.h"

/* ---- the request line ---- */

static unsigned bad_request_line(struct request *r, enum v1_result why)
{
    request_log(r, LOG_LEVEL_INFO, 0, "client sent invalid %s while reading client request line",
                why == V1_BAD_METHOD ? "method" : why == V1_BAD_VERSION ? "version" : "request");
    return why == V1_BAD_VERSION ? STATUS_VERSION_NOT_SUPPORTED : STATUS_BAD_REQUEST;
}

/* The authority of a target counts more than Host.  0, or a status. */
static unsigned take_authority(struct request *r, const struct v1_request_line *parsed)
{
    bool secure = r->client->connection.transport != &transport_plain;

    r->scheme_host = parsed->authority;
    if (!host_parse(&r->arena, parsed->authority, &r->host, &r->host_port) ||
        (r->method == METHOD_CONNECT && r->host_port == 0)) {
        request_log(r, LOG_LEVEL_INFO, 0, "client sent invalid host in request line");
        return STATUS_BAD_REQUEST;
    }
    if (!parsed->scheme.len || str_eq_nocase(parsed->scheme, STR("http")))
        return 0;
    if (!str_eq_nocase(parsed->scheme, STR("https")))
        return bad_request_line(r, V1_BAD);
    return secure ? 0 : STATUS_MISDIRECTED_REQUEST;    /* RFC 9110 section 7.4 */
}

/* The target's path, decoded.  0, or a status. */
static unsigned take_path(struct request *r, struct str target)
{
    struct v1_path path;
    char *space = arena_try_alloc(&r->arena, target.len);

    r->unparsed_uri = target;
    r->uri = STR("");                         /* until it is known to be a path */
    if (!space)
        return STATUS_SERVICE_UNAVAILABLE;
    if (!v1_parse_path(target, server_conf(r->conf)->merge_slashes, space, &path)) {
        request_log(r, LOG_LEVEL_INFO, 0, "client sent an invalid path: \"%.*s\"", STR_ARG(target));
        return STATUS_BAD_REQUEST;
    }
    r->uri = path.path;
    r->args = path.args;
    r->flags.complex_uri = path.changed;
    return 0;
}

static unsigned take_request_line(struct request *r, struct v1 *v, struct str line)
{
    struct v1_request_line parsed;

    r->line = line;
    enum v1_result result = v1_parse_request_line(line, &parsed);
    if (result != V1_OK)
        return bad_request_line(r, result);
    r->method_name = parsed.method;
    r->method = request_method(parsed.method);
    r->version = parsed.version <= VERSION_10 ? parsed.version : VERSION_11;
    r->flags.header_only = r->method == METHOD_HEAD;
    r->flags.simple = r->version == VERSION_9;
    r->flags.empty_path = parsed.no_path;
    if (r->flags.simple) {
        v->progress = V1_COMPLETE;
        v->body_done = true;
        request_begin(r);
    } else
        v->progress = V1_FIELDS;
    unsigned status = parsed.authority.data ? take_authority(r, &parsed) : 0;
    return status ? status : take_path(r, parsed.target);
}

/* ---- a field ---- */

static unsigned bad_field(const struct request *r, const char *what, struct str line)
{
    request_log(r, LOG_LEVEL_INFO, 0, "client sent %s header line: \"%.*s\"", what, STR_ARG(line));
    return STATUS_BAD_REQUEST;
}

static unsigned add_field(struct request *r, struct str name, struct str value, struct str line)
{
    enum header_id id = header_id(name);
    bool repeated = id != HEADER_OTHER && r->headers.known[id];

    if (repeated && header_rule(id) == HEADER_UNIQUE)
        return bad_field(r, "duplicate", line);
    headers_add_as(&r->headers, &r->arena, id, name, value);
    return 0;
}

static unsigned take_field(struct request *r, struct v1 *v, struct str line)
{
    const struct server_conf *conf = server_conf(r->conf);
    struct str name, value;

    if (++v->fields > conf->max_headers || v->fields > UINT16_MAX) {
        request_log(r, LOG_LEVEL_INFO, 0, "client sent too many header lines");
        return STATUS_HEADER_TOO_LARGE;
    }
    switch (v1_parse_field(line, conf->underscores_in_headers, &name, &value)) {
    case V1_OK:
        break;
    case V1_SKIP:
        if (conf->ignore_invalid_headers) {
            bad_field(r, "invalid", line);
            return 0;
        }
        if (v1_is_token(name))
            break;
        return bad_field(r, "invalid", line);
    default:
        return bad_field(r, "invalid", line);
    }
    return add_field(r, name, value, line);
}

/* ---- all of them ---- */

/* Host, RFC 9112 section 3.2.  0, or a status. */
static unsigned take_host(struct request *r)
{
    struct str host = headers_value(&r->headers, HEADER_HOST), name;
    unsigned port;

    if (!host.data) {
        if (r->version < VERSION_11)
            return 0;
        request_log(r, LOG_LEVEL_INFO, 0,
                    "client sent HTTP/1.1 request without \"Host\" header");
        return STATUS_BAD_REQUEST;
    }
    if (!host_parse(&r->arena, host, &name, &port)) {
        request_log(r, LOG_LEVEL_INFO, 0, "client sent invalid host header");
        return STATUS_BAD_REQUEST;
    }
    if (!r->scheme_host.len) {
        r->host = name;
        r->host_port = port;
    } else                                    /* nobody is to believe the other: section 3.2.2 */
        r->headers.list.items[r->headers.known[HEADER_HOST] - 1].value = r->scheme_host;
    return 0;
}

/* Transfer-Encoding: 0, or a status.  "chunked" alone is taken; a list that is none, or has it twice, is
 * malformed, and any other coding is not known here (RFC 9112 section 6.1). */
static unsigned take_coding(struct request *r, struct str coding)
{
    bool chunked = false;

    if (r->version < VERSION_11) {
        request_log(r, LOG_LEVEL_INFO, 0,
                    "client sent HTTP/1.0 request with \"Transfer-Encoding\" header");
        return STATUS_BAD_REQUEST;
    }
    if (str_eq_nocase(coding, STR("chunked"))) {
        r->chunked_body = true;
        return 0;
    }
    request_log(r, LOG_LEVEL_INFO, 0, "client sent unknown \"Transfer-Encoding\": \"%.*s\"",
                STR_ARG(coding));
    for (struct str rest = coding; rest.data;) {
        struct str name = str_trim(str_split(&rest, ','));
        bool again = chunked && str_eq_nocase(name, STR("chunked"));
        if (again || !v1_is_token(name))
            return STATUS_BAD_REQUEST;
        chunked |= str_eq_nocase(name, STR("chunked"));
    }
    return STATUS_NOT_IMPLEMENTED;
}

/* The body's framing, RFC 9112 section 6.3.  0, or a status. */
static unsigned take_framing(struct request *r, struct v1 *v)
{
    struct str length = headers_value(&r->headers, HEADER_CONTENT_LENGTH);
    struct str coding = headers_value(&r->headers, HEADER_TRANSFER_ENCODING);

    v->body_done = !length.data && !coding.data;
    if (length.data && coding.data) {
        request_log(r, LOG_LEVEL_INFO, 0, "client sent \"Content-Length\" and "
                                          "\"Transfer-Encoding\" headers at the same time");
        return STATUS_BAD_REQUEST;
    }
    if (coding.data)
        return take_coding(r, coding);
    if (length.data) {
        if (!str_to_u64(length, &v->body_left) || v->body_left > INT64_MAX) {
            request_log(r, LOG_LEVEL_INFO, 0, "client sent invalid \"Content-Length\" header");
            return STATUS_BAD_REQUEST;
        }
        r->content_length = (int64_t)v->body_left;
        v->body_done = v->body_left == 0;
    }
    return 0;
}

/* Whether one of the Connection fields has the token, in any case. */
static bool connection_has(const struct request *r, struct str token)
{
    const struct headers *h = &r->headers;

    for (unsigned i = h->known[HEADER_CONNECTION]; i && i <= h->list.count; i++) {
        struct str list = h->list.items[i - 1].value;
        while (h->list.items[i - 1].id == HEADER_CONNECTION && list.data) {
            if (str_eq_nocase(str_trim(str_split(&list, ',')), token))
                return true;
        }
    }
    return false;
}

static bool wants_keepalive(const struct request *r)
{
    if (r->version == VERSION_11)
        return !r->headers.known[HEADER_CONNECTION] || !connection_has(r, STR("close"));
    return r->headers.known[HEADER_CONNECTION] && connection_has(r, STR("keep-alive")) &&
           !connection_has(r, STR("close"));
}

/* ---- a head that is kept for long ---- */

/* What may become a tunnel, which has a request for as long as it lasts. */
static bool may_be_tunnel(const struct request *r)
{
    const struct headers *h = &r->headers;

    return (r->method == METHOD_CONNECT || h->known[HEADER_UPGRADE]) &&
           !h->known[HEADER_CONTENT_LENGTH] && !h->known[HEADER_TRANSFER_ENCODING];
}

static void move_text(struct out *o, struct str *s)
{
    char *at = o->at;

    out_str(o, *s);
    s->data = at;
}

/* A part of `from` becomes the same part of `to`. */
static void move_part(struct str *s, struct str from, struct str to)
{
    if (s->data >= from.data && s->data <= from.data + from.len)
        s->data = to.data + (s->data - from.data);
}

/* Copies the head's texts out of the buffers, which are given back.  Nobody has seen them yet. */
static void settle(struct request *r, struct v1 *v)
{
    struct str line = r->line;
    char *space = arena_try_alloc(&r->arena, v->head_size);
    struct out o = out_fixed(space, v->head_size);

    if (!space)
        return;
    move_text(&o, &r->line);
    struct str *parts[] = { &r->method_name, &r->unparsed_uri, &r->uri, &r->args, &r->scheme_host,
                            &r->host };
    for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++)
        move_part(parts[i], line, r->line);
    for (unsigned i = 0; i < r->headers.list.count; i++) {
        move_text(&o, &r->headers.list.items[i].name);
        move_text(&o, &r->headers.list.items[i].value);
    }
    v->settled = true;
}

static bool is_plain_for_tls(const struct request *r)
{
    const struct http_listen *l = r->client->listener->spec->object;

    return l->ssl && r->client->connection.transport == &transport_plain;
}

/* All lines are there: what they mean together.  0, or a status. */
static unsigned take_head(struct request *r, struct v1 *v)
{
    if (may_be_tunnel(r))
        settle(r, v);
    unsigned status = take_host(r);
    if (status)
        return status;
    request_begin(r);
    r->received = v->head_size;
    if (is_plain_for_tls(r)) {
        request_log(r, LOG_LEVEL_INFO, 0, "client sent plain HTTP request to HTTPS port");
        return STATUS_TO_HTTPS;
    }
    status = take_framing(r, v);
    if (status)
        return status;
    r->flags.connect = r->method == METHOD_CONNECT;
    if (r->method == METHOD_TRACE || (r->flags.connect && r->version < VERSION_11)) {
        request_log(r, LOG_LEVEL_INFO, 0, "client sent %.*s method", STR_ARG(r->method_name));
        return STATUS_NOT_ALLOWED;
    }
    if (r->flags.connect && !v->body_done) {
        request_log(r, LOG_LEVEL_INFO, 0, "client sent CONNECT with a body");
        return STATUS_BAD_REQUEST;
    }
    /* What comes behind CONNECT may be meant for a tunnel: it is never taken for a request. */
    r->flags.keepalive = !r->flags.connect && wants_keepalive(r);
    return 0;
}

unsigned v1_take_line(struct request *r, struct v1 *v, struct str line)
{
    if (v->progress == V1_LINE)                    /* empty ones before it: section 2.2 */
        return line.len ? take_request_line(r, v, line) : 0;
    if (line.len)
        return take_field(r, v, line);
    v->progress = V1_COMPLETE;
    return take_head(r, v);
}

/*
 * v1: heads of requests, from bytes to a struct request.  Lines are taken as they come in; a line is
 * parsed once, when its end is there.
 */
#include "http/v1/v1.h"

#include <errno.h>

#include "http/body.h"
#include "http/buffer.h"
#include "http/core.h"
#include "http/host.h"

const struct wire v1_wire = { "HTTP/1", v1_send, v1_read_body, v1_interim };

static const struct server_conf *conf_of(const struct request *r)
{
    return server_conf(r->conf);
}

/* The longest line, and the largest head. */
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

/* The request is answered with an error, and nothing more is read. */
static bool refuse(struct client *c, struct request *r, unsigned status)
{
    if (r->version == 0)
        r->version = VERSION_10;
    if (!r->line.data)
        r->line = STR("");
    client_set_state(c, CLIENT_REQUEST);
    v1_of(r)->body_done = true;
    request_refuse(r, status);
    return true;
}

/* Reads into c->in; where it is full, the unfinished line moves to a larger one. */
static ssize_t fill(struct client *c, struct v1 *v, const struct server_conf *conf)
{
    struct buffer *b = c->in;

    if (buffer_room(b) == 0) {
        size_t len = buffer_len(b), size = max_line(conf);
        struct buffer *larger = buffer_new(len < size ? size : len + 1);
        if (!larger)
            return IO_ERROR;
        memcpy(larger->data, b->at, len);
        larger->end += len;
        b->next = v->old;
        v->old = b;
        c->in = b = larger;
    }
    ssize_t n = client_recv(c, b->end, buffer_room(b));
    if (n > 0)
        b->end += n;
    return n;
}

/* The next whole line of c->in, its end taken off.  false: it is not there yet. */
static bool next_line(struct client *c, struct v1 *v, struct str *line)
{
    struct buffer *b = c->in;
    const char *lf = NULL;

    if (buffer_len(b) > v->scanned)
        lf = memchr(b->at + v->scanned, '\n', buffer_len(b) - v->scanned);
    if (!lf) {
        v->scanned = buffer_len(b);
        return false;
    }
    *line = str_range(b->at, lf);
    b->at += line->len + 1;
    v->scanned = 0;
    v->head_size += line->len + 1;
    if (line->len && line->data[line->len - 1] == '\r')
        line->len--;
    return true;
}

static enum method method_of(struct str name)
{
    static const struct str names[] = {
#define METHOD(name) [METHOD_##name] = STR_INIT(#name),
        METHOD_LIST(METHOD)
#undef METHOD
    };

    for (unsigned i = 1; i < sizeof names / sizeof names[0]; i++) {
        if (str_eq(names[i], name))
            return (enum method)i;
    }
    return METHOD_OTHER;
}

/* The target's path, decoded.  0, or a status. */
static unsigned take_path(struct request *r, struct str target)
{
    struct v1_path path;
    char *space = arena_try_alloc(&r->arena, target.len);

    r->unparsed_uri = target;
    if (!space)
        return STATUS_SERVICE_UNAVAILABLE;
    if (target.data[0] == '?') {               /* absolute-form without a path */
        r->uri = STR("/");
        r->args = str_from(target, 1);
        return 0;
    }
    if (!v1_parse_path(target, conf_of(r)->merge_slashes, space, &path)) {
        request_log(r, LOG_LEVEL_INFO, 0, "client sent an invalid path: \"%.*s\"", STR_ARG(target));
        return STATUS_BAD_REQUEST;
    }
    r->uri = path.path;
    r->args = path.args;
    r->flags.complex_uri = path.changed;
    return 0;
}

/* 0, or a status. */
static unsigned take_request_line(struct request *r, struct str line)
{
    struct v1_request_line parsed;

    r->line = line;
    enum v1_result result = v1_parse_request_line(line, &parsed);
    if (result != V1_OK) {
        request_log(r, LOG_LEVEL_INFO, 0, "client sent invalid %s while reading client request line",
                    result == V1_BAD_METHOD ? "method"
                    : result == V1_BAD_VERSION ? "version" : "request");
        r->version = VERSION_10;
        return result == V1_BAD_VERSION ? STATUS_VERSION_NOT_SUPPORTED : STATUS_BAD_REQUEST;
    }
    r->method_name = parsed.method;
    r->method = method_of(parsed.method);
    r->version = parsed.version < VERSION_10 ? VERSION_9
                 : parsed.version == VERSION_10 ? VERSION_10 : VERSION_11;
    r->flags.header_only = r->method == METHOD_HEAD;
    r->flags.simple = r->version == VERSION_9;
    if (parsed.authority.len) {
        r->scheme_host = parsed.authority;
        if (!host_parse(&r->arena, parsed.authority, &r->host, &r->host_port)) {
            request_log(r, LOG_LEVEL_INFO, 0, "client sent invalid host in request line");
            return STATUS_BAD_REQUEST;
        }
    }
    return take_path(r, parsed.target);
}

/* One field line.  0, or a status. */
static unsigned take_field(struct request *r, struct v1 *v, struct str line)
{
    const struct server_conf *conf = conf_of(r);
    struct str name, value;

    enum v1_result result = v1_parse_field(line, conf->underscores_in_headers, &name, &value);
    if (result == V1_BAD || (result == V1_SKIP && !conf->ignore_invalid_headers &&
                             !v1_is_token(name))) {
        request_log(r, LOG_LEVEL_INFO, 0, "client sent invalid header line: \"%.*s\"",
                    STR_ARG(line));
        return STATUS_BAD_REQUEST;
    }
    if (++v->fields > conf->max_headers) {
        request_log(r, LOG_LEVEL_INFO, 0, "client sent too many header lines");
        return STATUS_HEADER_TOO_LARGE;
    }
    if (result == V1_SKIP && conf->ignore_invalid_headers) {
        request_log(r, LOG_LEVEL_INFO, 0, "client sent invalid header line: \"%.*s\"",
                    STR_ARG(line));
        return 0;
    }
    unsigned before = 0;
    enum header_id id = header_id(name);
    if (id != HEADER_OTHER)
        before = r->headers.known[id];
    struct header *f = ARRAY_PUSH(&r->headers.list, &r->arena);
    *f = (struct header){ .name = name, .value = value, .id = (uint8_t)id };
    if (before == 0) {
        if (id != HEADER_OTHER)
            r->headers.known[id] = (uint16_t)r->headers.list.count;
        return 0;
    }
    if (header_rule(id) == HEADER_LIST)
        return 0;
    request_log(r, LOG_LEVEL_INFO, 0, "client sent duplicate header line: \"%.*s\"", STR_ARG(line));
    return STATUS_BAD_REQUEST;
}

/* The body's framing, RFC 9112 section 6.3; whatever is ambiguous is refused.  0, or a status. */
static unsigned take_framing(struct request *r, struct v1 *v)
{
    struct str length = headers_value(&r->headers, HEADER_CONTENT_LENGTH);
    struct str coding = headers_value(&r->headers, HEADER_TRANSFER_ENCODING);

    v->body_done = true;
    if (coding.data) {
        if (r->version < VERSION_11 || length.data) {
            request_log(r, LOG_LEVEL_INFO, 0, length.data
                            ? "client sent \"Content-Length\" and \"Transfer-Encoding\" headers "
                              "at the same time"
                            : "client sent HTTP/1.0 request with \"Transfer-Encoding\" header");
            return STATUS_BAD_REQUEST;
        }
        if (!str_eq_nocase(coding, STR("chunked"))) {
            request_log(r, LOG_LEVEL_INFO, 0, "client sent unknown \"Transfer-Encoding\": \"%.*s\"",
                        STR_ARG(coding));
            return STATUS_NOT_IMPLEMENTED;
        }
        r->chunked_body = true;
        v->body_done = false;
        return 0;
    }
    if (length.data) {
        uint64_t n;
        if (!str_to_u64(length, &n) || n > INT64_MAX) {
            request_log(r, LOG_LEVEL_INFO, 0, "client sent invalid \"Content-Length\" header");
            return STATUS_BAD_REQUEST;
        }
        r->content_length = (int64_t)n;
        v->body_left = n;
        v->body_done = n == 0;
    }
    return 0;
}

/* Whether a comma-separated list has a token, in any case. */
static bool list_has(struct str list, struct str token)
{
    while (list.data) {
        if (str_eq_nocase(str_trim(str_split(&list, ',')), token))
            return true;
    }
    return false;
}

static bool any_connection(const struct request *r, struct str token)
{
    const struct headers *h = &r->headers;

    for (unsigned i = h->known[HEADER_CONNECTION]; i && i <= h->list.count; i++) {
        const struct header *f = &h->list.items[i - 1];
        if (f->id == HEADER_CONNECTION && list_has(f->value, token))
            return true;
    }
    return false;
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

static void take_connection(struct request *r)
{
    if (r->version == VERSION_11)
        r->flags.keepalive = !r->headers.known[HEADER_CONNECTION] ||
                             !any_connection(r, STR("close"));
    else if (r->version == VERSION_10)
        r->flags.keepalive = r->headers.known[HEADER_CONNECTION] &&
                             any_connection(r, STR("keep-alive")) &&
                             !any_connection(r, STR("close"));
    if (r->flags.keepalive && keepalive_disabled(r))
        r->flags.keepalive = false;
}

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
    if (!r->scheme_host.len) {                 /* the target's own authority counts more */
        r->host = name;
        r->host_port = port;
    }
    return 0;
}

/* All lines are there: what they mean together.  0, or a status. */
static unsigned take_head(struct request *r, struct v1 *v)
{
    unsigned status = take_host(r);

    r->received = v->head_size;
    if (status == 0)
        status = take_framing(r, v);
    if (status)
        return status;
    if (r->method == METHOD_TRACE) {
        request_log(r, LOG_LEVEL_INFO, 0, "client sent TRACE method");
        return STATUS_NOT_ALLOWED;
    }
    if (r->method == METHOD_CONNECT) {
        request_log(r, LOG_LEVEL_INFO, 0, "client sent CONNECT method");
        return STATUS_NOT_ALLOWED;
    }
    take_connection(r);
    return 0;
}

/* Takes one line of the head.  0 (v->progress says how far), or a status. */
static unsigned take_line(struct request *r, struct v1 *v, struct str line)
{
    if (v->progress == V1_LINE) {
        if (line.len == 0 && r->client->requests && v->head_size <= 4)
            return 0;                          /* empty lines before a request, section 2.2 */
        unsigned status = take_request_line(r, line);
        v->progress = r->flags.simple ? V1_COMPLETE : V1_FIELDS;
        if (status == 0 && r->flags.simple)
            v->body_done = true;
        return status;
    }
    if (line.len > 0)
        return take_field(r, v, line);
    v->progress = V1_COMPLETE;
    return take_head(r, v);
}

/* Whether what has come of a line, or of the head, is too much.  0, or a status. */
static unsigned check_size(const struct client *c, const struct v1 *v,
                           const struct server_conf *conf)
{
    size_t line = buffer_len(c->in);

    if (line >= max_line(conf))
        return v->progress == V1_LINE ? STATUS_URI_TOO_LONG : STATUS_HEADER_TOO_LARGE;
    return v->head_size + line > max_head(conf) ? STATUS_HEADER_TOO_LARGE : 0;
}

/* Whether a first byte begins a request: not a TLS hello, nor what HTTP/2 begins with. */
static struct request *begin(struct client *c)
{
    struct request *r = request_new(c, &v1_wire);

    if (!r)
        return NULL;
    r->wire_state = arena_alloc(&r->arena, sizeof(struct v1));
    memset(r->wire_state, 0, offsetof(struct v1, chunk_line));
    client_request_begun(c, r);
    return r;
}

/* Bytes have come to an idle client, or are left from the request before. */
static bool wake_up(struct client *c)
{
    if (c->in && buffer_len(c->in) == 0) {
        buffer_free(c->in);
        c->in = NULL;
    }
    if (!c->in) {
        size_t size = server_conf(((const struct http_listen *)c->listener->spec->object)
                                      ->default_server->root.conf)->client_header_buffer_size;
        c->in = buffer_new(size);
        if (!c->in) {
            client_log(c, LOG_LEVEL_CRIT, ENOMEM, "no memory for a request");
            client_close(c);
            return true;
        }
        ssize_t n = client_recv(c, c->in->data, c->in->size);
        if (n == IO_AGAIN) {
            buffer_free(c->in);
            c->in = NULL;
            return false;
        }
        if (n <= 0) {
            client_close(c);
            return true;
        }
        c->in->end += n;
    }
    if (!begin(c)) {
        client_log(c, LOG_LEVEL_CRIT, ENOMEM, "no memory for a request");
        client_close(c);
    }
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
    r->response.status = STATUS_BAD_REQUEST;
    (void)c;
    request_end(r, CLIENT_DROP);
    return true;
}

bool v1_read_head(struct client *c)
{
    if (c->state == CLIENT_IDLE && (!wake_up(c) || c->state == CLIENT_CLOSED))
        return c->state == CLIENT_CLOSED;

    struct request *r = c->request;
    struct v1 *v = v1_of(r);
    const struct server_conf *conf = conf_of(r);
    struct str line;

    for (;;) {
        while (next_line(c, v, &line)) {
            unsigned status = line.len >= max_line(conf) || v->head_size > max_head(conf)
                                  ? (v->progress == V1_LINE ? STATUS_URI_TOO_LONG
                                                            : STATUS_HEADER_TOO_LARGE)
                                  : take_line(r, v, line);
            if (status)
                return refuse(c, r, status);
            if (v->progress == V1_COMPLETE) {
                client_set_state(c, CLIENT_REQUEST);
                request_begin(r);
                return true;
            }
        }
        unsigned status = check_size(c, v, conf);
        if (status) {
            request_log(r, LOG_LEVEL_INFO, 0, "client sent too long %s",
                        v->progress == V1_LINE ? "URI" : "header line");
            return refuse(c, r, status);
        }
        ssize_t n = fill(c, v, conf);
        if (n == IO_AGAIN)
            return false;
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
    if (c->in && buffer_len(c->in) == 0) {
        buffer_free(c->in);
        c->in = NULL;
    }
}

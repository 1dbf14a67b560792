/*
 * variables: see variables.h.  A getter may allocate in the request's arena and nothing else.
 */
#include "http/variables.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/random.h"
#include "config.h"
#include "http/basic.h"
#include "http/body.h"
#include "http/buffer.h"
#include "http/core.h"
#include "http/files.h"
#include "http/request.h"
#include "http/response.h"
#include "net/proxy_protocol.h"

static struct request *request_of(const struct script *s)
{
    return s->object;
}

/* ---- giving values ---- */

static bool give_none(struct value *v)
{
    return value_give(v, (struct str){ NULL, 0 });
}

static bool give_copy(struct script *s, struct value *v, struct str text)
{
    return value_give(v, arena_str(s->arena, text));
}

static bool give_out(struct script *s, struct value *v, struct out *o)
{
    return give_copy(s, v, out_str_of(o));
}

static bool give_number(struct script *s, struct value *v, uint64_t n)
{
    char space[24];
    struct out o = out_fixed(space, sizeof space);

    out_uint(&o, n);
    return give_out(s, v, &o);
}

/* Seconds and milliseconds, 1.234. */
static bool give_seconds(struct script *s, struct value *v, uint64_t ms)
{
    char space[32];
    struct out o = out_fixed(space, sizeof space);

    out_uint(&o, ms / 1000);
    out_char(&o, '.');
    out_padded(&o, ms % 1000, 3);
    return give_out(s, v, &o);
}

/* ---- texts of the request, by their place in it ---- */

static bool get_text(struct script *s, const struct variable *var, struct value *v)
{
    return value_give(v, *(const struct str *)(const void *)((const char *)s->object + var->data));
}

static bool get_header(struct script *s, const struct variable *var, struct value *v)
{
    return value_give(v, headers_value(&request_of(s)->headers, (enum header_id)var->data));
}

static bool get_content_type(struct script *s, const struct variable *var, struct value *v)
{
    (void)var;
    return value_give(v, headers_joined(&request_of(s)->headers, s->arena, STR("content-type")));
}

static bool get_http(struct script *s, const struct variable *var, struct value *v)
{
    return value_give(v, headers_joined(&request_of(s)->headers, s->arena, var->rest));
}

static bool get_host(struct script *s, const struct variable *var, struct value *v)
{
    const struct request *r = request_of(s);

    (void)var;
    return value_give(v, r->host.len ? r->host : r->server->name);
}

static bool get_server_name(struct script *s, const struct variable *var, struct value *v)
{
    (void)var;
    return value_give(v, request_of(s)->server->name);
}

static bool get_method(struct script *s, const struct variable *var, struct value *v)
{
    (void)var;
    return value_give(v, request_of(s)->main->method_name);
}

/* The value of `name` in "a=1&b=2"; names are compared without regard to case. */
static struct str find_argument(struct str args, struct str name)
{
    while (args.data) {
        struct str value = str_split(&args, '&'), key = str_split(&value, '=');
        if (value.data && str_eq_nocase(key, name))
            return value;
    }
    return (struct str){ NULL, 0 };
}

static bool get_argument(struct script *s, const struct variable *var, struct value *v)
{
    return value_give(v, find_argument(request_of(s)->args, var->rest));
}

/* The value of a cookie in one Cookie field; spaces around are not part of it. */
static struct str find_cookie(struct str field, struct str name)
{
    while (field.data) {
        struct str value = str_trim(str_split(&field, ';')), key = str_split(&value, '=');
        if (value.data && str_eq_nocase(str_trim(key), name))
            return value;
    }
    return (struct str){ NULL, 0 };
}

static bool get_cookie(struct script *s, const struct variable *var, struct value *v)
{
    const struct headers *h = &request_of(s)->headers;

    for (unsigned i = 0; i < h->list.count; i++) {
        if (h->list.items[i].id == HEADER_COOKIE) {
            struct str found = find_cookie(h->list.items[i].value, var->rest);
            if (found.data)
                return value_give(v, found);
        }
    }
    return give_none(v);
}

static void set_args(struct script *s, const struct variable *var, struct str value)
{
    (void)var;
    request_of(s)->args = value;
}

static bool get_is_args(struct script *s, const struct variable *var, struct value *v)
{
    (void)var;
    return value_give(v, request_of(s)->args.len ? STR("?") : STR(""));
}

static bool get_scheme(struct script *s, const struct variable *var, struct value *v)
{
    (void)var;
    return value_give(v, request_of(s)->client->connection.transport == &transport_plain ? STR("http")
                                                                                  : STR("https"));
}

static bool get_https(struct script *s, const struct variable *var, struct value *v)
{
    (void)var;
    return value_give(v, request_of(s)->client->connection.transport == &transport_plain ? STR("")
                                                                                  : STR("on"));
}

static bool get_protocol(struct script *s, const struct variable *var, struct value *v)
{
    (void)var;
    switch (request_of(s)->version) {
    case VERSION_9:
        return value_give(v, STR("HTTP/0.9"));
    case VERSION_10:
        return value_give(v, STR("HTTP/1.0"));
    case VERSION_11:
        return value_give(v, STR("HTTP/1.1"));
    case VERSION_20:
        return value_give(v, STR("HTTP/2.0"));
    case VERSION_30:
        return value_give(v, STR("HTTP/3.0"));
    }
    return give_none(v);
}

static bool get_host_port(struct script *s, const struct variable *var, struct value *v)
{
    unsigned port = request_of(s)->host_port;

    if (var->data)                             /* $is_request_port */
        return value_give(v, port ? STR(":") : STR(""));
    return port ? give_number(s, v, port) : value_give(v, STR(""));
}

/* ---- the connection ---- */

static bool get_binary_addr(struct script *s, const struct variable *var, struct value *v)
{
    const struct peer *p = &request_of(s)->peer;

    (void)var;
    if (p->family == AF_UNIX)
        return value_give(v, STR("unix:"));
    return value_give(v, (struct str){ (const char *)p->ip, p->family == AF_INET ? 4 : 16 });
}

/* For keys of limits: of IPv6 the /64 that one client may have, but all of an IPv4 address in it. */
static bool get_binary_addr_64(struct script *s, const struct variable *var, struct value *v)
{
    static const char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '\xff', '\xff' };
    const struct peer *p = &request_of(s)->peer;

    if (p->family != AF_INET6)
        return get_binary_addr(s, var, v);
    bool is_mapped = memcmp(p->ip, mapped, sizeof mapped) == 0;
    return value_give(v, is_mapped ? (struct str){ (const char *)p->ip + sizeof mapped, 4 }
                             : (struct str){ (const char *)p->ip, 8 });
}

static bool get_remote_addr(struct script *s, const struct variable *var, struct value *v)
{
    char space[64];
    struct out o = out_fixed(space, sizeof space);

    (void)var;
    peer_put_ip(&o, &request_of(s)->peer);
    return give_out(s, v, &o);
}

static bool get_remote_port(struct script *s, const struct variable *var, struct value *v)
{
    const struct peer *p = &request_of(s)->peer;

    (void)var;
    return p->family == AF_UNIX ? value_give(v, STR("")) : give_number(s, v, p->port);
}

static bool get_server_addr(struct script *s, const struct variable *var, struct value *v)
{
    struct address a;
    char space[160];
    struct out o = out_fixed(space, sizeof space);

    if (!address_local(request_of(s)->client->connection.watch.fd, &a))
        return give_none(v);
    if (var->data)                             /* $server_port */
        return a.any.sa_family == AF_UNIX ? value_give(v, STR(""))
                                          : give_number(s, v, address_port(&a));
    address_put_host(&o, &a, false);
    return give_out(s, v, &o);
}

/* What a PROXY header said: $proxy_protocol_addr, ..._port, ..._server_addr, ..._server_port. */
enum { PROXY_SERVER = 1, PROXY_PORT = 2 };

static bool get_proxy_protocol(struct script *s, const struct variable *var, struct value *v)
{
    const struct proxy_protocol *p = request_of(s)->client->proxied;
    char space[64];
    struct out o = out_fixed(space, sizeof space);

    if (!p)
        return give_none(v);
    const struct peer *peer = var->data & PROXY_SERVER ? &p->destination : &p->source;
    if (var->data & PROXY_PORT)
        return give_number(s, v, peer->port);
    peer_put_ip(&o, peer);
    return give_out(s, v, &o);
}

static bool get_proxy_protocol_tlv(struct script *s, const struct variable *var, struct value *v)
{
    const struct proxy_protocol *p = request_of(s)->client->proxied;
    struct out number = out_growing(s->arena, 16);

    return p ? value_give(v, proxy_protocol_tlv(p, var->rest, &number)) : give_none(v);
}

static bool get_connection(struct script *s, const struct variable *var, struct value *v)
{
    (void)var;
    return give_number(s, v, request_of(s)->client->connection.number);
}

static bool get_connection_requests(struct script *s, const struct variable *var, struct value *v)
{
    (void)var;
    return give_number(s, v, request_of(s)->number);
}

static bool get_connection_time(struct script *s, const struct variable *var, struct value *v)
{
    (void)var;
    return give_seconds(s, v, clock_ms() - request_of(s)->client->start_ms);
}

static bool get_pipe(struct script *s, const struct variable *var, struct value *v)
{
    const struct buffer *in = request_of(s)->client->in;

    (void)var;
    return value_give(v, in && buffer_len(in) ? STR("p") : STR("."));
}

static bool get_tcpinfo(struct script *s, const struct variable *var, struct value *v)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    uint32_t value;

    if (getsockopt(request_of(s)->client->connection.watch.fd, IPPROTO_TCP, TCP_INFO, &info,
                   &len) < 0)
        return give_none(v);
    memcpy(&value, (const char *)&info + var->data, sizeof value);
    return give_number(s, v, value);
}

/* ---- the request's size and time ---- */

static bool get_request_length(struct script *s, const struct variable *var, struct value *v)
{
    (void)var;
    return give_number(s, v, request_of(s)->received);
}

static bool get_request_time(struct script *s, const struct variable *var, struct value *v)
{
    (void)var;
    return give_seconds(s, v, clock_ms() - request_of(s)->start_ms);
}

static bool get_request_id(struct script *s, const struct variable *var, struct value *v)
{
    unsigned char bytes[16];
    char space[33];
    struct out o = out_fixed(space, sizeof space);

    (void)var;
    random_bytes(bytes, sizeof bytes);
    for (unsigned i = 0; i < sizeof bytes; i++)
        out_hex(&o, bytes[i], 2);
    return give_out(s, v, &o);
}

static bool get_request_body(struct script *s, const struct variable *var, struct value *v)
{
    const struct body *b = request_of(s)->body;

    if (var->data)                             /* $request_body_file */
        return value_give(v, b && b->file_path.len ? b->file_path : (struct str){ NULL, 0 });
    return value_give(v, body_text(request_of(s)));
}

static bool get_remote_user(struct script *s, const struct variable *var, struct value *v)
{
    struct str user, password;

    (void)var;
    return value_give(v, basic_credentials(request_of(s), &user, &password) ? user
                                                                      : (struct str){ NULL, 0 });
}

/* ---- the response ---- */

static bool get_status(struct script *s, const struct variable *var, struct value *v)
{
    char space[8];
    struct out o = out_fixed(space, sizeof space);
    const struct request *r = request_of(s);

    (void)var;
    if (r->response.status == 0)
        return value_give(v, r->version == VERSION_9 ? STR("009") : STR("000"));
    out_padded(&o, r->response.status, 3);
    return give_out(s, v, &o);
}

static bool get_bytes_sent(struct script *s, const struct variable *var, struct value *v)
{
    (void)var;
    return give_number(s, v, request_of(s)->sent);
}

static bool get_body_bytes_sent(struct script *s, const struct variable *var, struct value *v)
{
    const struct request *r = request_of(s);

    (void)var;
    return give_number(s, v, r->sent > r->head_bytes ? r->sent - r->head_bytes : 0);
}

static bool get_completion(struct script *s, const struct variable *var, struct value *v)
{
    (void)var;
    return value_give(v, request_of(s)->flags.response_complete ? STR("OK") : STR(""));
}

/* Fields that are kept apart from the list of a response's fields. */
static bool get_sent_description(struct script *s, struct str name, struct value *v)
{
    const struct request *r = request_of(s);
    const struct response *res = &r->response;
    struct out o = out_growing(s->arena, 1024);

    if (str_eq(name, STR("content_type"))) {
        out_str(&o, res->content_type);
        if (res->charset.len && res->content_type.len)
            out_printf(&o, "; charset=%.*s", STR_ARG(res->charset));
    } else if (str_eq(name, STR("content_length"))) {
        if (res->length >= 0)
            out_uint(&o, (uint64_t)res->length);
    } else if (str_eq(name, STR("last_modified"))) {
        char space[HTTP_DATE_LEN];
        out_str(&o, response_modified_text(res, space));
    } else if (str_eq(name, STR("location"))) {
        out_str(&o, res->location);
    } else if (str_eq(name, STR("etag"))) {
        out_str(&o, res->etag);
    } else if (str_eq(name, STR("content_encoding"))) {
        out_str(&o, res->content_encoding);
    } else if (str_eq(name, STR("accept_ranges"))) {
        out_str(&o, res->allow_ranges ? STR("bytes") : STR(""));
    } else if (str_eq(name, STR("connection"))) {
        out_str(&o, res->status == STATUS_SWITCHING_PROTOCOLS ? STR("upgrade")
                    : r->flags.keepalive ? STR("keep-alive") : STR("close"));
    } else if (str_eq(name, STR("keep_alive"))) {
        if (r->flags.keepalive && core_conf(r->conf)->keepalive_timeout.header)
            out_printf(&o, "timeout=%lld",
                       (long long)core_conf(r->conf)->keepalive_timeout.header);
    } else if (str_eq(name, STR("transfer_encoding"))) {
        out_str(&o, r->flags.chunked ? STR("chunked") : STR(""));
    } else
        return false;
    return out_len(&o) ? value_give(v, out_str_of(&o)) : give_none(v);
}

static bool get_sent_http(struct script *s, const struct variable *var, struct value *v)
{
    struct str value = headers_joined(&request_of(s)->response.headers, s->arena, var->rest);

    if (value.data)
        return value_give(v, value);
    return get_sent_description(s, var->rest, v) || give_none(v);
}

static bool get_sent_trailer(struct script *s, const struct variable *var, struct value *v)
{
    return value_give(v, headers_joined(&request_of(s)->response.trailers, s->arena, var->rest));
}

static bool get_limit_rate(struct script *s, const struct variable *var, struct value *v)
{
    (void)var;
    return give_number(s, v, request_of(s)->limit_rate);
}

static void set_limit_rate(struct script *s, const struct variable *var, struct str value)
{
    struct request *r = request_of(s);
    size_t size;

    (void)var;
    if (parse_size(value, &size)) {
        r->limit_rate = size;
        r->flags.limit_rate_set = true;
    }
}

/* ---- where files are ---- */

static bool get_request_filename(struct script *s, const struct variable *var, struct value *v)
{
    (void)var;
    return value_give(v, files_map_uri(request_of(s), 0, NULL));
}

static bool get_document_root(struct script *s, const struct variable *var, struct value *v)
{
    const struct core_conf *conf = core_conf(request_of(s)->conf);
    struct str root = template_value_nul(conf->is_alias ? &conf->alias : &conf->root, s);

    if (!var->data)
        return value_give(v, root);
    char *real = realpath(root.data, NULL);    /* $realpath_root */
    if (!real)
        return variable_fail(s, "realpath() \"%.*s\" failed", STR_ARG(root));
    bool given = give_copy(s, v, str_of(real));
    free(real);
    return given;
}

/* ---- the process ---- */

static bool get_pid(struct script *s, const struct variable *var, struct value *v)
{
    (void)var;
    return give_number(s, v, (uint64_t)getpid());
}

struct str variables_hostname(void)
{
    static char name[256];

    if (!name[0]) {
        gethostname(name, sizeof name - 1);
        for (char *c = name; *c; c++)
            *c = char_lower(*c);
    }
    return str_of(name);
}

static bool get_hostname(struct script *s, const struct variable *var, struct value *v)
{
    (void)s;
    (void)var;
    return value_give(v, variables_hostname());
}

static bool get_version(struct script *s, const struct variable *var, struct value *v)
{
    (void)s;
    (void)var;
    return value_give(v, STR(WEIR_VERSION));
}

static bool get_msec(struct script *s, const struct variable *var, struct value *v)
{
    (void)var;
    return give_seconds(s, v, (uint64_t)clock_seconds() * 1000 + clock_msec());
}

static bool get_clock_text(struct script *s, const struct variable *var, struct value *v)
{
    return give_copy(s, v, var->data ? clock_iso8601() : clock_local());
}

/* 1994-11-06T08:49:37.123+00:00 */
static bool get_iso8601_ms(struct script *s, const struct variable *var, struct value *v)
{
    struct str text = clock_iso8601();
    struct out o = out_growing(s->arena, 64);

    (void)var;
    out_str(&o, str_first(text, 19));
    out_char(&o, '.');
    out_padded(&o, clock_msec(), 3);
    out_str(&o, str_from(text, 19));
    return value_give(v, out_str_of(&o));
}

#define TEXT(name_, field) { .name = STR_INIT(name_), .get = get_text,                            \
                             .data = offsetof(struct request, field), .flags = VARIABLE_VOLATILE }
#define VALUE(name_, get_, data_) { .name = STR_INIT(name_), .get = get_, .data = data_,          \
                                    .flags = VARIABLE_VOLATILE }
#define CACHED(name_, get_, data_) { .name = STR_INIT(name_), .get = get_, .data = data_ }
#define PREFIX(name_, get_) { .name = STR_INIT(name_), .get = get_,                               \
                              .flags = VARIABLE_VOLATILE | VARIABLE_PREFIX }

static const struct variable list[] = {
    TEXT("uri", uri),
    TEXT("document_uri", uri),
    TEXT("request_uri", unparsed_uri),
    TEXT("request", line),
    VALUE("request_method", get_method, 0),
    TEXT("query_string", args),
    { .name = STR_INIT("args"), .get = get_text, .set = set_args,
      .data = offsetof(struct request, args), .flags = VARIABLE_VOLATILE | VARIABLE_CHANGEABLE },
    VALUE("is_args", get_is_args, 0),
    VALUE("host", get_host, 0),
    VALUE("server_name", get_server_name, 0),
    VALUE("scheme", get_scheme, 0),
    VALUE("https", get_https, 0),
    VALUE("server_protocol", get_protocol, 0),
    VALUE("request_port", get_host_port, 0),
    VALUE("is_request_port", get_host_port, 1),
    VALUE("content_length", get_header, HEADER_CONTENT_LENGTH),
    VALUE("content_type", get_content_type, 0),
    VALUE("binary_remote_addr", get_binary_addr, 0),
    VALUE("binary_remote_addr_64", get_binary_addr_64, 0),
    VALUE("remote_addr", get_remote_addr, 0),
    VALUE("remote_port", get_remote_port, 0),
    CACHED("server_addr", get_server_addr, 0),
    CACHED("server_port", get_server_addr, 1),
    VALUE("proxy_protocol_addr", get_proxy_protocol, 0),
    VALUE("proxy_protocol_port", get_proxy_protocol, PROXY_PORT),
    VALUE("proxy_protocol_server_addr", get_proxy_protocol, PROXY_SERVER),
    VALUE("proxy_protocol_server_port", get_proxy_protocol, PROXY_SERVER | PROXY_PORT),
    VALUE("connection", get_connection, 0),
    VALUE("connection_requests", get_connection_requests, 0),
    VALUE("connection_time", get_connection_time, 0),
    VALUE("pipe", get_pipe, 0),
    VALUE("tcpinfo_rtt", get_tcpinfo, offsetof(struct tcp_info, tcpi_rtt)),
    VALUE("tcpinfo_rttvar", get_tcpinfo, offsetof(struct tcp_info, tcpi_rttvar)),
    VALUE("tcpinfo_snd_cwnd", get_tcpinfo, offsetof(struct tcp_info, tcpi_snd_cwnd)),
    VALUE("tcpinfo_rcv_space", get_tcpinfo, offsetof(struct tcp_info, tcpi_rcv_space)),
    VALUE("request_length", get_request_length, 0),
    VALUE("request_time", get_request_time, 0),
    CACHED("request_id", get_request_id, 0),
    VALUE("request_body", get_request_body, 0),
    VALUE("request_body_file", get_request_body, 1),
    VALUE("remote_user", get_remote_user, 0),
    VALUE("status", get_status, 0),
    VALUE("bytes_sent", get_bytes_sent, 0),
    VALUE("body_bytes_sent", get_body_bytes_sent, 0),
    VALUE("request_completion", get_completion, 0),
    { .name = STR_INIT("limit_rate"), .get = get_limit_rate, .set = set_limit_rate,
      .flags = VARIABLE_VOLATILE | VARIABLE_CHANGEABLE },
    VALUE("request_filename", get_request_filename, 0),
    VALUE("document_root", get_document_root, 0),
    VALUE("realpath_root", get_document_root, 1),
    VALUE("pid", get_pid, 0),
    VALUE("hostname", get_hostname, 0),
    VALUE("nginx_version", get_version, 0),
    VALUE("msec", get_msec, 0),
    VALUE("time_local", get_clock_text, 0),
    VALUE("time_iso8601", get_clock_text, 1),
    VALUE("time_iso8601_ms", get_iso8601_ms, 0),
    PREFIX("arg_", get_argument),
    PREFIX("http_", get_http),
    PREFIX("cookie_", get_cookie),
    PREFIX("sent_http_", get_sent_http),
    PREFIX("sent_trailer_", get_sent_trailer),
    PREFIX("proxy_protocol_tlv_", get_proxy_protocol_tlv),
    { .name = { NULL, 0 } },
};

/* ---- what the script floor asks of a request ---- */

static void peer_of_request(const struct script *s, struct peer *p)
{
    *p = request_of(s)->peer;
}

static bool forwarded_line(const struct script *s, unsigned i, struct str *line)
{
    const struct headers *h = &request_of(s)->headers;

    for (unsigned n = h->list.count; n-- > 0;) {
        if (h->list.items[n].id == HEADER_X_FORWARDED_FOR && i-- == 0) {
            *line = h->list.items[n].value;
            return true;
        }
    }
    return false;
}

static const struct variables_hooks hooks = { peer_of_request, forwarded_line };

void variables_add_http(struct variables *names)
{
    variables_set_hooks(names, &hooks);
    variables_add_all(names, list);
}

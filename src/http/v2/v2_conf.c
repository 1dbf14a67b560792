/*
 * v2_conf: the directives of ngx_http_v2_module, and $http2.
 */
#include "config/types.h"
#include "http/http.h"
#include "http/v2/v2.h"

static const struct number_range any_streams = { 1, INT32_MAX };

/* What HTTP/2 had once, or what other directives say now. */
#define GONE(name, contexts, arity, text, default)                                                 \
    { name, contexts, arity, &type_accepted, .help = text, .default_text = default,                \
      .flags = DEPRECATED }

static bool parse_window(struct setting *s, void *field)
{
    if (!type_size.parse(s, field))
        return false;
    if (*(size_t *)field <= FRAME_MAX_WINDOW)
        return true;
    return setting_error(s, 1, "the maximum body preread buffer size is %u", FRAME_MAX_WINDOW);
}

static void print_number(const struct directive *row, const void *field, struct out *o)
{
    type_size.print(row, field, o);
}

static const struct type type_window = { "size", "a size such as 64k", parse_window, print_number };

static bool parse_chunk(struct setting *s, void *field)
{
    if (!type_size.parse(s, field))
        return false;
    size_t *size = field;
    if (*size == 0)
        return setting_error(s, 1, "the \"http2_chunk_size\" value cannot be zero");
    if (*size > 0xffffff)
        *size = 0xffffff;
    return true;
}

static const struct type type_chunk = { "size", "a size such as 8k", parse_chunk, print_number };

static const struct directive rows[] = {
    { "http2", IN_HTTP | IN_SERVER, ARGS(1), &type_flag, FIELD(struct v2_conf, on), .initial = "off",
      .help = "Speak HTTP/2: where TLS agrees on it, and in clear with clients that begin with it." },
    { "http2_body_preread_size", IN_HTTP | IN_SERVER, ARGS(1), &type_window,
      FIELD(struct v2_conf, preread_size), .initial = "64k",
      .help = "How much of a request's body a client may send before it is asked for." },
    { "http2_max_concurrent_streams", IN_HTTP | IN_SERVER, ARGS(1), &type_number,
      FIELD(struct v2_conf, max_streams), .initial = "128", .data = &any_streams,
      .help = "The most requests that a connection may have under way." },
    { "http2_recv_buffer_size", IN_HTTP, ARGS(1), &type_size,
      FIELD(struct v2_conf, recv_buffer_size), .initial = "256k",
      .help = "Size of the buffer of each worker that connections are read into." },
    GONE("http2_idle_timeout", IN_HTTP | IN_SERVER, ARGS(1), "Use keepalive_timeout.", "3m"),
    GONE("http2_recv_timeout", IN_HTTP | IN_SERVER, ARGS(1), "Use client_header_timeout.", "30s"),
    GONE("http2_max_requests", IN_HTTP | IN_SERVER, ARGS(1), "Use keepalive_requests.", "1000"),
    GONE("http2_max_field_size", IN_HTTP | IN_SERVER, ARGS(1), "Use large_client_header_buffers.", "4k"),
    GONE("http2_max_header_size", IN_HTTP | IN_SERVER, ARGS(1), "Use large_client_header_buffers.",
         "16k"),
    GONE("http2_max_concurrent_pushes", IN_HTTP | IN_SERVER, ARGS(1),
         "Browsers take no pushed responses any more; leave it out.", "10"),
    GONE("http2_push", IN_HTTP | IN_SERVER | IN_LOCATION, ARGS(1),
         "Browsers take no pushed responses any more; leave it out.", "off"),
    GONE("http2_push_preload", IN_HTTP | IN_SERVER | IN_LOCATION, ARGS(1),
         "Browsers take no pushed responses any more; leave it out.", "off"),
    { 0 },
};

/* "h2" over TLS, "h2c" in clear. */
static bool get_http2(struct script *s, const struct variable *var, struct value *v)
{
    const struct request *r = s->object;
    bool secure = r->client->connection.transport != &transport_plain;

    (void)var;
    if (r->version != VERSION_20)
        return value_give(v, (struct str){ NULL, 0 });
    return value_give(v, secure ? STR("h2") : STR("h2c"));
}

static const struct variable variables[] = {
    { .name = STR_INIT("http2"), .get = get_http2 },
    { .name = { NULL, 0 } },
};

static const struct http_module extra = { .variables = variables };

struct module http_v2_module = {
    .name = "ngx_http_v2_module",
    .directives = rows,
    .conf_size = sizeof(struct v2_conf),
    .extra = &extra,
};

static const struct directive location_rows[] = {
    { "http2_chunk_size", IN_HTTP | IN_SERVER | IN_LOCATION, ARGS(1), &type_chunk,
      FIELD(struct v2_location_conf, chunk_size), .initial = "8k",
      .help = "How large a piece of a response's body is sent at a time, while others wait." },
    { 0 },
};

struct module http_v2_location_module = {
    .name = "ngx_http_v2_module",
    .directives = location_rows,
    .conf_size = sizeof(struct v2_location_conf),
};

const struct v2_conf *v2_conf(void *const *conf)
{
    return CONF(conf, http_v2_module);
}

size_t v2_chunk_size(void *const *conf)
{
    const struct v2_location_conf *c = CONF(conf, http_v2_location_module);

    return c->chunk_size;
}

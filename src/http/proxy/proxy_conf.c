/*
 * proxy_conf: see proxy_conf.h.
 */
#include "http/proxy/proxy_conf.h"

#include "config.h"
#include "http/core_types.h"
#include "http/file_mode.h"
#include "http/headers.h"
#include "http/http.h"
#include "http/modules/ssl/ssl_peer.h"
#include "http/proxy/proxy_pass.h"
#include "http/proxy/proxy_variables.h"
#include "http/proxy/store.h"
#include "http/request.h"
#include "http/temp_file.h"
#include "modules_enabled.h"

#define EVERYWHERE (IN_HTTP | IN_SERVER | IN_LOCATION)
#define PROXY(field) FIELD(struct proxy_conf, field)
#define EXCHANGE(field) FIELD(struct proxy_conf, exchange.field)

static bool parse_set_header(struct setting *s, void *field)
{
    struct set_headers *list = field;
    struct set_header h = { .id = header_id(setting_arg(s, 1)),
                            .name = arena_str(setting_arena(s), setting_arg(s, 1)) };

    if (h.name.len == 0 || !template_safe(h.name))
        return setting_invalid(s, 1);
    if (!template_compile(s, 2, config_variables(s), &h.value))
        return false;
    *ARRAY_PUSH(&list->items, setting_arena(s)) = h;
    return true;
}

static void print_set_headers(const struct directive *row, const void *field, struct out *o)
{
    const struct set_headers *list = field;

    (void)row;
    for (unsigned i = 0; i < list->items.count; i++) {
        const struct set_header *h = &list->items.items[i];
        out_printf(o, i ? "; %.*s " : "%.*s ", STR_ARG(h->name));
        print_word(o, h->value.text);
    }
}

static const struct type type_set_header = {
    "field value", "a field's name and a value", parse_set_header, print_set_headers,
};

static const struct name_value versions[] = {
    { "1.0", VERSION_10 }, { "1.1", VERSION_11 }, { "2", VERSION_20 }, { NULL, 0 },
};

static const struct directive rows[] = {
    { "proxy_pass", IN_LOCATION | IN_LOCATION_IF | IN_LIMIT_EXCEPT, ARGS(1), &type_proxy_pass,
      PROXY(pass), .help = "The server or group that requests are passed to, and perhaps the URI "
      "in the place of the location's name." },
    { "proxy_set_header", EVERYWHERE, ARGS(2), &type_set_header, PROXY(headers), .flags = REPEATS,
      .default_text = "Host $proxy_host",
      .help = "A field of the request to the server, in the place of the client's; none where the "
              "value is empty." },
    { "proxy_http_version", EVERYWHERE, ARGS(1), &type_enum, PROXY(http_version), .initial = "1.1",
      .data = versions, .help = "The version of HTTP that the server is spoken to in." },
    { "proxy_method", EVERYWHERE, ARGS(1), &type_template, PROXY(method),
      .help = "The method of requests to the server in the place of the client's." },
    { "proxy_set_body", EVERYWHERE, ARGS(1), &type_template, PROXY(body),
      .help = "The body of requests to the server in the place of the client's." },
    { "proxy_pass_request_headers", EVERYWHERE, ARGS(1), &type_flag, EXCHANGE(pass_request_headers),
      .initial = "on", .help = "Pass the client's fields on." },
    { "proxy_pass_request_body", EVERYWHERE, ARGS(1), &type_flag, EXCHANGE(pass_request_body),
      .initial = "on", .help = "Pass the client's body on." },
    { "proxy_request_buffering", EVERYWHERE, ARGS(1), &type_flag, EXCHANGE(request_buffering),
      .initial = "on", .help = "Read the client's body to its end before the server is asked." },
    { "proxy_redirect", EVERYWHERE, ARGS_RANGE(1, 2), &type_proxy_redirect, PROXY(redirects),
      .flags = REPEATS, .default_text = "default",
      .help = "What stands at the start of addresses in the server's redirects, or a regular "
              "expression they match, and what takes its place." },
    { "proxy_cookie_domain", EVERYWHERE, ARGS_RANGE(1, 2), &type_proxy_cookie_domain,
      PROXY(cookie_domains), .flags = REPEATS, .default_text = "off",
      .help = "The domain of cookies that the server sets, and what takes its place." },
    { "proxy_cookie_path", EVERYWHERE, ARGS_RANGE(1, 2), &type_proxy_cookie_path,
      PROXY(cookie_paths), .flags = REPEATS, .default_text = "off",
      .help = "The path of cookies that the server sets, and what takes its place." },
    { "proxy_cookie_flags", EVERYWHERE, ARGS_RANGE(1, ARGS_ANY), &type_proxy_cookie_flags,
      PROXY(cookie_flags), .flags = REPEATS, .default_text = "off",
      .help = "Flags of cookies that the server sets: secure, httponly, samesite, and each with no "
              "before it." },
    { "proxy_connect_timeout", EVERYWHERE, ARGS(1), &type_time, EXCHANGE(connect_timeout),
      .initial = "60s", .help = "How long a connection to the server may take." },
    { "proxy_send_timeout", EVERYWHERE, ARGS(1), &type_time, EXCHANGE(send_timeout),
      .initial = "60s",
      .help = "How long the server may take nothing while a request is sent to it." },
    { "proxy_read_timeout", EVERYWHERE, ARGS(1), &type_time, EXCHANGE(read_timeout),
      .initial = "60s", .help = "How long the server may be silent." },
    { "proxy_next_upstream", EVERYWHERE, ARGS_RANGE(1, ARGS_ANY), &type_bitmask,
      EXCHANGE(next_upstream), .initial = "error timeout", .data = next_upstream_names,
      .help = "What leads to another server of the group." },
    { "proxy_next_upstream_tries", EVERYWHERE, ARGS(1), &type_number, EXCHANGE(next_tries),
      .initial = "0", .help = "How many servers are tried at most; 0: all." },
    { "proxy_next_upstream_timeout", EVERYWHERE, ARGS(1), &type_time, EXCHANGE(next_timeout),
      .initial = "0", .help = "How long servers are tried; 0: no bound." },
    { "proxy_buffer_size", EVERYWHERE, ARGS(1), &type_size, EXCHANGE(buffer_size), .initial = "4k",
      .help = "The largest head of a response." },
    { "proxy_buffers", EVERYWHERE, ARGS(2), &type_bufs, EXCHANGE(buffers), .initial = "8 4k",
      .help = "How much of a response is held in memory." },
    { "proxy_busy_buffers_size", EVERYWHERE, ARGS(1), &type_size, EXCHANGE(busy_size),
      .default_text = "8k", .help = "How much of that a slow client may be given at a time." },
    { "proxy_buffering", EVERYWHERE, ARGS(1), &type_flag, EXCHANGE(buffering), .initial = "on",
      .help = "Read a response as fast as the server gives it, not as the client takes it." },
    { "proxy_limit_rate", EVERYWHERE, ARGS(1), &type_rate, EXCHANGE(limit_rate), .initial = "0",
      .help = "How many bytes of a response are read from the server in a second; 0: no limit." },
    { "proxy_pass_trailers", EVERYWHERE, ARGS(1), &type_flag, EXCHANGE(pass_trailers),
      .initial = "off", .help = "Pass the fields behind a response's body on, and those behind a "
      "request's where its body goes on in chunks (proxy_request_buffering off) or over HTTP/2." },
    { "proxy_max_temp_file_size", EVERYWHERE, ARGS(1), &type_size, EXCHANGE(max_temp_file_size),
      .initial = "1024m", .help = "How much of a response may be kept in a temporary file; 0: "
      "none." },
    { "proxy_temp_file_write_size", EVERYWHERE, ARGS(1), &type_size, EXCHANGE(temp_file_write_size),
      .default_text = "8k", .help = "How much is written to a temporary file at a time." },
    { "proxy_temp_path", EVERYWHERE, ARGS_RANGE(1, 4), &type_temp_path, EXCHANGE(temp_path),
      .initial = WEIR_PROXY_TEMP_PATH, .syntax = "path [level1 [level2 [level3]]]",
      .help = "The folder of temporary files for upstreams' responses." },
    { "proxy_ignore_client_abort", EVERYWHERE, ARGS(1), &type_flag, EXCHANGE(ignore_client_abort),
      .initial = "off", .help = "Go on with the server when the client has gone." },
    { "proxy_intercept_errors", EVERYWHERE, ARGS(1), &type_flag, EXCHANGE(intercept_errors),
      .initial = "off",
      .help = "Show error_page's pages in the place of the server's from 300 on." },
    { "proxy_force_ranges", EVERYWHERE, ARGS(1), &type_flag, EXCHANGE(force_ranges),
      .initial = "off", .help = "Serve parts of responses whatever the server says of that." },
    { "proxy_hide_header", EVERYWHERE, ARGS(1), &type_header_set, EXCHANGE(hide), .flags = REPEATS,
      .help = "A field of responses that is not passed to clients." },
    { "proxy_pass_header", EVERYWHERE, ARGS(1), &type_header_set, EXCHANGE(pass), .flags = REPEATS,
      .help = "A field of responses that is passed to clients though it usually is not." },
    { "proxy_ignore_headers", EVERYWHERE, ARGS_RANGE(1, ARGS_ANY), &type_bitmask,
      EXCHANGE(ignore_headers), .data = ignore_headers_names,
      .help = "Fields of responses that mean nothing here." },
    { "proxy_bind", EVERYWHERE, ARGS_RANGE(1, 2), &type_bind, EXCHANGE(bind), .initial = "off",
      .help = "The address that connections to the server come from." },
    { "proxy_bind_dynamic", EVERYWHERE, ARGS(1), &type_flag, EXCHANGE(bind_dynamic),
      .initial = "off", .help = "Make that address anew for each server that is tried." },
    { "proxy_request_dynamic", EVERYWHERE, ARGS(1), &type_accepted, .default_text = "off",
      .help = "Accepted: the request is made anew for each server that is tried." },
    { "proxy_allow_upstream", EVERYWHERE, ARGS_RANGE(1, ARGS_ANY), &type_conditions,
      EXCHANGE(allow),
      .help = "A server is asked only where all of these texts are neither empty nor 0." },
    { "proxy_store", EVERYWHERE, ARGS(1), &type_store, EXCHANGE(store), .initial = "off",
      .help = "Keep responses as files: where root or alias puts them, or at this path." },
    { "proxy_store_access", EVERYWHERE, ARGS_RANGE(1, 3), &type_file_mode, EXCHANGE(store.access),
      .initial = "user:rw", .help = "Who may read and write those files." },
    { "proxy_headers_hash_max_size", EVERYWHERE, ARGS(1), &type_accepted, .default_text = "512",
      .help = "Accepted: tables size themselves." },
    { "proxy_headers_hash_bucket_size", EVERYWHERE, ARGS(1), &type_accepted, .default_text = "64",
      .help = "Accepted: tables size themselves." },
    { "proxy_send_lowat", EVERYWHERE, ARGS(1), &type_accepted, .default_text = "0",
      .help = "Accepted: what there is goes to the server at once." },
    { "proxy_protocol", EVERYWHERE, ARGS(1), &type_flag, EXCHANGE(proxy_protocol),
      .initial = "off",
      .help = "Begin connections to the server with a PROXY protocol line that tells the client's address; "
              "each then serves one client." },
    { "proxy_socket_keepalive", EVERYWHERE, ARGS(1), &type_flag, EXCHANGE(socket_keepalive),
      .initial = "off", .help = "Let the system probe silent connections to the server." },
    { "proxy_socket_rcvbuf", EVERYWHERE, ARGS(1), &type_size, EXCHANGE(socket_rcvbuf),
      .help = "The receive buffer of connections to the server." },
    { "proxy_socket_sndbuf", EVERYWHERE, ARGS(1), &type_size, EXCHANGE(socket_sndbuf),
      .help = "The send buffer of connections to the server." },
    { 0 },
};

/* Of the client's fields, those that speak of its connection, or that proxy_set_header or Weir itself makes
 * anew. */
static void settle_headers(struct setting *s, struct proxy_conf *conf)
{
    static const enum header_id own[] = {
        HEADER_HOST, HEADER_CONNECTION, HEADER_CONTENT_LENGTH, HEADER_TRANSFER_ENCODING, HEADER_TE,
        HEADER_KEEP_ALIVE, HEADER_EXPECT, HEADER_UPGRADE, HEADER_PROXY_CONNECTION,
    };

    conf->replaced = (struct header_set){ 0 };
    conf->own_host = conf->own_connection = false;
    for (unsigned i = 0; i < sizeof own / sizeof own[0]; i++)
        conf->replaced.ids |= (uint64_t)1 << own[i];
    for (unsigned i = 0; i < conf->headers.items.count; i++) {
        const struct set_header *h = &conf->headers.items.items[i];
        header_set_add(&conf->replaced, setting_arena(s), h->name);
        conf->own_host |= h->id == HEADER_HOST;
        conf->own_connection |= h->id == HEADER_CONNECTION;
    }
}

/* Which bodies go on as they come. */
static void settle_streaming(struct proxy_conf *conf)
{
    struct exchange_conf *x = &conf->exchange;

    x->stream_length = !x->request_buffering && x->pass_request_body &&
                       template_is_empty(&conf->body);
    x->stream_chunks = x->stream_length && conf->http_version != VERSION_10;
}

static bool finish(struct setting *s, void *field)
{
    struct proxy_conf *conf = field;

    settle_headers(s, conf);
    settle_streaming(conf);
    if (conf->pass && (conf->exchange.max_temp_file_size || conf->exchange.store.on))
        temp_path_use(s, &conf->exchange.temp_path);
    IF_MODULE_ssl(if (conf->pass && proxy_pass_may_be_secure(conf->pass) && !ssl_peer_prepare(s))
        return false;)
    return exchange_conf_finish(s, &conf->exchange);
}

static const struct http_module extra = { .variables = proxy_variables };

struct module http_proxy_module = {
    .name = "ngx_http_proxy_module",
    .directives = rows,
    .conf_size = sizeof(struct proxy_conf),
    .finish = finish,
    .extra = &extra,
};

/*
 * tunnel_pass: see tunnel_pass.h.  Who may go where is for the location's access rules and
 * conditions to say: without them whoever reaches it reaches all that this machine does.
 */
#include "http/proxy/tunnel_pass.h"

#include "http/http.h"
#include "http/location.h"
#include "http/proxy/exchange.h"

/* Where a tunnel leads. */
struct tunnel_target {
    bool on;
    struct template address;           /* empty: the host and port that the request names */
    struct upstream *upstream;         /* where the address is a text */
    const struct upstreams *upstreams; /* that variables may name */
};

struct tunnel_conf {
    struct exchange_conf exchange;
    struct tunnel_target target;
};

/* "name", "host:port", "[::1]:port" or "unix:/path".  NULL, or what is wrong. */
static const char *split(struct str text, struct str *host, unsigned *port)
{
    ptrdiff_t colon = str_rindex(text, ':'), bracket = str_rindex(text, ']');

    *host = text;
    *port = 0;
    if (!str_starts(text, STR("unix:/")) && colon > bracket) {
        *host = str_first(text, (size_t)colon);
        if (!str_to_uint(str_from(text, (size_t)colon + 1), 65535, port) || *port == 0)
            return "invalid port in upstream";
    }
    return host->len ? NULL : "no host in upstream";
}

/* ---- a request ---- */

static struct upstream *find(struct request *r, const struct tunnel_target *t, struct str host,
                             unsigned port)
{
    struct upstream *u = upstream_find(t->upstreams, host, port, 0);
    bool is_unix = str_starts(host, STR("unix:/"));

    if (!u && !port && !is_unix)
        request_log(r, LOG_LEVEL_ERROR, 0, "no port in upstream \"%.*s\"", STR_ARG(host));
    if (u || (!port && !is_unix))
        return u;
    u = upstream_literal(&r->arena, host, port);
    return u ? u : upstream_by_name(&r->arena, host, port);
}

/* 0, or a status. */
static int find_target(struct request *r, const struct tunnel_target *t, struct upstream **u)
{
    struct str text, host;
    unsigned port;

    *u = t->upstream;
    if (*u)
        return 0;
    if (template_is_empty(&t->address)) {
        *u = find(r, t, r->host, r->host_port);
        return *u ? 0 : STATUS_BAD_GATEWAY;
    }
    text = template_value(&t->address, request_script(r));
    const char *problem = split(text, &host, &port);
    if (problem) {
        request_log(r, LOG_LEVEL_ERROR, 0, "%s \"%.*s\"", problem, STR_ARG(text));
        return STATUS_INTERNAL_SERVER_ERROR;
    }
    *u = find(r, t, host, port);
    return *u ? 0 : STATUS_BAD_GATEWAY;
}

/* Nothing is said to the peer, and nothing of what it says is looked at: there is a connection. */
static const struct exchange_wire wire = { .name = "tunnel", .directives = "tunnel" };

static int handler(struct request *r)
{
    const struct tunnel_conf *conf = CONF(r->conf, http_tunnel_module);
    struct upstream *u;

    if (r->method != METHOD_CONNECT || r->version < VERSION_11 || r != r->main)
        return STATUS_NOT_ALLOWED;
    if (!exchange_under_way(r->exchange)) {
        int status = find_target(r, &conf->target, &u);
        if (status)
            return status;
        exchange_begin(r, &wire, &conf->exchange, u);
    }
    return exchange_run(r->exchange);
}

/* ---- directives ---- */

static bool parse_text(struct setting *s, struct tunnel_target *t)
{
    struct str host;
    unsigned port;
    const char *problem = split(setting_arg(s, 1), &host, &port);

    if (problem)
        return setting_error(s, 1, "%s \"%.*s\"", problem, STR_ARG(setting_arg(s, 1)));
    t->upstream = upstream_use(s, 1, host, port, 0);
    if (!t->upstream)
        return false;
    if (!t->upstream->is_block && port == 0 && !str_starts(host, STR("unix:/")))
        return setting_error(s, 1, "no port in upstream \"%.*s\"", STR_ARG(host));
    return true;
}

static bool parse_pass(struct setting *s, void *field)
{
    struct tunnel_target *t = field;
    struct location *l = s->block->object;

    if (l->handler)
        return setting_error(s, 0, "is duplicate");
    *t = (struct tunnel_target){ .on = true, .upstreams = upstream_all(s) };
    l->handler = handler;
    l->connects = true;
    if (s->node->count == 1)
        return true;
    if (!template_compile(s, 1, config_variables(s), &t->address))
        return false;
    return !template_is_text(&t->address) || parse_text(s, t);
}

static void print_pass(const struct directive *row, const void *field, struct out *o)
{
    (void)row;
    out_str(o, ((const struct tunnel_target *)field)->address.text);
}

static const struct type type_tunnel_pass = {
    "[address]", "an address, or nothing", parse_pass, print_pass,
};

static const struct name_value next_names[] = {
    { "error", NEXT_ERROR }, { "timeout", NEXT_TIMEOUT }, { "denied", NEXT_DENIED },
    { "off", NEXT_OFF }, { NULL, 0 },
};

#define EVERYWHERE (IN_HTTP | IN_SERVER | IN_LOCATION)
#define EXCHANGE(field) FIELD(struct tunnel_conf, exchange.field)

static const struct directive rows[] = {
    { "tunnel_pass", IN_SERVER | IN_LOCATION | IN_LOCATION_IF, ARGS_RANGE(0, 1), &type_tunnel_pass,
      FIELD(struct tunnel_conf, target), .flags = NOT_INHERITED, .syntax = "[address]",
      .help = "Answer CONNECT with a tunnel to the host and port that it names, or to this "
              "address. Say in the same place who may go where." },
    { "tunnel_buffer_size", EVERYWHERE, ARGS(1), &type_size, EXCHANGE(buffer_size),
      .initial = "16k", .help = "How much is read at a time from either side." },
    { "tunnel_connect_timeout", EVERYWHERE, ARGS(1), &type_time, EXCHANGE(connect_timeout),
      .initial = "60s", .help = "How long a connection to the server may take." },
    { "tunnel_read_timeout", EVERYWHERE, ARGS(1), &type_time, EXCHANGE(read_timeout),
      .initial = "60s", .help = "How long a tunnel may be silent." },
    { "tunnel_send_timeout", EVERYWHERE, ARGS(1), &type_time, EXCHANGE(send_timeout),
      .initial = "60s", .help = "How long the server may take nothing while something is to be sent to it." },
    { "tunnel_send_lowat", EVERYWHERE, ARGS(1), &type_accepted,
      .help = "What there is goes to the server at once." },
    { "tunnel_next_upstream", EVERYWHERE, ARGS_RANGE(1, ARGS_ANY), &type_bitmask,
      EXCHANGE(next_upstream), .initial = "error timeout", .data = next_names,
      .help = "What leads to another server of the group, or another address of the name." },
    { "tunnel_next_upstream_tries", EVERYWHERE, ARGS(1), &type_number, EXCHANGE(next_tries),
      .initial = "0", .help = "How many servers are tried at most; 0: all." },
    { "tunnel_next_upstream_timeout", EVERYWHERE, ARGS(1), &type_time, EXCHANGE(next_timeout),
      .initial = "0", .help = "How long servers are tried; 0: no bound." },
    { "tunnel_bind", EVERYWHERE, ARGS(1), &type_bind, EXCHANGE(bind), .initial = "off",
      .help = "The address that connections to the server come from." },
    { "tunnel_bind_dynamic", EVERYWHERE, ARGS(1), &type_flag, EXCHANGE(bind_dynamic),
      .initial = "off", .help = "Make that address anew for each server that is tried." },
    { "tunnel_allow_upstream", EVERYWHERE, ARGS_RANGE(1, ARGS_ANY), &type_conditions,
      EXCHANGE(allow), .help = "Connect to a server only where all of these texts are neither "
      "empty nor 0; $upstream_last_addr is its address." },
    { "tunnel_socket_keepalive", EVERYWHERE, ARGS(1), &type_flag, EXCHANGE(socket_keepalive),
      .initial = "off", .help = "Let the system probe silent connections to the server." },
    { "tunnel_socket_rcvbuf", EVERYWHERE, ARGS(1), &type_size, EXCHANGE(socket_rcvbuf),
      .help = "The receive buffer of connections to the server." },
    { "tunnel_socket_sndbuf", EVERYWHERE, ARGS(1), &type_size, EXCHANGE(socket_sndbuf),
      .help = "The send buffer of connections to the server." },
    { 0 },
};

struct module http_tunnel_module = {
    .name = "ngx_http_tunnel_module",
    .directives = rows,
    .conf_size = sizeof(struct tunnel_conf),
};

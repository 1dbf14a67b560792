/*
 * health_request: see health_request.h.
 */
#include "http/proxy/health_request.h"

#include "http/http.h"
#include "http/proxy/exchange.h"
#include "http/proxy/http1.h"
#include "http/proxy/http1_parse.h"
#include "http/proxy/proxy_conf.h"
#include "http/proxy/proxy_pass.h"
#include "http/stage.h"

/* Of the location's server, or any where it has none of its own. */
static struct listen_spec *spec_of(const struct http_server *server)
{
    const struct http *http = server->http;

    for (unsigned i = 0; i < http->listens.count; i++) {
        const struct http_listen *l = http->listens.items[i];
        for (unsigned n = 0; n < l->servers.count; n++) {
            if (l->servers.items[n] == server)
                return l->spec;
        }
    }
    return http->listens.count ? http->listens.items[0]->spec : NULL;
}

/* NULL: memory is short. */
static struct request *begin(struct stage *s, const struct http_probe *probe)
{
    static const struct peer nobody;
    struct listen_spec *spec = spec_of(probe->server);
    struct request *r = spec ? stage_request(s, probe->generation, spec, &nobody, false) : NULL;
    struct str rest = probe->uri;

    if (!r)
        return NULL;
    r->method = METHOD_GET;
    r->method_name = STR("GET");
    r->version = VERSION_11;
    r->unparsed_uri = probe->uri;
    r->uri = str_split(&rest, '?');
    r->args = rest;
    r->server = probe->server;
    request_set_location(r, probe->location);
    return r;
}

/* ---- the probe ---- */

static bool is_of_connection(enum header_id id)
{
    return id == HEADER_CONNECTION || id == HEADER_CONTENT_LENGTH ||
           id == HEADER_TRANSFER_ENCODING;
}

static struct str value_of(const struct template *t, struct request *r)
{
    struct str value = template_is_text(t) ? t->text
                       : r                 ? template_value(t, request_script(r)) : STR("");

    return template_safe(value) ? value : STR("");
}

static struct str host_of(const struct proxy_conf *conf, struct request *r)
{
    struct str host = STR("");

    for (unsigned i = 0; host.len == 0 && i < conf->headers.items.count; i++) {
        const struct set_header *h = &conf->headers.items.items[i];
        if (h->id == HEADER_HOST)
            host = value_of(&h->value, r);
    }
    return host.len ? host : conf->pass->target.host;  /* it must have one: RFC 9110 section 7.2 */
}

void health_request_fields(const struct http_probe *probe, const struct health_sink *to)
{
    const struct proxy_conf *conf = probe->proxy;
    struct stage stage = { 0 };
    struct request *r = probe->server ? begin(&stage, probe) : NULL;

    to->put(to->to, STR("Host"), host_of(conf, r));
    for (unsigned i = 0; i < conf->headers.items.count; i++) {
        const struct set_header *h = &conf->headers.items.items[i];
        struct str value = value_of(&h->value, r);
        if (value.len && h->id != HEADER_HOST && !is_of_connection(h->id))
            to->put(to->to, h->name, value);
    }
    if (r)
        stage_forget(r);
}

/* ---- the answer ---- */

/* What $upstream_... tell of it. */
static void give_answer(struct request *r, const struct upstream_peer *peer, unsigned status,
                        struct str fields)
{
    struct exchange *x = ARENA_NEW(&r->arena, struct exchange);
    struct str line, name, value;

    x->request = r;
    x->wire = &http1_wire;
    x->state = EXCHANGE_ENDED;
    x->attempts = ARENA_NEW(&r->arena, struct attempts);
    x->head.status = status;
    while (http1_next_line(&fields, &line) &&
           http1_parse_field(line, &name, &value) == HTTP1_FIELD)
        headers_add(&x->head.fields, &r->arena, name, value);
    *ARRAY_PUSH(&x->attempts->list, &r->arena) = (struct attempt){
        .peer = peer->name, .server = peer->server, .status = status, .first = true,
        .queue_ms = -1, .connect_ms = -1, .header_ms = -1, .response_ms = -1,
    };
    r->exchange = x;
}

/* Whether all that the block requires is so. */
static bool requirements_hold(const struct http_probe *probe, const struct upstream_peer *peer,
                              unsigned status, struct str fields)
{
    struct stage stage = { 0 };
    struct request *r = begin(&stage, probe);

    if (!r)
        return false;
    give_answer(r, peer, status, fields);
    bool holds = health_match_required(probe->match, request_script(r));
    stage_forget(r);
    return holds;
}

bool health_head_is_good(const struct http_probe *probe, unsigned status, struct str fields,
                         struct health_note *note)
{
    note->why = health_match_head(probe->match, status, fields);
    if (note->why)
        return false;
    note->why = "checking required variables";
    return !health_match_requires(probe->match) ||
           requirements_hold(probe, note->peer, status, fields);
}

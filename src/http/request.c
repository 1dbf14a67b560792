/*
 * request: see request.h.
 */
#include "http/request.h"

#include <unistd.h>

#include "config/error_log.h"
#include "http/body.h"
#include "http/core.h"
#include "http/host.h"
#include "http/http.h"
#include "http/response.h"
#include "http/trace.h"
#include "http/subrequest.h"
#include "http/v1/v1.h"
#include "http/modules/access_log.h"
#include "http/proxy/buffering.h"
#include "http/proxy/exchange_log.h"
#include "http/proxy/tunnel.h"

enum method request_method(struct str name)
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

struct request *request_new(struct client *c, const struct wire *wire)
{
    struct arena arena;

    if (!chunk_reserve(REQUEST_CHUNKS))
        return NULL;
    arena_init(&arena);
    struct request *r = arena_alloc(&arena, sizeof *r);
    memset(r, 0, offsetof(struct request, arena));
    r->arena = arena;
    r->client = c;
    r->peer = c->peer;
    r->wire = wire;
    r->main = r;
    r->start_ms = clock_ms();
    r->start_seconds = clock_seconds();
    r->start_msec = clock_msec();
    r->content_length = -1;
    r->redirects_left = REQUEST_REDIRECTS;
    r->subrequests_left = REQUEST_SUBREQUESTS;
    response_init(&r->response);

    const struct listen_spec *spec = c->listener->spec;
    const struct http_listen *listen = spec->object;
    r->generation = generation_ref(spec->generation);
    r->server = listen->default_server;
    r->conf = r->server->root.conf;
    return r;
}

/* The location counts from here on, or its limit_except block where the method is none of those. */
void request_set_location(struct request *r, const struct location *l)
{
    if (l->limited && !(l->methods & METHOD_BIT(r->method)))
        l = l->limited;
    r->location = l;
    r->conf = l->conf;
    r->steps = l->steps;
}

void request_begin(struct request *r)
{
    host_choose_server(r, r->client->listener->spec->object);
    r->conf = r->server->root.conf;
    r->steps = r->server->root.steps;
    r->location = NULL;
    r->step = 0;
}

/* Whether the connection may serve another request after this one. */
static bool keepalive_allowed(const struct request *r)
{
    const struct core_conf *conf = core_conf(r->conf);
    const struct client *c = r->client;

    return conf->keepalive_timeout.timeout != 0 && c->requests < conf->keepalive_requests &&
           !c->drain && !c->listener->removed &&
           clock_ms() - c->start_ms < conf->keepalive_time;
}

/* A 405 tells what is allowed (RFC 9110 section 15.5.6); without another word that is reading. */
static void say_allowed(struct request *r)
{
    if (!headers_joined(&r->response.headers, &r->arena, STR("allow")).data)
        response_header(r, STR("Allow"), STR("GET, HEAD"));
}

/* A client that goes on sending may not begin to read before it is done: nobody is to wait for it. */
static void drain_meanwhile(struct request *r)
{
    if (!r->flags.discard_body)
        return;
    int result = body_drain(r);
    if (result == STEP_WAIT)
        return;
    r->flags.discard_body = false;
    if (result != STEP_NEXT)
        r->flags.keepalive = false;
}

/* The response waits: for its source or for the client. */
static void wait_meanwhile(struct request *r)
{
    drain_meanwhile(r);
    if (r->exchange && r->wire->blocked(r))
        buffering_go_on(r->exchange);
}

/* The request's body is of no use to anybody: it is read away.  Chunks that are there already are looked
 * at before the response goes out, while it can still say that they are no good: 0, or such a status. */
static int discard_body(struct request *r)
{
    if (r->body || r->flags.discard_body)
        return 0;
    r->flags.discard_body = true;
    int result = r->chunked_body ? body_drain(r) : 0;
    return result > 0 ? result : 0;
}

/* A success would say that there is a tunnel: RFC 9110 section 9.3.6. */
static int refuse_tunnel(const struct request *r)
{
    request_log(r, LOG_LEVEL_INFO, 0, r->flags.extended
                    ? "no WebSocket came of a client's CONNECT: the location, or what is behind it, has not "
                      "taken the upgrade"
                    : "no tunnel came of a client's CONNECT");
    return STATUS_NOT_ALLOWED;
}

/* The response's head is settled: filters first, then it goes out. */
static int request_respond(struct request *r)
{
    const struct location *l = r->location ? r->location : &r->server->root;
    int bad_body = discard_body(r);

    if (bad_body)
        return bad_body;
    if (r->error_status) {                     /* the page of an error keeps the error's status */
        r->response.status = status_on_wire(r->error_status);
        r->response.status_text = (struct str){ NULL, 0 };
    }
    if (r->flags.connect && !r->flags.tunnel && r->response.status / 100 == 2)
        return refuse_tunnel(r);
    int status = r->flags.part ? 0 : pipeline_apply(r, l->filters);
    if (status)
        return status;
    if (r->response.status == STATUS_NO_CONTENT || r->response.status == STATUS_NOT_MODIFIED)
        r->flags.header_only = true;
    if (r->response.status == STATUS_NO_CONTENT) {
        response_unprepare(r);                 /* there is nothing to describe */
        r->response.content_type = (struct str){ NULL, 0 };
    }
    if (r->flags.keepalive && (!keepalive_allowed(r) || body_awaits_leave(r)))
        r->flags.keepalive = false;
    if (r->response.status == STATUS_NOT_ALLOWED)
        say_allowed(r);
    if (r->response.status == STATUS_RESET_CONTENT)
        r->response.length = 0;                /* RFC 9110 section 15.3.6 */
    if (r->response.body && (r->flags.header_only || r->response.length == 0)) {
        source_close(r->response.body);
        r->response.body = NULL;
    }
    r->state = REQUEST_SENDING;
    return STEP_RESPOND;
}

/* A status that a step gave becomes a response, or a redirect to its error page. */
static int request_resolve(struct request *r, int result)
{
    for (unsigned tries = 0; result > 0; tries++) {
        if (tries == 3)                        /* a filter that refuses even the page of its error */
            return STEP_ABORT;
        result = response_status(r, (unsigned)result);
        if (result == STEP_RESPOND)
            result = request_respond(r);
    }
    return result;
}

int request_walk(struct request *r)
{
    while (r->state == REQUEST_STEPS) {
        int result = phases_run(r);
        if (result == STEP_RESPOND)
            result = request_respond(r);
        result = request_resolve(r, result);
        if (result == STEP_WAIT || result == STEP_ABORT)
            return result;
    }
    return STEP_RESPOND;
}

/* What a location wants asked for behind its responses, also those that broke off. */
static void begin_post_action(struct request *r)
{
    struct str action = core_conf(r->conf)->post_action;
    struct request *sub;

    if (action.len == 0 || r->flags.post_action || r->response.status == STATUS_CLOSE)
        return;
    r->flags.post_action = true;
    sub = subrequest_new(r, action.data[0] == '@' ? r->uri : action, r->args);
    if (sub && action.data[0] == '@')
        (void)request_redirect_named(sub, action);     /* without such a location it ends at once */
    if (sub)
        subrequest_in_background(sub);
}

/* What somebody besides the client wants: true when that is at its end. */
static bool read_kept(struct request *r)
{
    bool ended = true;

    for (struct kept_body *k = r->kept; k; k = k->next) {
        if (k->wanted && source_read_away(k->source))
            k->wanted = false;
        ended &= !k->wanted;
    }
    return ended;
}

/* Nothing more is to be sent: true when the request has ended. */
static bool finish(struct request *r)
{
    bool ended = read_kept(r);

    if (ended)
        begin_post_action(r);
    if (r->backgrounds && !subrequest_run_background(r))
        ended = false;
    if (!ended) {
        request_wait_no_more(r);
        return false;
    }
    request_end(r, r->state == REQUEST_LEFT ? CLIENT_DROP
                   : r->flags.keepalive     ? CLIENT_KEEP : CLIENT_FINISH);
    return true;
}

/* Nothing more can come of a request for its client, whose connection is of no more use to it. */
static bool give_up(struct request *r)
{
    r->flags.keepalive = false;
    r->state = REQUEST_LEFT;
    subrequest_end_background(r);
    if (finish(r))
        return true;
    r->wire->leave(r);
    return false;
}

bool request_run(struct request *r)
{
    if (r->backgrounds)
        subrequest_run_background(r);
    if (r->state == REQUEST_STEPS) {
        int result = request_walk(r);
        if (result != STEP_RESPOND)
            return result == STEP_ABORT && give_up(r);
    }
    if (r->state == REQUEST_SENDING) {
        int result = r->wire->send(r);
        if (result == STEP_WAIT && r->flags.tunnel)
            result = tunnel_hear(r->exchange) ? STEP_WAIT : STEP_ABORT;
        else if (result == STEP_WAIT)
            wait_meanwhile(r);
        if (result != STEP_NEXT)
            return result == STEP_ABORT && give_up(r);
        r->flags.response_complete = true;
        r->state = REQUEST_DRAINING;
    }
    if (r->flags.tunnel && tunnel_lasts(r->exchange))
        return false;
    if (r->flags.keepalive) {
        int result = body_finish(r);
        if (result == STEP_WAIT || result == STEP_ABORT)
            return result == STEP_ABORT && give_up(r);
        if (result != STEP_NEXT)
            r->flags.keepalive = false;
    }
    return finish(r);
}

int request_wait(struct request *r)
{
    if (!request_gone(r))
        return STEP_WAIT;
    request_log(r, LOG_LEVEL_INFO, 0, "client prematurely closed connection");
    if (!r->flags.head_sent)
        r->response.status = STATUS_CLIENT_CLOSED;
    return STEP_ABORT;
}

void request_refuse(struct request *r, unsigned status)
{
    r->flags.keepalive = false;
    int result = request_resolve(r, (int)status);
    if (result == STEP_ABORT)
        r->state = REQUEST_ENDED;
}

void request_end(struct request *r, enum client_after after)
{
    struct generation *generation = r->generation;

    r->state = REQUEST_ENDED;
    if (!r->flags.logged && r->line.data) {
        r->flags.logged = true;
        access_log_write(r);
    }
    /* Sources first: what they hold of subrequests is freed by cleanups. */
    source_close(r->response.body);
    r->response.body = NULL;
    subrequest_end_background(r);
    for (struct request_cleanup *clean = r->cleanups; clean; clean = clean->next)
        clean->run(clean->data);
    r->wire->ended(r, after);
    struct arena arena = r->arena;
    arena_fini(&arena);
    generation_unref(generation);
}

void request_cleanup(struct request *r, void (*run)(void *data), void *data)
{
    struct request_cleanup *clean = ARENA_NEW(&r->arena, struct request_cleanup);

    *clean = (struct request_cleanup){ r->cleanups, run, data };
    r->cleanups = clean;
}

void request_keep(struct request *r, struct kept_body *k)
{
    k->wanted = true;
    k->next = r->main->kept;
    r->main->kept = k;
}

void **request_context(struct request *r, unsigned module_index)
{
    if (!r->contexts)
        r->contexts = ARENA_NEW_ARRAY(&r->arena, void *, modules_count());
    return &r->contexts[module_index];
}

bool request_count_redirect(struct request *r, const char *doing, struct str target)
{
    if (r->redirects_left > 0) {
        r->redirects_left--;
        return true;
    }
    r->flags.redirect_cycle = true;
    request_log(r, LOG_LEVEL_ERROR, 0, "rewrite or internal redirection cycle while %s \"%.*s\"",
                doing, STR_ARG(target));
    return false;
}

/* What a redirect forgets: values that depend on the path, and modules' state. */
static void forget_path(struct request *r)
{
    r->contexts = NULL;
    r->access_status = 0;
    r->flags.internal = true;
    r->flags.rewritten = true;
    r->flags.uri_changed = false;
    r->flags.add_uri_to_alias = false;
}

int request_redirect(struct request *r, struct str uri, struct str args)
{
    if (r->trace)
        r->trace->redirect(r, uri, args);
    if (!request_count_redirect(r, "internally redirecting to", uri))
        return STATUS_INTERNAL_SERVER_ERROR;
    if (uri.len == 0) {
        request_log(r, LOG_LEVEL_ERROR, 0, "empty URI in an internal redirect");
        return STATUS_INTERNAL_SERVER_ERROR;
    }
    r->uri = uri;
    r->args = args;
    r->flags.path_settled = false;
    forget_path(r);
    r->location = NULL;
    r->conf = r->server->root.conf;
    r->steps = r->server->root.steps;
    phases_restart(r, PHASE_SERVER_REWRITE);
    return STEP_AGAIN;
}

int request_redirect_named(struct request *r, struct str name)
{
    const struct location *l = location_named(r, name);

    if (r->trace)
        r->trace->redirect(r, name, STR(""));
    if (!request_count_redirect(r, "internally redirecting to", name))
        return STATUS_INTERNAL_SERVER_ERROR;
    if (r->uri.len == 0) {                     /* of a head that was refused */
        request_log(r, LOG_LEVEL_ERROR, 0, "empty URI in redirect to named location \"%.*s\"",
                    STR_ARG(name));
        return STATUS_INTERNAL_SERVER_ERROR;
    }
    if (!l) {
        request_log(r, LOG_LEVEL_ERROR, 0, "could not find named location \"%.*s\"",
                    STR_ARG(name));
        return STATUS_INTERNAL_SERVER_ERROR;
    }
    forget_path(r);
    request_set_location(r, l);
    phases_restart(r, PHASE_REWRITE);
    return STEP_AGAIN;
}

/* ", client: ..., server: name, request: "GET / HTTP/1.1", host: "h"" */
static void request_describe(const void *object, struct out *o)
{
    const struct request *r = object;

    if (r->exchange)
        exchange_put_doing(r->exchange, o);
    OUT_LITERAL(o, ", client: ");
    peer_put_ip(o, &r->peer);
    OUT_LITERAL(o, ", server: ");
    out_str(o, r->server->name);
    if (r->line.data)
        out_printf(o, ", request: \"%.*s\"", STR_ARG(r->line));
    if (r->parent)
        out_printf(o, ", subrequest: \"%.*s\"", STR_ARG(r->uri));
    if (r->exchange)
        exchange_put_upstream(r->exchange, o);
    struct str host = headers_value(&r->headers, HEADER_HOST);
    if (host.data)
        out_printf(o, ", host: \"%.*s\"", STR_ARG(host));
    struct str referrer = headers_value(&r->headers, HEADER_REFERER);
    if (referrer.data)
        out_printf(o, ", referrer: \"%.*s\"", STR_ARG(referrer));
}

static const struct log *log_of(const struct request *r)
{
    return &((const struct error_log_conf *)CONF(r->conf, error_log_module))->log;
}

bool request_log_enabled(const struct request *r, enum log_level level)
{
    return log_enabled(log_of(r), level);
}

void request_vlog(const struct request *r, enum log_level level, int error, const char *format,
                  va_list args)
{
    struct log_scope scope = { r->client->connection.number, r, request_describe };

    if (r->trace)
        r->trace->log(r, level, error, format, args);
    else if (request_log_enabled(r, level))
        log_vwrite(log_of(r), level, error, &scope, format, args);
}

void request_log(const struct request *r, enum log_level level, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    request_vlog(r, level, error, format, args);
    va_end(args);
}

struct script *request_script(struct request *r)
{
    struct script *s = &r->script;

    if (!s->values) {
        s->object = r;
        s->arena = &r->arena;
        s->names = r->server->http->variables;
        r->scope = (struct log_scope){ r->client->connection.number, r, request_describe };
        s->log = log_of(r);
        s->scope = &r->scope;
        s->values = ARENA_NEW_ARRAY(&r->arena, struct value, variables_count(s->names) + 1);
    }
    return s;
}

/*
 * explain: has a request that nobody sent go through, and says which listener and server
 * it came to.
 */
#include "http/explain.h"

#include <string.h>

#include "http/host.h"
#include "http/http.h"
#include "http/stage.h"
#include "script/pattern.h"

enum { PORT_HTTP = 80, PORT_HTTPS = 443 };

/* The parts of a URL. */
struct url {
    bool secure;
    struct str authority;              /* empty: a path alone was given */
    struct str host;                   /* without port */
    unsigned port;                     /* 0: none is named */
    struct str target;                 /* from "/" on */
};

static bool fail(struct explain *e, struct str why)
{
    e->error = why;
    return false;
}

/* ---- the URL ---- */

static bool read_url(struct explain *e, struct url *u)
{
    struct str rest = e->url;

    if (str_starts_nocase(rest, STR("https://"))) {
        u->secure = true;
        rest = str_from(rest, strlen("https://"));
    } else if (str_starts_nocase(rest, STR("http://")))
        rest = str_from(rest, strlen("http://"));
    else if (str_find(rest, STR("://")) >= 0)
        return fail(e, STR("only http:// and https:// can be explained"));
    size_t n = 0;
    while (n < rest.len && !strchr("/?#", rest.data[n]))
        n++;
    u->authority = str_first(rest, n);
    u->target = str_from(rest, n);
    ptrdiff_t fragment = str_index(u->target, '#');    /* stays in the browser */
    if (fragment >= 0)
        u->target = str_first(u->target, (size_t)fragment);
    if (u->target.len == 0 || u->target.data[0] != '/')
        u->target = arena_concat(&e->arena, STR("/"), u->target);
    if (u->authority.len && !host_parse(&e->arena, u->authority, &u->host, &u->port))
        return fail(e, arena_printf(&e->arena, "\"%.*s\" is no host", STR_ARG(u->authority)));
    return true;
}

/* ---- the listener ---- */

/* How well an address fits a URL; 0: not at all. */
static unsigned fitness(const struct http_listen *l, const struct url *u, unsigned port)
{
    const struct address *a = &l->spec->address;
    struct address asked;

    if (a->any.sa_family == AF_UNIX)
        return u->authority.len == 0;
    if (u->authority.len && address_port(a) != port)
        return 0;
    if (u->host.len && address_parse_ip(u->host, port, &asked))
        return address_eq(a, &asked) ? 4 : address_is_wildcard(a) ? 3 : 0;
    return address_is_wildcard(a) ? 3 : 2;
}

static struct str all_addresses(struct explain *e, const struct http *h)
{
    struct out o = out_growing(&e->arena, 4096);

    for (unsigned i = 0; i < h->listens.count; i++)
        out_printf(&o, "%s%.*s", i ? ", " : "", STR_ARG(h->listens.items[i]->spec->text));
    return out_str_of(&o);
}

static const struct http_listen *choose_listener(struct explain *e, const struct http *h,
                                                 const struct url *u)
{
    const struct http_listen *best = NULL;
    unsigned port = u->port ? u->port : u->secure ? PORT_HTTPS : PORT_HTTP, fits = 0;

    for (unsigned i = 0; i < h->listens.count; i++) {
        unsigned now = fitness(h->listens.items[i], u, port);
        if (now > fits) {
            best = h->listens.items[i];
            fits = now;
        }
    }
    if (!best) {
        fail(e, arena_printf(&e->arena, "nothing listens on port %u there; the addresses are: %.*s",
                             port, STR_ARG(all_addresses(e, h))));
        return NULL;
    }
    e->listener = best->spec->text;
    e->listener_place = best->place;
    e->listener_why = u->authority.len == 0 ? STR("the first: the URL names none")
                      : fits == 4           ? STR("the address itself")
                      : fits == 3           ? STR("any address, this port")
                                            : STR("if the name leads to this address");
    return best;
}

/* ---- the server ---- */

/* How a name of a server takes a host; NULL: it does not. */
static const char *takes(struct request *r, const struct server_name *n)
{
    struct str name = n->name, host = r->host;

    if (n->pattern)
        return pattern_match(n->pattern, request_script(r), host) == PATTERN_MATCH
                   ? "the regular expression" : NULL;
    if (str_eq(name, host))
        return "the exact name";
    if (str_starts(name, STR("*.")) && str_ends(host, str_from(name, 1)) && host.len >= name.len)
        return "the wildcard";
    if (name.len > 1 && name.data[0] == '.' &&
        (str_ends(host, name) || str_eq(host, str_from(name, 1))))
        return "the wildcard";
    if (str_ends(name, STR(".*")) && str_starts(host, str_first(name, name.len - 1)))
        return "the wildcard";
    return NULL;
}

static struct str why_server(struct explain *e, struct request *r, const struct http_listen *l)
{
    const struct http_server *server = r->server;

    for (unsigned i = 0; r->host.len && i < server->names.count; i++) {
        const struct server_name *n = &server->names.items[i];
        const char *how = takes(r, n);
        if (how)
            return arena_printf(&e->arena, "%s \"%s%.*s\"", how, n->pattern ? "~" : "",
                                STR_ARG(n->name));
    }
    if (l->servers.count == 1)
        return STR("the only one on that address");
    return l->explicit_default ? STR("no name fits: the default_server of that address")
                               : STR("no name fits: the first server of that address");
}

static void say_server(struct explain *e, struct request *r)
{
    const struct http_listen *l = r->client->listener->spec->object;

    e->server = r->server->name;
    e->server_why = why_server(e, r, l);
    e->server_place = r->server->place;
}

/* ---- the request ---- */

static unsigned send_line(struct request *r, struct str line)
{
    return v1_take_line(r, v1_of(r), line);
}

/* Gives the head, line by line; 0, or the status that refuses it. */
static unsigned send_head(struct explain *e, struct request *r, const struct explain_query *q,
                          const struct url *u)
{
    struct str host = u->authority.len ? u->authority : STR("localhost");
    bool named = false;
    unsigned status = send_line(r, arena_printf(&e->arena, "%.*s %.*s HTTP/1.1",
                                                STR_ARG(e->method), STR_ARG(u->target)));

    for (unsigned i = 0; i < q->fields.count; i++)
        named |= str_starts_nocase(q->fields.items[i], STR("host:"));
    if (!status && !named)
        status = send_line(r, arena_concat(&e->arena, STR("Host: "), host));
    for (unsigned i = 0; !status && i < q->fields.count; i++)
        status = send_line(r, arena_str(&e->arena, q->fields.items[i]));
    return status ? status : send_line(r, STR(""));
}

/* ---- the response ---- */

static void say_outcome(struct explain *e, struct request *r, int result)
{
    if (e->assumed)
        e->outcome = STR("what the server behind answers");
    else if (result == STEP_WAIT)
        e->outcome = STR("not known: the request would wait");
    else if (result == STEP_ABORT)
        e->outcome = STR("none: the connection is closed");
    else {
        struct str reason = status_reason(r->response.status);
        e->status = r->response.status;
        e->outcome = arena_printf(&e->arena, "%u%s%.*s", e->status, reason.len ? " " : "",
                                  STR_ARG(reason));
        explain_head(e, r);
    }
}

static void say_location(struct explain *e, const struct request *r)
{
    const struct location *l = r->location ? r->location : &r->server->root;

    e->location = explain_location_name(e, l);
    if (!l->block)
        return;
    e->location_place = explain_place(e, l->block->node);
    explain_directives(e, l->block);
}

/* ---- all of it ---- */

static void run(struct explain *e, struct generation *g, const struct http_listen *l,
                const struct explain_query *q, const struct url *u)
{
    struct stage *stage = ARENA_NEW(&e->arena, struct stage);
    struct request *r = stage_request(stage, g, l->spec, &q->peer, u->secure);
    int result = STEP_RESPOND;

    if (!r) {
        fail(e, STR("memory is short"));
        return;
    }
    explain_trace(r, e);
    unsigned status = send_head(e, r, q, u);
    say_server(e, r);
    if (status)
        request_refuse(r, status);
    if (r->state == REQUEST_STEPS)
        result = request_walk(r);
    else if (r->state == REQUEST_ENDED)
        result = STEP_ABORT;
    say_outcome(e, r, result);
    say_location(e, r);
    stage_forget(r);
}

struct explain *explain_run(struct generation *g, const struct tree *t,
                            const struct explain_query *q)
{
    struct arena arena;

    arena_init(&arena);
    struct explain *e = ARENA_NEW(&arena, struct explain);
    struct url url = { 0 };
    e->arena = arena;
    e->tree = t;
    e->url = q->url;
    e->method = q->method;
    if (!g->http)
        fail(e, STR("the configuration has no http block"));
    else if (read_url(e, &url)) {
        const struct http_listen *l = choose_listener(e, g->http, &url);
        if (l)
            run(e, g, l, q, &url);
    }
    return e;
}

void explain_free(struct explain *e)
{
    struct arena arena = e->arena;

    arena_fini(&arena);
}

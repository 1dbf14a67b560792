/*
 * subrequest: see subrequest.h.
 */
#include "http/subrequest.h"

#include "http/body.h"
#include "http/core.h"
#include "http/http.h"
#include "http/response.h"
#include "http/modules/access_log.h"

static void free_subrequest(void *data)
{
    struct request *sub = data;

    subrequest_end(sub);
    struct arena arena = sub->arena;
    arena_fini(&arena);
}

/* What a subrequest takes over from its parent. */
static void inherit(struct request *sub, const struct request *parent)
{
    sub->client = parent->client;
    sub->peer = parent->peer;
    sub->wire = parent->wire;
    sub->generation = parent->generation;
    sub->server = parent->server;
    sub->version = parent->version;
    sub->line = parent->line;
    sub->unparsed_uri = parent->unparsed_uri;
    sub->host = parent->host;
    sub->host_port = parent->host_port;
    sub->headers = parent->headers;
    if (parent->body && parent->body->complete && !parent->body->passed)
        sub->body = parent->body;
    sub->start_ms = parent->start_ms;
    sub->start_seconds = parent->start_seconds;
    sub->start_msec = parent->start_msec;
    sub->subrequests_left = parent->subrequests_left - 1;
}

struct request *subrequest_new(struct request *parent, struct str uri, struct str args)
{
    struct arena arena;

    if (parent->subrequests_left == 0) {
        request_log(parent, LOG_LEVEL_ERROR, 0, "subrequests cycle while processing \"%.*s\"",
                    STR_ARG(uri));
        return NULL;
    }
    if (!chunk_reserve(REQUEST_CHUNKS))
        return NULL;
    arena_init(&arena);
    struct request *sub = arena_alloc(&arena, sizeof *sub);
    memset(sub, 0, offsetof(struct request, arena));
    sub->arena = arena;
    sub->main = parent->main;
    sub->parent = parent;
    inherit(sub, parent);
    sub->method = METHOD_GET;
    sub->method_name = STR("GET");
    sub->content_length = -1;
    sub->redirects_left = REQUEST_REDIRECTS;
    sub->flags.internal = true;
    sub->uri = arena_str(&sub->arena, uri);
    sub->args = arena_str(&sub->arena, args);
    response_init(&sub->response);
    sub->script = *request_script(parent);     /* variables are shared, what they speak of is not */
    sub->script.object = sub;
    sub->conf = sub->server->root.conf;
    sub->steps = sub->server->root.steps;
    phases_restart(sub, PHASE_SERVER_REWRITE);
    request_cleanup(sub->main, free_subrequest, sub);
    return sub;
}

struct request *subrequest_clone(struct request *parent)
{
    struct request *sub = subrequest_new(parent, parent->uri, parent->args);

    if (!sub)
        return NULL;
    sub->method = parent->method;
    sub->method_name = parent->method_name;
    sub->flags.internal = parent->flags.internal;
    sub->flags.rewritten = parent->flags.rewritten;
    sub->flags.path_settled = parent->flags.path_settled;
    sub->location = parent->location;
    sub->conf = parent->conf;
    sub->steps = parent->steps;
    phases_restart(sub, PHASE_CONTENT);
    return sub;
}

int subrequest_run(struct request *sub)
{
    if (sub->state == REQUEST_SENDING)
        return STEP_RESPOND;
    return sub->state == REQUEST_ENDED ? STEP_ABORT : request_walk(sub);
}

void subrequest_end(struct request *sub)
{
    if (sub->state == REQUEST_ENDED)
        return;
    sub->state = REQUEST_ENDED;
    if (core_conf(sub->conf)->log_subrequest && !sub->flags.logged) {
        sub->flags.logged = true;
        access_log_write(sub);
    }
    source_close(sub->response.body);
    sub->response.body = NULL;
    for (struct request_cleanup *clean = sub->cleanups; clean; clean = clean->next)
        clean->run(clean->data);
    sub->cleanups = NULL;
}

/* ---- in the background ---- */

struct background {
    struct background *next;
    struct request *sub;
};

void subrequest_in_background(struct request *sub)
{
    struct background *b = ARENA_NEW(&sub->main->arena, struct background);
    struct background **end = &sub->main->backgrounds;

    while (*end)
        end = &(*end)->next;
    b->sub = sub;
    *end = b;
    request_wake(sub->main);                   /* it begins when the main request rests */
}

/* True when there is no more of it. */
static bool read_away(const struct request *sub)
{
    return !sub->response.body || source_read_away(sub->response.body);
}

bool subrequest_run_background(struct request *main)
{
    bool ended = true;

    for (struct background *b = main->backgrounds; b; b = b->next) {
        if (b->sub->state == REQUEST_ENDED)
            continue;
        int result = subrequest_run(b->sub);
        if (result == STEP_WAIT || (result == STEP_RESPOND && !read_away(b->sub)))
            ended = false;
        else
            subrequest_end(b->sub);
    }
    return ended;
}

void subrequest_end_background(struct request *main)
{
    for (struct background *b = main->backgrounds; b; b = b->next)
        subrequest_end(b->sub);
}

/* ---- as a source ---- */

struct subrequest_source {
    struct source source;
    struct request *sub;               /* NULL: not made yet */
    struct str uri, args;
};

static enum pull pull(struct source *s, struct batch *out, size_t budget)
{
    struct subrequest_source *b = (struct subrequest_source *)s;

    if (!b->sub)
        b->sub = subrequest_new(s->request, b->uri, b->args);
    if (!b->sub)
        return PULL_LAST;
    switch (subrequest_run(b->sub)) {
    case STEP_WAIT:
        return PULL_WAIT;
    case STEP_RESPOND:
        break;
    default:
        return PULL_LAST;
    }
    struct source *body = b->sub->response.body;
    if (!body || b->sub->response.status >= STATUS_MULTIPLE_CHOICES)
        return PULL_LAST;
    return source_pull(body, out, budget);
}

static void close_source(struct source *s)
{
    struct subrequest_source *b = (struct subrequest_source *)s;

    if (b->sub)
        subrequest_end(b->sub);
}

static const struct source_ops ops = { .name = "subrequest", .pull = pull, .close = close_source };

struct source *subrequest_source(struct request *parent, struct str uri, struct str args)
{
    struct subrequest_source *b = ARENA_NEW(&parent->arena, struct subrequest_source);

    b->source = (struct source){ &ops, parent };
    b->uri = uri;
    b->args = args;
    return &b->source;
}

struct source *subrequest_source_of(struct request *sub)
{
    struct subrequest_source *b = ARENA_NEW(&sub->parent->arena, struct subrequest_source);

    b->source = (struct source){ &ops, sub->parent };
    b->sub = sub;
    return &b->source;
}

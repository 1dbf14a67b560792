/*
 * stage: see stage.h.
 */
#include "http/stage.h"

#include "config/generation.h"

struct request *stage_request(struct stage *s, struct generation *g, struct listen_spec *spec,
                              const struct peer *peer, bool secure)
{
    s->listener.spec = spec;
    s->client.listener = &s->listener;
    s->client.peer = *peer;
    s->client.connection.watch.fd = -1;
    s->secure = transport_plain;
    s->client.connection.transport = secure ? &s->secure : &transport_plain;
    s->client.start_ms = clock_ms();
    spec->generation = g;
    struct request *r = request_new(&s->client, &v1_wire);
    if (r) {
        s->client.request = r;
        s->client.requests = r->number = 1;
        r->wire_state = &s->wire;
    }
    return r;
}

void stage_forget(struct request *r)
{
    struct generation *g = r->generation;
    struct arena arena = r->arena;

    for (struct request_cleanup *c = r->cleanups; c; c = c->next)
        c->run(c->data);
    source_close(r->response.body);
    arena_fini(&arena);
    generation_unref(g);
}

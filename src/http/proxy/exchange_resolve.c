/*
 * exchange_resolve: see exchange_resolve.h.
 */
#include "http/proxy/exchange_resolve.h"

#include "http/proxy/exchange_log.h"

#include "upstream/resolver_rows.h"

static void wake(void *owner)
{
    request_wake(((struct exchange *)owner)->request);
}

void exchange_resolve_end(struct exchange *x)
{
    if (x->resolve)
        resolve_end(x->resolve);
    x->resolve = NULL;
}

static void begin(struct exchange *x)
{
    const struct resolver_rows *rows = CONF(x->request->conf, http_resolver_module);
    struct resolver *engine = resolver_rows_engine(rows);

    if (engine)
        x->resolve = resolve_start(engine, RESOLVE_ADDRESSES, x->pick.group->name, rows->timeout, wake,
                                   x);
    resolver_unref(engine);
}

static int fail(struct exchange *x, unsigned code)
{
    exchange_log(x, LOG_LEVEL_ERROR, 0, "%.*s could not be resolved (%u: %s)",
                STR_ARG(x->pick.group->name), code, resolve_code_text(code));
    exchange_release(x, false);
    return STATUS_BAD_GATEWAY;
}

/* Who asks next begins with another address, so that they all get their turns. */
static void add_peers(struct exchange *x, const struct resolve_answer *answer)
{
    struct upstream *u = x->pick.group;
    struct address a;

    for (unsigned i = 0; i < answer->count; i++) {
        peer_to_address(&answer->items[(answer->first + i) % answer->count].peer, &a);
        address_set_port(&a, u->port);
        upstream_add_address(&x->request->arena, u, &a);
    }
}

int exchange_resolve(struct exchange *x)
{
    const struct resolve_answer *answer;

    if (!x->resolve)
        begin(x);
    if (!x->resolve)
        return STATUS_INTERNAL_SERVER_ERROR;
    answer = resolve_answer(x->resolve);
    if (!answer)
        return STEP_WAIT;
    if (answer->code)
        return fail(x, answer->code);
    add_peers(x, answer);
    exchange_resolve_end(x);
    exchange_choose(x);
    x->state = EXCHANGE_CONNECT;
    return STEP_NEXT;
}

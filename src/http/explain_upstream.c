/*
 * explain_upstream: whom a request would be passed to: the group, its servers in the order in which they
 * would be asked, and the request line.  The balancers are asked as a request asks them; no server is.
 */
#include "http/explain.h"
#include "http/proxy/proxy_conf.h"
#include "http/proxy/proxy_pass.h"
#include "http/request.h"
#include "upstream/balance.h"

enum { LISTED = 16 };                  /* servers that are shown */

static void add(struct explain *e, enum explain_mark mark, struct str what, struct str result,
                struct str place)
{
    explain_add(e, "upstream", mark, what, result, place);
}

static struct str counted(struct explain *e, unsigned count, const char *what)
{
    return arena_printf(&e->arena, "%u %s%s", count, what, count == 1 ? "" : "s");
}

static void say_group(struct explain *e, const struct upstream *u)
{
    struct out o = out_growing(&e->arena, 1024);
    unsigned backups = u->backup.list.count;

    if (!u->is_block) {
        add(e, EXPLAIN_CHOSEN, u->name, STR("no upstream block has that name: the host itself"), STR(""));
        return;
    }
    out_printf(&o, "%s, %.*s", u->balancer->name, STR_ARG(counted(e, u->primary.list.count, "server")));
    if (backups)
        out_printf(&o, " and %.*s", STR_ARG(counted(e, backups, "backup")));
    if (u->affinity)
        OUT_LITERAL(&o, ", sticky");
    if (u->queue)
        out_printf(&o, ", a queue of %u", u->queue->max);
    add(e, EXPLAIN_CHOSEN, arena_printf(&e->arena, "upstream %.*s", STR_ARG(u->name)), out_str_of(&o),
        u->place);
}

static struct str why(struct explain *e, const struct pick *p, const struct upstream_peer *peer)
{
    bool bound = p->bound.len && str_eq(p->bound, peer->sid);

    return arena_printf(&e->arena, "%s%s%s", p->asked == 1 ? "asked first" : "the next if that fails",
                        bound ? ": the request is bound to it" : "",
                        p->peers == &p->group->backup ? ", a backup" : "");
}

/* As if each refused the request in its turn. */
static void say_order(struct explain *e, struct request *r, struct upstream *u)
{
    const struct upstream_peer *peer;
    struct pick p;

    balance_start(&p, u, request_script(r), &r->arena);
    while (p.asked < LISTED && (peer = balance_next(&p)) != NULL) {
        add(e, p.asked == 1 ? EXPLAIN_CHOSEN : EXPLAIN_PLAIN, peer->name, why(e, &p, peer), STR(""));
        balance_done(&p, BALANCE_REFUSED);
    }
    if (u->by_name)
        add(e, EXPLAIN_ASSUMED, u->name, STR("its addresses are asked for when a request comes"), STR(""));
    else if (u->watched.count)
        add(e, EXPLAIN_ASSUMED, u->name, STR("has names whose addresses are asked for while it runs"), STR(""));
    else if (p.asked == 0)
        add(e, EXPLAIN_NO, u->name, STR("no server can be asked: 502"), STR(""));
}

/* Those that are passed by whatever the balancer says. */
static void say_down(struct explain *e, const struct upstream_peers *peers)
{
    for (unsigned i = 0; i < peers->list.count; i++) {
        const struct upstream_peer *peer = &peers->list.items[i];
        if (peer->down)
            add(e, EXPLAIN_NO, peer->name, STR("is down"), STR(""));
        else if (peer->drain)
            add(e, EXPLAIN_NO, peer->name, STR("drains: only for requests that are bound to it"), STR(""));
    }
}

static const char *version_of(const struct proxy_conf *c)
{
    return c->http_version == VERSION_20 ? "HTTP/2" : c->http_version == VERSION_11 ? "HTTP/1.1"
                                                                                    : "HTTP/1.0";
}

/* "GET /path HTTP/1.1". */
static struct str request_line(struct request *r, const struct proxy_conf *c,
                               const struct proxy_target *t, struct arena *a)
{
    struct out uri = out_growing(a, TEMPLATE_MAX);
    struct str method = r->method_name;

    proxy_pass_put_uri(r, c->pass, t, &uri);
    if (!template_is_empty(&c->method))
        method = template_value(&c->method, request_script(r));
    return arena_printf(a, "%.*s %.*s %s", STR_ARG(method), STR_ARG(out_str_of(&uri)), version_of(c));
}

void explain_upstream(struct explain *e, struct request *r, const struct node *pass)
{
    const struct proxy_conf *c = CONF(r->conf, http_proxy_module);
    struct str question = STR("would ask the server behind");
    struct proxy_target t = { 0 };

    if (str_eq(pass->words[0].text, STR("proxy_pass")) && c->pass && proxy_pass_target(r, c->pass, &t))
        question = arena_printf(&e->arena, "would ask %.*s for %.*s", STR_ARG(t.host),
                                STR_ARG(request_line(r, c, &t, &e->arena)));
    explain_add(e, "handler", EXPLAIN_ASSUMED, explain_words(e, pass, ";"), question,
                explain_place(e, pass));
    if (t.upstream) {
        say_group(e, t.upstream);
        say_order(e, r, t.upstream);
        say_down(e, &t.upstream->primary);
        say_down(e, &t.upstream->backup);
    }
}

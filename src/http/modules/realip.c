/*
 * realip: see realip.h.  Changes r->peer; the connection's own address stays.
 */
#include "http/modules/realip.h"

#include "http/core.h"
#include "http/request.h"
#include "net/proxy_protocol.h"
#include "script/forwarded.h"
#include "script/trusted.h"

enum realip_source { FROM_REAL_IP, FROM_FORWARDED_FOR, FROM_PROXY_PROTOCOL, FROM_FIELD };

struct source_conf {
    enum realip_source kind;
    struct str field;                  /* of FROM_FIELD */
};

struct realip_conf {
    struct trusted from;
    struct source_conf source;
    bool recursive;
};

static bool parse_source(struct setting *s, void *field)
{
    struct source_conf *c = field;
    struct str word = setting_arg(s, 1);

    *c = (struct source_conf){ FROM_FIELD, arena_str(setting_arena(s), word) };
    if (str_eq_nocase(word, STR("X-Real-IP")))
        c->kind = FROM_REAL_IP;
    else if (str_eq_nocase(word, STR("X-Forwarded-For")))
        c->kind = FROM_FORWARDED_FOR;
    else if (str_eq(word, STR("proxy_protocol")))
        c->kind = FROM_PROXY_PROTOCOL;
    return true;
}

static void print_source(const struct directive *row, const void *field, struct out *o)
{
    (void)row;
    out_str(o, ((const struct source_conf *)field)->field);
}

static const struct type type_source = {
    "field | X-Real-IP | X-Forwarded-For | proxy_protocol", "a field's name, or proxy_protocol",
    parse_source, print_source,
};

#define PLACES (IN_HTTP | IN_SERVER | IN_LOCATION)

static const struct directive rows[] = {
    { "set_real_ip_from", PLACES, ARGS(1), &type_trusted, FIELD(struct realip_conf, from),
      .flags = REPEATS, .syntax = "address | CIDR | unix:",
      .help = "Proxies whose word about a client's address counts." },
    { "real_ip_header", PLACES, ARGS(1), &type_source, FIELD(struct realip_conf, source),
      .initial = "X-Real-IP", .help = "Where a proxy tells the client's address." },
    { "real_ip_recursive", PLACES, ARGS(1), &type_flag, FIELD(struct realip_conf, recursive),
      .initial = "off",
      .help = "Look for the last address that is not a trusted proxy's, not just the last one." },
    { 0 },
};

/* ---- variables: the connection's own address ---- */

static bool get_addr(struct script *s, const struct variable *var, struct value *v)
{
    const struct peer *p = &((const struct request *)s->object)->client->peer;
    struct out o = out_growing(s->arena, 64);

    if (!var->data)
        peer_put_ip(&o, p);
    else if (p->family != AF_UNIX)
        out_uint(&o, p->port);
    *v = (struct value){ .data = o.start ? o.start : "", .len = (uint32_t)out_len(&o),
                         .state = VALUE_FOUND };
    return true;
}

static const struct variable variables[] = {
    { .name = STR_INIT("realip_remote_addr"), .get = get_addr, .flags = VARIABLE_VOLATILE },
    { .name = STR_INIT("realip_remote_port"), .get = get_addr, .data = 1,
      .flags = VARIABLE_VOLATILE },
    { .name = { NULL, 0 } },
};

static const struct http_module extra = { .variables = variables };

struct module http_realip_module = {
    .name = "ngx_http_realip_module",
    .directives = rows,
    .conf_size = sizeof(struct realip_conf),
    .extra = &extra,
};

/* ---- requests ---- */

/* All lines of a field, from the last on, for as long as trusted addresses lead on. */
static void follow(struct request *r, const struct realip_conf *c, struct str name)
{
    struct forwarded f = { c->from.networks.items, c->from.networks.count, c->recursive };

    for (unsigned i = r->headers.list.count; i-- > 0;) {
        const struct header *h = &r->headers.list.items[i];
        if (str_eq_nocase(h->name, name) && !forwarded_follow(&f, h->value, &r->peer))
            return;
    }
}

static int run(struct request *r)
{
    const struct realip_conf *c = CONF(r->conf, http_realip_module);
    const struct proxy_protocol *proxied = r->client->proxied;

    if (r->parent || r->flags.realip_done || !trusted_has(&c->from, &r->peer))
        return STEP_NEXT;
    struct peer before = r->peer;
    if (c->source.kind == FROM_PROXY_PROTOCOL) {
        if (proxied)
            r->peer = proxied->source;
    } else
        follow(r, c, c->source.field);
    r->flags.realip_done = memcmp(&before, &r->peer, sizeof before) != 0;
    return STEP_NEXT;
}

static bool enabled(void *const *conf)
{
    const struct realip_conf *c = CONF(conf, http_realip_module);

    return c->from.networks.count > 0;
}

const struct http_step realip_step = { "realip", PHASE_POST_READ, enabled, run };
const struct http_step realip_location_step = { "realip", PHASE_PREACCESS, enabled, run };

/*
 * resolver_lookup: see resolver_lookup.h.
 */
#include "net/resolver_lookup.h"

#include <stdlib.h>

#include "base/random.h"
#include "net/resolver_system.h"

enum {
    MAX_ALIASES = 50,                  /* of a chain of CNAME */
    MAX_TARGETS = 100,                 /* of a service; further ones are left out */
    MAX_IN_HOSTS = 32,
    HOSTS_VALID = 5000,                /* ms */
    FAILURE_VALID = 10000,             /* ms until a name that is not there is worth asking for again */
};

struct service_target {
    struct resolve *resolve;
    uint16_t priority, weight, port;
};

/* ---- what is found ---- */

struct found *found_new(unsigned count, size_t name_len)
{
    struct found *f = calloc(1, sizeof *f + count * sizeof f->items[0] + name_len);

    if (f)
        f->references = 1;
    return f;
}

void found_unref(struct found *f)
{
    if (f && --f->references == 0)
        free(f);
}

static void finish(struct lookup *l, unsigned code)
{
    l->code = code;
    l->valid = l->conf->valid;
    if (l->valid == 0)
        l->valid = code ? FAILURE_VALID : (uint64_t)l->ttl * 1000;
    l->done(l->owner);
}

static void finish_found(struct lookup *l, struct found *f)
{
    l->found = f;
    finish(l, f ? 0 : DNS_SERVER_FAILURE);
}

/* ---- names to ask for ---- */

static unsigned count_dots(const struct dns_name *n)
{
    unsigned dots = 0;

    for (unsigned at = n->wire[0] + 1u; at < n->len && n->wire[at]; at += n->wire[at] + 1u)
        dots++;
    return dots;
}

static bool add_domain(struct dns_name *n, struct str domain)
{
    struct dns_name tail;

    if (!dns_name_parse(&tail, domain) || n->len - 1 + tail.len > DNS_NAME_MAX)
        return false;
    memcpy(n->wire + n->len - 1, tail.wire, tail.len);
    n->len = (uint8_t)(n->len - 1 + tail.len);
    return true;
}

/* The name with the next of the domains, or as it is: which comes first is resolv.conf's ndots.  false:
 * there are no more. */
static bool next_candidate(struct lookup *l)
{
    bool changed;
    const struct system_names *s = l->system && !l->asked.absolute ? system_names(&changed) : NULL;
    unsigned domains = s ? s->search_count : 0, i;

    l->aliases = 0;
    l->ttl = INT32_MAX;
    while ((i = l->candidate++) <= domains) {
        bool bare_first = !s || count_dots(&l->asked.name) >= s->ndots;
        unsigned bare = bare_first ? 0 : domains;
        l->name = l->asked.name;
        if (i == bare || add_domain(&l->name, s->search[bare_first ? i - 1 : i]))
            return true;
    }
    return false;
}

/* ---- the asking ---- */

static void on_asked(void *owner);

void lookup_abandon(struct lookup *l, bool abandoned)
{
    l->abandoned = abandoned;
    if (l->ask)
        l->ask->abandoned = abandoned;
}

static bool ask(struct lookup *l)
{
    enum dns_type types[ASK_QUESTIONS];
    struct ask *before = l->ask;
    unsigned count = 0;

    if (l->kind == RESOLVE_SERVICE)
        types[count++] = DNS_SRV;
    else if (l->kind == RESOLVE_NAME)
        types[count++] = DNS_PTR;
    else if (l->conf->ipv4)
        types[count++] = DNS_A;
    if (l->kind == RESOLVE_ADDRESSES && l->conf->ipv6)
        types[count++] = DNS_AAAA;
    l->ask = ask_start(l->servers, &l->name, types, count, on_asked, l);
    if (before)
        ask_free(before);
    lookup_abandon(l, l->abandoned);
    return l->ask != NULL;
}

/* A name that is not there may be there with the next domain. */
static void ask_next(struct lookup *l, unsigned code)
{
    if (code != DNS_NOT_FOUND || !next_candidate(l))
        finish(l, code);
    else if (!ask(l))
        finish(l, DNS_SERVER_FAILURE);
}

static void follow(struct lookup *l, const struct dns_name *alias)
{
    l->name = *alias;
    if (l->aliases++ >= MAX_ALIASES)
        finish(l, DNS_NOT_FOUND);
    else if (!ask(l))
        finish(l, DNS_SERVER_FAILURE);
}

/* ---- addresses and names ---- */

static struct found *gather_addresses(const struct ask *a, unsigned count)
{
    struct found *f = found_new(count, 0);

    for (unsigned i = 0; f && i < a->count; i++) {
        const struct dns_reply *reply = &a->questions[i].reply;
        for (unsigned j = 0; j < reply->count; j++) {
            const struct dns_record *record = &reply->records[j];
            struct peer *p = &f->items[f->count++].peer;
            p->family = record->type == DNS_A ? AF_INET : AF_INET6;
            memcpy(p->ip, record->ip, sizeof p->ip);
        }
    }
    return f;
}

static struct found *gather_name(const struct dns_name *name)
{
    char space[4 * DNS_NAME_MAX], *kept;
    struct out o = out_fixed(space, sizeof space);

    dns_name_put(&o, name);
    struct found *f = found_new(0, out_len(&o));
    if (f) {
        kept = (char *)f->items;
        memcpy(kept, space, out_len(&o));
        f->name = (struct str){ kept, out_len(&o) };
    }
    return f;
}

/* ---- services ---- */

static bool targets_known(const struct lookup *l)
{
    for (unsigned i = 0; i < l->target_count; i++) {
        if (!resolve_answer(l->targets[i].resolve))
            return false;
    }
    return true;
}

static void add_target(struct found *f, const struct service_target *t,
                       const struct resolve_answer *answer)
{
    for (unsigned i = 0; i < answer->count; i++) {
        struct resolved *item = &f->items[f->count++];
        *item = answer->items[i];
        item->peer.port = t->port;
        item->priority = t->priority;
        item->weight = t->weight;
    }
}

/* Targets without addresses are left out; a failure among them makes the answer short-lived.  RFC 2782
 * leaves open what to do then. */
static void gather_targets(void *owner)
{
    struct lookup *l = owner;
    unsigned count = 0, code = DNS_NOT_FOUND;
    uint64_t valid = (uint64_t)l->ttl * 1000;

    if (!targets_known(l))
        return;
    for (unsigned i = 0; i < l->target_count; i++) {
        const struct resolve_answer *answer = resolve_answer(l->targets[i].resolve);
        count += answer->count;
        valid = answer->valid < valid ? answer->valid : valid;
        if (answer->code && answer->code != DNS_NOT_FOUND)
            code = answer->code;
    }
    if (count == 0) {
        finish(l, code);
        return;
    }
    struct found *f = found_new(count, 0);
    for (unsigned i = 0; f && i < l->target_count; i++)
        add_target(f, &l->targets[i], resolve_answer(l->targets[i].resolve));
    l->ttl = (uint32_t)((valid + 999) / 1000);
    finish_found(l, f);
}

static void ask_for_targets(struct lookup *l, const struct dns_reply *reply)
{
    unsigned count = reply->count < MAX_TARGETS ? reply->count : MAX_TARGETS;

    l->targets = calloc(count, sizeof *l->targets);
    for (unsigned i = 0; l->targets && i < count; i++) {
        const struct dns_record *record = &reply->records[i];
        struct service_target *t = &l->targets[l->target_count];
        *t = (struct service_target){ .priority = record->priority, .weight = record->weight,
                                      .port = record->port };
        if (record->target->len > 1)           /* "." says that there is no such service */
            t->resolve = resolve_start_inner(l->resolver, record->target, gather_targets, l);
        l->target_count += t->resolve != NULL;
    }
    if (l->target_count)
        gather_targets(l);
    else
        finish(l, l->targets ? DNS_NOT_FOUND : DNS_SERVER_FAILURE);
}

/* ---- replies ---- */

static void use_records(struct lookup *l, const struct ask *a, unsigned count)
{
    if (l->kind == RESOLVE_ADDRESSES)
        finish_found(l, gather_addresses(a, count));
    else if (l->kind == RESOLVE_NAME)
        finish_found(l, gather_name(a->questions[0].reply.records[0].target));
    else
        ask_for_targets(l, &a->questions[0].reply);
}

/* All replies are there.  An error of one is the error of all; addresses count more than an alias, and of
 * aliases the one that was asked for last. */
static void use_replies(struct lookup *l, const struct ask *a)
{
    const struct dns_name *alias = &a->questions[a->count - 1].reply.alias;
    unsigned count = 0;

    for (unsigned i = 0; i < a->count; i++) {
        const struct dns_reply *reply = &a->questions[i].reply;
        if (reply->code) {
            ask_next(l, reply->code);
            return;
        }
        count += reply->count;
        l->ttl = reply->ttl < l->ttl ? reply->ttl : l->ttl;
    }
    if (count)
        use_records(l, a, count);
    else if (alias->len > 1)
        follow(l, alias);
    else
        ask_next(l, DNS_NOT_FOUND);
}

static void on_asked(void *owner)
{
    struct lookup *l = owner;
    struct ask *a = l->ask;

    if (!ask_answered(a)) {
        finish(l, RESOLVE_TIMED_OUT);
        return;
    }
    use_replies(l, a);
}

/* ---- begin and end ---- */

bool lookup_at_once(struct lookup *l)
{
    struct peer peers[MAX_IN_HOSTS];
    char space[4 * DNS_NAME_MAX];
    struct out o = out_fixed(space, sizeof space);

    if (!l->system || l->kind != RESOLVE_ADDRESSES)
        return false;
    dns_name_put(&o, &l->asked.name);
    unsigned count = system_hosts_find(out_str_of(&o), peers, MAX_IN_HOSTS);
    l->found = count ? found_new(count, 0) : NULL;
    for (unsigned i = 0; l->found && i < count; i++)
        l->found->items[l->found->count++].peer = peers[i];
    l->valid = HOSTS_VALID;
    return l->found != NULL;
}

bool lookup_begin(struct lookup *l)
{
    return next_candidate(l) && ask(l);
}

void lookup_fini(struct lookup *l)
{
    for (unsigned i = 0; i < l->target_count; i++)
        resolve_end(l->targets[i].resolve);
    free(l->targets);
    if (l->ask)
        ask_free(l->ask);
    found_unref(l->found);
}

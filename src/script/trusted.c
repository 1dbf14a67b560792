/*
 * trusted: see trusted.h.
 */
#include "script/trusted.h"

#include <netdb.h>

#include "config/resolve.h"

static void add(struct setting *s, struct trusted *t, const struct cidr *network)
{
    *ARRAY_PUSH(&t->networks, setting_arena(s)) = *network;
}

/* A name stands for all its addresses. */
static bool add_name(struct setting *s, struct trusted *t, struct str name)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;

    int error = getaddrinfo(arena_str(&s->config->scratch, name).data, NULL, &hints, &found);
    if (error)
        return setting_error(s, 1, "host not found in set_real_ip_from \"%.*s\": %s", STR_ARG(name),
                             gai_strerror(error));
    for (struct addrinfo *i = found; i; i = i->ai_next) {
        struct cidr c = { .family = i->ai_family };
        struct address a = { .len = i->ai_addrlen };
        if (i->ai_addrlen > sizeof a.in6)
            continue;
        memcpy(&a.any, i->ai_addr, i->ai_addrlen);
        struct peer p = peer_of(&a);
        memcpy(c.ip, p.ip, sizeof c.ip);
        memset(c.mask, 0xff, sizeof c.mask);
        add(s, t, &c);
    }
    freeaddrinfo(found);
    return true;
}

static bool parse(struct setting *s, void *field)
{
    struct cidr network = { .family = AF_UNIX };
    struct str word = setting_arg(s, 1);
    bool stray = false;

    if (!str_eq(word, STR("unix:")) && !cidr_parse(word, &network, &stray))
        return add_name(s, field, word);
    if (stray)
        setting_warn(s, 1, "low address bits of %.*s are meaningless", STR_ARG(word));
    add(s, field, &network);
    return true;
}

static void print(const struct directive *row, const void *field, struct out *o)
{
    const struct trusted *t = field;

    (void)row;
    for (unsigned i = 0; i < t->networks.count; i++) {
        if (i)
            OUT_LITERAL(o, "; ");
        cidr_put(o, &t->networks.items[i]);
    }
}

const struct type type_trusted = {
    "address | CIDR | unix:", "an address, a network, a host's name or unix:", parse, print,
};

bool trusted_has(const struct trusted *t, const struct peer *p)
{
    for (unsigned i = 0; i < t->networks.count; i++) {
        if (cidr_contains(&t->networks.items[i], p))
            return true;
    }
    return false;
}

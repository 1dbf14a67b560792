/*
 * trusted: see trusted.h.
 */
#include "script/trusted.h"

#include "config/names.h"
#include "config/resolve.h"

static void add(struct setting *s, struct trusted *t, const struct cidr *network)
{
    *ARRAY_PUSH(&t->networks, setting_arena(s)) = *network;
}

/* A name stands for all its addresses. */
static bool add_name(struct setting *s, struct trusted *t, struct str name)
{
    struct names_found found;

    if (!names_find(s, name, 0, &found))
        return setting_error(s, 1, "host not found in set_real_ip_from \"%.*s\": %.*s", STR_ARG(name),
                             STR_ARG(found.problem));
    for (unsigned i = 0; i < found.count; i++) {
        struct peer p = peer_of(&found.items[i]);
        struct cidr c = { .family = p.family };
        memcpy(c.ip, p.ip, sizeof c.ip);
        memset(c.mask, 0xff, sizeof c.mask);
        add(s, t, &c);
    }
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

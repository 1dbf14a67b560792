/*
 * address: socket addresses as texts and back.  Only digits are read here: looking a name up is the
 * resolver's business.
 */
#include "net/address.h"

#include <arpa/inet.h>
#include <netdb.h>

static const unsigned char mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

struct peer peer_of(const struct address *a)
{
    struct peer p = { .family = (uint16_t)a->any.sa_family, .port = (uint16_t)address_port(a) };

    if (p.family == AF_INET)
        memcpy(p.ip, &a->in.sin_addr, 4);
    else if (p.family == AF_INET6)
        memcpy(p.ip, &a->in6.sin6_addr, 16);
    return p;
}

void peer_to_address(const struct peer *p, struct address *a)
{
    *a = (struct address){ 0 };
    a->any.sa_family = p->family;
    switch (p->family) {
    case AF_INET:
        a->len = sizeof a->in;
        memcpy(&a->in.sin_addr, p->ip, 4);
        break;
    case AF_INET6:
        a->len = sizeof a->in6;
        memcpy(&a->in6.sin6_addr, p->ip, 16);
        break;
    default:
        a->len = offsetof(struct sockaddr_un, sun_path);
        return;
    }
    address_set_port(a, p->port);
}

static void put_ip(struct out *o, int family, const unsigned char *ip)
{
    char text[INET6_ADDRSTRLEN];

    if (family == AF_INET) {
        for (unsigned i = 0; i < 4; i++) {
            if (i)
                out_char(o, '.');
            out_uint(o, ip[i]);
        }
    } else if (inet_ntop(AF_INET6, ip, text, sizeof text)) {
        out_str(o, str_of(text));
    }
}

void peer_put_ip(struct out *o, const struct peer *p)
{
    if (p->family == AF_INET || p->family == AF_INET6)
        put_ip(o, p->family, p->ip);
    else
        OUT_LITERAL(o, "unix:");
}

/* The path of a unix address; empty for one without a name. */
static struct str unix_path(const struct address *a)
{
    size_t room = offsetof(struct sockaddr_un, sun_path);
    size_t len = a->len > room ? (size_t)a->len - room : 0;

    return (struct str){ a->un.sun_path, strnlen(a->un.sun_path, len) };
}

void address_put_host(struct out *o, const struct address *a, bool brackets)
{
    switch (a->any.sa_family) {
    case AF_INET:
        put_ip(o, AF_INET, (const unsigned char *)&a->in.sin_addr);
        break;
    case AF_INET6:
        if (brackets)
            out_char(o, '[');
        put_ip(o, AF_INET6, a->in6.sin6_addr.s6_addr);
        if (brackets)
            out_char(o, ']');
        break;
    default:
        OUT_LITERAL(o, "unix:");
        out_str(o, unix_path(a));
    }
}

void address_put(struct out *o, const struct address *a)
{
    address_put_host(o, a, true);
    if (a->any.sa_family == AF_INET || a->any.sa_family == AF_INET6) {
        out_char(o, ':');
        out_uint(o, address_port(a));
    }
}

unsigned address_port(const struct address *a)
{
    if (a->any.sa_family == AF_INET)
        return ntohs(a->in.sin_port);
    return a->any.sa_family == AF_INET6 ? ntohs(a->in6.sin6_port) : 0;
}

void address_set_port(struct address *a, unsigned port)
{
    if (a->any.sa_family == AF_INET)
        a->in.sin_port = htons((uint16_t)port);
    else if (a->any.sa_family == AF_INET6)
        a->in6.sin6_port = htons((uint16_t)port);
}

bool address_eq(const struct address *a, const struct address *b)
{
    if (a->any.sa_family != b->any.sa_family || address_port(a) != address_port(b))
        return false;
    switch (a->any.sa_family) {
    case AF_INET:
        return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
    case AF_INET6:
        return a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
               memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof a->in6.sin6_addr) == 0;
    default:
        return str_eq(unix_path(a), unix_path(b));
    }
}

bool address_is_wildcard(const struct address *a)
{
    if (a->any.sa_family == AF_INET)
        return a->in.sin_addr.s_addr == htonl(INADDR_ANY);
    return a->any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
}

/* inet_pton() wants a text that ends in NUL; false: s is too long to be an address. */
static bool read_ip(int family, struct str s, void *ip)
{
    char text[INET6_ADDRSTRLEN];

    if (s.len == 0 || s.len >= sizeof text || memchr(s.data, '\0', s.len))
        return false;
    memcpy(text, s.data, s.len);
    text[s.len] = '\0';
    return inet_pton(family, text, ip) == 1;
}

bool address_parse_ip(struct str s, unsigned port, struct address *a)
{
    struct str bare = s;

    *a = (struct address){ 0 };
    if (s.len > 2 && s.data[0] == '[' && s.data[s.len - 1] == ']')
        bare = (struct str){ s.data + 1, s.len - 2 };
    if (bare.len == s.len && read_ip(AF_INET, s, &a->in.sin_addr)) {
        a->in.sin_family = AF_INET;
        a->len = sizeof a->in;
    } else if (read_ip(AF_INET6, bare, &a->in6.sin6_addr)) {
        a->in6.sin6_family = AF_INET6;
        a->len = sizeof a->in6;
    } else {
        return false;
    }
    address_set_port(a, port);
    return true;
}

bool address_parse_unix(struct str s, struct address *a)
{
    struct str path;

    if (!str_starts(s, STR("unix:")))
        return false;
    path = str_from(s, 5);
    if (path.len == 0 || path.len >= sizeof a->un.sun_path || memchr(path.data, '\0', path.len))
        return false;
    *a = (struct address){ 0 };
    a->un.sun_family = AF_UNIX;
    memcpy(a->un.sun_path, path.data, path.len);
    a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
    return true;
}

bool address_local(int fd, struct address *a)
{
    *a = (struct address){ 0 };
    a->len = sizeof *a - offsetof(struct address, any);
    return getsockname(fd, &a->any, &a->len) == 0;
}

static void make_mask(unsigned char *mask, unsigned bits)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned here = bits > 8 ? 8 : bits;

        mask[i] = (unsigned char)(0xff00U >> here);
        bits -= here;
    }
}

bool cidr_parse(struct str s, struct cidr *c, bool *stray)
{
    struct str rest = s, host = str_split(&rest, '/');
    unsigned width, bits;

    *c = (struct cidr){ 0 };
    *stray = false;
    if (read_ip(AF_INET, host, c->ip))
        c->family = AF_INET;
    else if (read_ip(AF_INET6, host, c->ip))
        c->family = AF_INET6;
    else
        return false;
    width = bits = c->family == AF_INET ? 32 : 128;
    if (rest.data && !str_to_uint(rest, width, &bits))
        return false;
    make_mask(c->mask, bits);
    for (unsigned i = 0; i < width / 8; i++) {
        *stray |= (c->ip[i] & ~c->mask[i]) != 0;
        c->ip[i] &= c->mask[i];
    }
    return true;
}

void cidr_put(struct out *o, const struct cidr *c)
{
    struct peer p = { .family = (uint16_t)c->family };
    unsigned bits = 0, size = c->family == AF_INET ? 32 : 128;

    memcpy(p.ip, c->ip, sizeof p.ip);
    peer_put_ip(o, &p);
    if (c->family == AF_UNIX)
        return;
    while (bits < size && c->mask[bits / 8] >> (7 - bits % 8) & 1)
        bits++;
    out_char(o, '/');
    out_uint(o, bits);
}

bool cidr_contains(const struct cidr *c, const struct peer *p)
{
    const unsigned char *ip = p->ip;
    int family = p->family;

    if (family == AF_INET6 && c->family == AF_INET &&
        memcmp(ip, mapped_prefix, sizeof mapped_prefix) == 0) {
        family = AF_INET;
        ip += sizeof mapped_prefix;
    }
    if (family == AF_UNIX && c->family == AF_UNIX)
        return true;
    if (family != c->family)
        return false;
    for (unsigned i = 0; i < (family == AF_INET ? 4U : 16U); i++) {
        if ((ip[i] & c->mask[i]) != c->ip[i])
            return false;
    }
    return true;
}

/*
 * address: socket addresses of IPv4, IPv6 and unix sockets, as texts and back.
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/out.h"

struct address {
    socklen_t len;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    };
};

/* The same in 20 bytes, for what is kept per connection; of a unix socket only the family. */
struct peer {
    uint16_t family;                   /* AF_INET, AF_INET6, AF_UNIX */
    uint16_t port;                     /* host order */
    unsigned char ip[16];              /* the first 4 for IPv4 */
};

struct peer peer_of(const struct address *a);
void peer_to_address(const struct peer *p, struct address *a);
/* "127.0.0.1", "::1" (no brackets), "unix:". */
void peer_put_ip(struct out *o, const struct peer *p);

/* "127.0.0.1:80", "[::1]:80", "unix:/path". */
void address_put(struct out *o, const struct address *a);
/* Without the port: "127.0.0.1", "::1", "unix:/path"; IPv6 in brackets if `brackets`. */
void address_put_host(struct out *o, const struct address *a, bool brackets);
unsigned address_port(const struct address *a);            /* 0 for unix */
void address_set_port(struct address *a, unsigned port);
bool address_eq(const struct address *a, const struct address *b);
bool address_is_wildcard(const struct address *a);         /* 0.0.0.0 or :: */

/* An address of digits alone ("127.0.0.1", "::1", "[::1]"): no look-up of names.  false: it is
 * none. */
bool address_parse_ip(struct str s, unsigned port, struct address *a);
/* unix:/path; false: too long or not a unix address. */
bool address_parse_unix(struct str s, struct address *a);
/* The socket's own address. */
bool address_local(int fd, struct address *a);

/* A network: 10.0.0.0/8, 2001:db8::/32, or a single address. */
struct cidr {
    int family;
    unsigned char ip[16], mask[16];
};
/* `stray`: set where bits beyond the mask were set in the text (and cleared in the result). */
bool cidr_parse(struct str s, struct cidr *c, bool *stray);
/* IPv4-mapped IPv6 counts as IPv4. */
/* "10.0.0.0/8", "unix:". */
void cidr_put(struct out *o, const struct cidr *c);
bool cidr_contains(const struct cidr *c, const struct peer *p);

#endif

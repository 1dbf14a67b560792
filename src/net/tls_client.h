/*
 * tls_client: TLS from the side that connects: towards peers.
 */
#ifndef NET_TLS_CLIENT_H
#define NET_TLS_CLIENT_H

#include "net/address.h"
#include "net/tls.h"

/* What a peer must show, and what it is told. */
struct tls_peer {
    const struct tls_context *context; /* of tls_client_new() */
    struct str name;                   /* ends in NUL; empty: none */
    bool sni;                          /* the name is told (RFC 6066 section 3), unless it is an address */
    bool verify;                       /* its certificate must be good, and bear the name */
    bool reuse;                        /* sessions are kept, and resumed */
    struct str alpn;                   /* protocols, each with its length in front; empty: none */
    struct str certificate, key;       /* ours, where they are chosen now: for tls_use_pair(); empty: none */
    const struct str *passwords;       /* of its key */
    unsigned password_count;
    struct tls_cache *cache;           /* of such certificates; may be NULL */
};

/* Of the settings those for servers count for nothing.  NULL: *e says why. */
struct tls_context *tls_client_new(const struct tls_settings *s, struct tls_error *e);

/* One that lives until it is freed, but for `passwords` and `cache`; NULL: memory is short. */
struct tls_peer *tls_peer_copy(const struct tls_peer *p);
void tls_peer_free(struct tls_peer *p);        /* may be NULL */

/* The connection (plain, connected) will be one of TLS, by tls_handshake().  false: *f says why. */
bool tls_connect(struct connection *c, const struct tls_peer *p, const struct address *to,
                 struct tls_fault *f);
/* Behind the handshake: whether the peer is whom it should be; *f says what is wrong. */
bool tls_peer_check(struct connection *c, const struct tls_peer *p, struct tls_fault *f);

#endif

/*
 * ssl_peer: TLS towards peers: the directives proxy_ssl_*, and what they mean for a request.
 */
#ifndef HTTP_MODULES_SSL_SSL_PEER_H
#define HTTP_MODULES_SSL_SSL_PEER_H

#include "config/resolve.h"
#include "http/request.h"
#include "net/tls_client.h"

extern struct module http_proxy_ssl_module;

/* For the finish() of a module whose block passes requests on to https: false after a mistake was told. */
bool ssl_peer_prepare(struct setting *s);

/* How the peers of this request are spoken to.  `host`: $proxy_host.  *key becomes one that connections of
 * other rules do not have.  NULL: they can't be (logged). */
const struct tls_peer *ssl_peer_of(struct request *r, struct str host, struct str alpn, uint32_t *key);

/* The same for who has no request, a health check: the name is the host's where variables would give it. */
const struct tls_peer *ssl_peer_fixed(struct setting *s, struct str host);

#endif

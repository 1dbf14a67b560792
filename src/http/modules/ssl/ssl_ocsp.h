/*
 * ssl_ocsp: certificates that were taken back: what the directives ssl_stapling... say of the server's own,
 * and ssl_ocsp... of clients'.  The asking is upstream/ocsp's.
 */
#ifndef HTTP_MODULES_SSL_SSL_OCSP_H
#define HTTP_MODULES_SSL_SSL_OCSP_H

#include "config/types.h"
#include "upstream/fetch.h"

struct ssl_conf;
struct tls_settings;

enum ssl_ocsp { SSL_OCSP_OFF, SSL_OCSP_ON, SSL_OCSP_LEAF };

extern const struct name_value ssl_ocsp_modes[];
extern const struct type type_ssl_ocsp_cache;          /* struct zone_spec *: NULL: off */
extern const struct type type_ssl_ocsp_responder;      /* struct responder *: NULL: none */

/* How clients are checked, before their context is made: into c->check and the settings.  false after a
 * mistake was told, here and below; `s` as in ssl_files.h. */
bool ssl_ocsp_prepare(const struct setting *s, struct ssl_conf *c, struct tls_settings *to);
/* What is shown with the certificates of c->context, which was made of these settings. */
bool ssl_ocsp_staple(const struct setting *s, struct ssl_conf *c, const struct tls_settings *of);

/* Judges a responder's response of HTTP. */
extern const struct fetch_kind ssl_ocsp_http;

#endif

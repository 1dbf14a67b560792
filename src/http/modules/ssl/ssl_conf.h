/*
 * ssl_conf: what the directives of a server say, shared by the files of this folder.
 */
#ifndef HTTP_MODULES_SSL_SSL_CONF_H
#define HTTP_MODULES_SSL_SSL_CONF_H

#include <time.h>

#include "http/modules/ssl/ssl.h"
#include "http/modules/ssl/ssl_types.h"

struct http;
struct http_server;
struct zone_spec;
struct responder;
struct ocsp_check_conf;

struct ssl_sessions {
    enum tls_sessions kind;
    long builtin;                      /* as in struct tls_settings */
    struct zone_spec *shared;          /* NULL: none */
};

struct ssl_conf {
    bool on;                           /* the old directive `ssl` */
    unsigned protocols;                /* enum tls_protocol bits */
    struct str ciphers, curves;
    bool prefer_server_ciphers, early_data, reject_handshake, tickets, certificate_compression;
    size_t buffer_size;
    ARRAY(struct template) certificates;
    ARRAY(struct template) keys;
    struct ssl_certificate_cache certificate_cache;
    struct str password_file, client_certificate, trusted_certificate, crl, dhparam;
    unsigned verify;                   /* enum tls_verify */
    unsigned verify_depth;
    ARRAY(struct tls_command) commands;
    struct ssl_sessions sessions;
    time_t session_timeout;            /* seconds */
    ARRAY(struct str) ticket_keys;     /* paths */
    struct log_file *key_log;
    ARRAY(struct str) ech_files;
    unsigned ocsp;                     /* enum ssl_ocsp */
    struct responder *ocsp_responder;  /* NULL: those that certificates name */
    struct zone_spec *ocsp_cache;      /* NULL: none */
    bool stapling, stapling_verify;
    struct str stapling_file, stapling_responder;

    /* Made when all servers are known. */
    bool settled;
    struct tls_context *context;       /* NULL: there is no certificate */
    const struct str *passwords;       /* of keys that are named in handshakes */
    unsigned password_count;
    struct tls_cache *cache;
    struct ocsp_check_conf *check;     /* of clients' certificates; NULL: none is made */
};

static inline struct ssl_conf *ssl_conf(void *const *conf)
{
    return CONF(conf, http_ssl_module);
}

/* ssl_settle.c: contexts of all servers, and what listeners' handshakes ask.  false: mistakes are in
 * diag. */
bool ssl_settle(struct setting *s, struct http *h);

/* ssl_client.c: for ssl_settle(): the acceptor of a listener's handshakes. */
struct http_listen;
struct tls_acceptor *ssl_acceptor(struct arena *a, const struct http_listen *l,
                                  const struct tls_context *context);

/* ssl_variables.c */
extern const struct variable ssl_variables[];

#endif

/*
 * http: the engine as others see it: its protocol for listeners, its part of a worker's life, and the
 * block `http`.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "config/resolve.h"
#include "http/location.h"
#include "net/listen.h"
#include "script/variable.h"

extern const struct protocol http_protocol;

struct http;
struct tls_acceptor;                       /* net/tls.h */

/* What a module's `extra` points at, where the module has more than directives. */
struct http_module {
    const struct variable *variables;      /* ended by one without name; NULL: none */
    /* When all servers and listeners are known, and no mistake was found; false after setting_error().
     * NULL: there is nothing to do then. */
    bool (*settle)(struct setting *s, struct http *h);
};

/* What generation->http points at. */
struct http {
    struct block *block;
    struct str conf_prefix;                /* folder of the configuration, with its slash */
    struct variables *variables;
    ARRAY(struct http_server *) servers;
    ARRAY(struct http_listen *) listens;
    struct log_format *log_formats;        /* of modules/log_format.c */
    struct table *log_sinks;               /* of modules/log_file.c: by path; NULL: none yet */
};

/* What listen_spec.object points at: an address, and the servers behind it. */
struct http_listen {
    struct listen_spec *spec;
    struct http_server *default_server;
    struct host_table *hosts;              /* http/host.h; NULL: the default server serves all */
    ARRAY(struct http_server *) servers;
    bool ssl, http2, quic, proxy_protocol;
    bool explicit_default;
    struct str place;                      /* file:line of the first listen of that address */
    const struct tls_acceptor *tls;        /* NULL: clients speak in clear */
};

struct http_server {
    struct location root;                  /* the server's own level: conf, and the locations in it */
    struct str name;                       /* the first server_name; "" without any */
    ARRAY(struct server_name) names;
    bool listens;                          /* a `listen` was given */
    struct http *http;
    struct str place;                      /* file:line */
};

/* After a block's own lines, before those in it open: what the requests of its location pass. */
void http_settle(struct location *l, struct block *b);

/* The worker ends: closes what is kept open over requests and generations. */
void http_worker_fini(void);

#endif

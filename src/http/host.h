/*
 * host: which server of an address serves a host name: exact names, then the longest wildcard in
 * front (*.example.com), then the longest one behind (mail.*), then the first regular expression,
 * then the default server.
 */
#ifndef HTTP_HOST_H
#define HTTP_HOST_H

#include "config/resolve.h"

struct http_listen;
struct http_server;
struct request;
struct pattern;

struct server_name {
    struct str name;                   /* lower case; "*.x", "x.*", ".x"; without the "~" of a regex */
    struct pattern *pattern;           /* NULL: none */
};

/* Checks and lower-cases a Host or :authority value in place of `host`; false: it is malformed.
 * Splits off the port (0: none).  RFC 9110 section 7.2, RFC 3986 section 3.2. */
bool host_parse(struct arena *a, struct str value, struct str *host, unsigned *port);
/* Sets r->server (and conf, location) by r->host. */
void host_choose_server(struct request *r, const struct http_listen *l);
/* The server that a name belongs to (in lower case, not empty) before there is a request: the default
 * server if none bears it. */
struct http_server *host_find_named(const struct http_listen *l, struct str name,
                                    struct arena *scratch);
/* Builds the tables of an address; conflicting names are warned of. */
bool host_build(struct setting *s, struct http_listen *l);

#endif

/*
 * health_check: the directives `health_check` and `match`: what the servers behind a location's
 * proxy_pass are asked over HTTP to find out whether they are well.  When and by whom is
 * upstream/health.c's affair.
 */
#ifndef HTTP_PROXY_HEALTH_CHECK_H
#define HTTP_PROXY_HEALTH_CHECK_H

#include "http/proxy/health_match.h"
#include "upstream/health.h"

struct location;
struct http_server;

struct http_probe {
    struct str uri;
    const struct health_match *match;
    const struct proxy_conf *proxy;    /* of the location */
    bool secure;
    struct generation *generation;     /* for variables: where the line stands */
    const struct http_server *server;
    const struct location *location;
};

extern const struct health_kind health_http;   /* conf: a struct http_probe */

extern struct module http_health_module;

#endif

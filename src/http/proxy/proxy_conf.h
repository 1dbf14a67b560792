/*
 * proxy_conf: the directives of ngx_http_proxy_module.
 */
#ifndef HTTP_PROXY_PROXY_CONF_H
#define HTTP_PROXY_PROXY_CONF_H

#include "http/proxy/exchange_conf.h"
#include "http/proxy/proxy_rewrite.h"

struct proxy_pass;                     /* http/proxy/proxy_pass.h */

/* A line of proxy_set_header. */
struct set_header {
    enum header_id id;
    struct str name;
    struct template value;
};

struct set_headers {
    ARRAY(struct set_header) items;
};

struct proxy_conf {
    struct exchange_conf exchange;
    struct proxy_pass *pass;           /* NULL: none */
    unsigned http_version;             /* enum version */
    struct template method, body;      /* empty: the client's */
    struct set_headers headers;
    struct rewrites redirects, cookie_domains, cookie_paths;
    struct cookie_flags_list cookie_flags;
    /* made by finish(): */
    struct header_set replaced;        /* of the client's fields, those that stay here */
    bool own_host, own_connection;     /* proxy_set_header names them */
};

extern struct module http_proxy_module;

#endif

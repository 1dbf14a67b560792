/*
 * proxy_conf: the directives of ngx_http_proxy_module.
 */
#ifndef HTTP_PROXY_PROXY_CONF_H
#define HTTP_PROXY_PROXY_CONF_H

#include "http/core.h"

struct proxy_conf {
    struct temp_path temp_path;        /* where responses that are too large for memory go */
};

extern struct module http_proxy_module;

#endif

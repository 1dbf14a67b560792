/*
 * tunnel_pass: ngx_http_tunnel_module: a CONNECT request becomes a tunnel to the host that it
 * names, or to another one (RFC 9110 section 9.3.6).
 */
#ifndef HTTP_PROXY_TUNNEL_PASS_H
#define HTTP_PROXY_TUNNEL_PASS_H

#include "config/directive.h"

extern struct module http_tunnel_module;

#endif

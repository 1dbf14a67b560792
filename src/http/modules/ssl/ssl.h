/*
 * ssl: TLS for clients: ngx_http_ssl_module.  What a server's directives say becomes one TLS context
 * when all servers are known; a listener's handshakes ask here which one counts.
 */
#ifndef HTTP_MODULES_SSL_SSL_H
#define HTTP_MODULES_SSL_SSL_H

#include <stdbool.h>

#include "config/directive.h"
#include "http/phases.h"

struct client;

extern struct module http_ssl_module;
/* The client's certificate, where a server asks for one: 495, 496, 421. */
extern const struct http_step ssl_step;

/* What becomes of a client that is to begin with a handshake. */
enum ssl_progress {
    SSL_READY,             /* requests may come */
    SSL_READY_V2,          /* those of HTTP/2, as ALPN has it */
    SSL_PLAIN,             /* it speaks HTTP in clear: that is to be answered with 497 */
    SSL_WAIT,
    SSL_FAILED,            /* logged */
};
enum ssl_progress ssl_handshake(struct client *c);
/* What of it is still under way ends. */
void ssl_abandon(struct client *c);

#endif

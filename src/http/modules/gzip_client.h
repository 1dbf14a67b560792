/*
 * gzip_client: whether a client may get a response in gzip: what it accepts, and what gzip_disable,
 * gzip_http_version and gzip_proxied say.  gzip, gunzip and gzip_static ask here.
 */
#ifndef HTTP_MODULES_GZIP_CLIENT_H
#define HTTP_MODULES_GZIP_CLIENT_H

#include "http/request.h"

extern struct module http_gzip_client_module;

/* For gzip_proxied the response's head must stand.  Subrequests get none. */
bool gzip_client_accepts(struct request *r);
/* The value of Accept-Encoding, of all its lines; data NULL: there is none. */
struct str gzip_client_codings(struct request *r);
/* The response depends on what the client accepts: Vary, where gzip_vary is on. */
void gzip_client_vary(struct request *r);
/* The same whatever gzip_vary says. */
void gzip_client_add_vary(struct request *r);
bool gzip_client_varies(const struct request *r);

#endif

/*
 * auth_request: a subrequest decides whether a request may pass.
 */
#ifndef HTTP_MODULES_AUTH_REQUEST_H
#define HTTP_MODULES_AUTH_REQUEST_H

#include "config/directive.h"
#include "http/phases.h"

extern struct module http_auth_request_module;
extern const struct http_step auth_request_step;

#endif

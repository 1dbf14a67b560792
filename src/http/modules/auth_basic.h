/*
 * auth_basic: name and password by the Basic scheme (RFC 7617).
 */
#ifndef HTTP_MODULES_AUTH_BASIC_H
#define HTTP_MODULES_AUTH_BASIC_H

#include "config/directive.h"
#include "http/phases.h"

extern struct module http_auth_basic_module;
extern const struct http_step auth_basic_step;

#endif

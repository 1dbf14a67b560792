/*
 * access: allow and deny by the client's address.
 */
#ifndef HTTP_MODULES_ACCESS_H
#define HTTP_MODULES_ACCESS_H

#include "config/directive.h"
#include "http/phases.h"

extern struct module http_access_module;
extern const struct http_step access_step;

#endif

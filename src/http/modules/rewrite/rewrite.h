/*
 * rewrite: set, rewrite, if, break and return, at the server's level and in locations.
 */
#ifndef HTTP_MODULES_REWRITE_H
#define HTTP_MODULES_REWRITE_H

#include "config/directive.h"
#include "http/phases.h"

extern struct module http_rewrite_module;
extern const struct http_step rewrite_server_step, rewrite_location_step;

#endif

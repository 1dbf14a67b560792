/*
 * realip: the client's address as a trusted proxy tells it.
 */
#ifndef HTTP_MODULES_REALIP_H
#define HTTP_MODULES_REALIP_H

#include "config/directive.h"
#include "http/phases.h"

extern struct module http_realip_module;
/* Before anything is chosen, by the server's directives, and once more by the location's. */
extern const struct http_step realip_step, realip_location_step;

#endif

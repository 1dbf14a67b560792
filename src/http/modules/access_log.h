/*
 * access_log: the access log.
 */
#ifndef HTTP_MODULES_ACCESS_LOG_H
#define HTTP_MODULES_ACCESS_LOG_H

#include "config/directive.h"

struct request;

extern struct module http_log_module;

/* Writes the lines of a request that ends, as its location says. */
void access_log_write(struct request *r);

#endif

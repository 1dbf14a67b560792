/*
 * limit_conn: how many requests may be under way for each value of a key.
 */
#ifndef HTTP_MODULES_LIMIT_CONN_H
#define HTTP_MODULES_LIMIT_CONN_H

#include "config/directive.h"
#include "http/phases.h"

extern struct module http_limit_conn_module;
extern const struct http_step limit_conn_step;

#endif

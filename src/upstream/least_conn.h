/*
 * least_conn: a balancer: the least busy peer.
 */
#ifndef UPSTREAM_LEAST_CONN_H
#define UPSTREAM_LEAST_CONN_H

#include "config/directive.h"

extern struct module http_upstream_least_conn_module;

#endif

/*
 * ip_hash: a balancer: one client, one peer.
 */
#ifndef UPSTREAM_IP_HASH_H
#define UPSTREAM_IP_HASH_H

#include "config/directive.h"

extern struct module http_upstream_ip_hash_module;

#endif

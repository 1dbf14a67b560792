/*
 * hash: a balancer: one key, one peer.
 */
#ifndef UPSTREAM_HASH_H
#define UPSTREAM_HASH_H

#include "config/directive.h"

extern struct module http_upstream_hash_module;

#endif

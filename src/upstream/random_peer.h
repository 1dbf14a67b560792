/*
 * random_peer: a balancer: a peer by chance.
 */
#ifndef UPSTREAM_RANDOM_PEER_H
#define UPSTREAM_RANDOM_PEER_H

#include "config/directive.h"

extern struct module http_upstream_random_module;

#endif

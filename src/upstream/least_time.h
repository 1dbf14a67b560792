/*
 * least_time: a balancer: the peer that answers soonest.
 */
#ifndef UPSTREAM_LEAST_TIME_H
#define UPSTREAM_LEAST_TIME_H

#include "config/directive.h"

extern struct module http_upstream_least_time_module;

#endif

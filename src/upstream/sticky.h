/*
 * sticky: requests of one client go to the peer that answered its first one: by a cookie that Weir sets,
 * by a route that the peer's own application names, or by sessions that are learnt from what it says.
 */
#ifndef UPSTREAM_STICKY_H
#define UPSTREAM_STICKY_H

#include "config/directive.h"

extern struct module http_upstream_sticky_module;

#endif

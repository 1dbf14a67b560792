/*
 * geo: a variable whose value follows from an IP address, by networks or by ranges.  One engine for
 * http and stream; the client's address and X-Forwarded-For come through the namespace's hooks.
 */
#ifndef SCRIPT_GEO_H
#define SCRIPT_GEO_H

#include "config/directive.h"

extern struct module http_geo_module, stream_geo_module;

#endif

/*
 * map: a variable whose value follows from another text, by exact texts, host names with wildcards and
 * regular expressions.  One engine for http and stream.
 */
#ifndef SCRIPT_MAP_H
#define SCRIPT_MAP_H

#include "config/directive.h"

extern struct module http_map_module, stream_map_module;

#endif

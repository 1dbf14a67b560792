/*
 * autoindex: the list of a folder that has no index file, as html, json, jsonp or xml.
 */
#ifndef HTTP_MODULES_AUTOINDEX_H
#define HTTP_MODULES_AUTOINDEX_H

#include "config/directive.h"
#include "http/phases.h"

extern struct module http_autoindex_module;
extern const struct http_step autoindex_step;

#endif

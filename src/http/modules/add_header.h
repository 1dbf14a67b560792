/*
 * add_header: fields and trailers that a configuration adds to responses, and expires.
 */
#ifndef HTTP_MODULES_ADD_HEADER_H
#define HTTP_MODULES_ADD_HEADER_H

#include "config/directive.h"
#include "http/pipeline.h"

extern struct module http_headers_module;
extern const struct http_filter add_header_filter;

#endif

/*
 * slice: ngx_http_slice_module: a large response is asked for in parts of one size, each a request
 * of its own, so that each can be cached by itself.
 */
#ifndef HTTP_MODULES_SLICE_H
#define HTTP_MODULES_SLICE_H

#include "config/directive.h"
#include "http/pipeline.h"

extern struct module http_slice_module;
extern const struct http_filter slice_filter;

#endif

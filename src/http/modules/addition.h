/*
 * addition: the responses of other locations before and after one (add_before_body, add_after_body).
 */
#ifndef HTTP_MODULES_ADDITION_H
#define HTTP_MODULES_ADDITION_H

#include "config/directive.h"
#include "http/pipeline.h"

extern struct module http_addition_module;
extern const struct http_filter addition_filter;

#endif

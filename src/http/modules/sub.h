/*
 * sub: texts of a response are replaced by others (sub_filter).
 */
#ifndef HTTP_MODULES_SUB_H
#define HTTP_MODULES_SUB_H

#include "config/directive.h"
#include "http/pipeline.h"

extern struct module http_sub_module;
extern const struct http_filter sub_filter;

#endif

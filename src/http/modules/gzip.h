/*
 * gzip: responses are compressed while they are sent.
 */
#ifndef HTTP_MODULES_GZIP_H
#define HTTP_MODULES_GZIP_H

#include "config/directive.h"
#include "http/pipeline.h"

extern struct module http_gzip_module;
extern const struct http_filter gzip_filter;

#endif

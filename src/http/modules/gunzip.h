/*
 * gunzip: responses in gzip are decompressed for clients that don't take them, and for subrequests.
 */
#ifndef HTTP_MODULES_GUNZIP_H
#define HTTP_MODULES_GUNZIP_H

#include "config/directive.h"
#include "http/pipeline.h"

extern struct module http_gunzip_module;
extern const struct http_filter gunzip_filter;

#endif

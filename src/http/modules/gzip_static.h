/*
 * gzip_static: files that lie compressed beside the original: name.gz, name.br, name.zst.
 */
#ifndef HTTP_MODULES_GZIP_STATIC_H
#define HTTP_MODULES_GZIP_STATIC_H

#include "config/directive.h"
#include "http/phases.h"

extern struct module http_gzip_static_module;
extern const struct http_step gzip_static_step;

#endif

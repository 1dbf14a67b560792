/*
 * charset: names the charset of responses in Content-Type, and converts bodies from one to another.
 */
#ifndef HTTP_MODULES_CHARSET_H
#define HTTP_MODULES_CHARSET_H

#include "config/directive.h"
#include "http/pipeline.h"

extern struct module http_charset_module;
extern const struct http_filter charset_filter;

#endif

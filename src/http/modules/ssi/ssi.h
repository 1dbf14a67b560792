/*
 * ssi: server side includes: pages put together from others while they are sent.
 */
#ifndef HTTP_MODULES_SSI_SSI_H
#define HTTP_MODULES_SSI_SSI_H

#include "config/directive.h"
#include "http/pipeline.h"

extern struct module http_ssi_module;
extern const struct http_filter ssi_filter;

#endif

/*
 * userid: cookies that tell clients apart, of mod_uid's form.
 */
#ifndef HTTP_MODULES_USERID_H
#define HTTP_MODULES_USERID_H

#include "config/directive.h"
#include "http/pipeline.h"

extern struct module http_userid_module;
extern const struct http_filter userid_filter;

#endif

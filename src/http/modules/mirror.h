/*
 * mirror: copies of requests, whose responses nobody sees.
 */
#ifndef HTTP_MODULES_MIRROR_H
#define HTTP_MODULES_MIRROR_H

#include "config/directive.h"
#include "http/phases.h"

extern struct module http_mirror_module;
extern const struct http_step mirror_step;

#endif

/*
 * referer: whether a request's Referer names a site that may lead here ($invalid_referer).
 */
#ifndef HTTP_MODULES_REFERER_H
#define HTTP_MODULES_REFERER_H

#include "config/directive.h"

extern struct module http_referer_module;

#endif

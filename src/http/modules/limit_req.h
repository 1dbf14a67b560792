/*
 * limit_req: how many requests a second there may be for each value of a key.
 */
#ifndef HTTP_MODULES_LIMIT_REQ_H
#define HTTP_MODULES_LIMIT_REQ_H

#include "config/directive.h"
#include "http/phases.h"
#include "script/variable.h"

extern struct module http_limit_req_module;
extern const struct http_step limit_req_step;

#endif

/*
 * stub_status: how many connections and requests there are and were, as a short text and as variables.
 */
#ifndef HTTP_MODULES_STUB_STATUS_H
#define HTTP_MODULES_STUB_STATUS_H

#include "config/directive.h"

extern struct module http_stub_status_module;

#endif

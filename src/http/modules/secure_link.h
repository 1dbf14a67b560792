/*
 * secure_link: whether a link was made by one who knows a secret, and is not too old.
 */
#ifndef HTTP_MODULES_SECURE_LINK_H
#define HTTP_MODULES_SECURE_LINK_H

#include "config/directive.h"

extern struct module http_secure_link_module;

#endif

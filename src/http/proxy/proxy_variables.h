/*
 * proxy_variables: $upstream_* and $proxy_*: what is known of the tries at peers.
 */
#ifndef HTTP_PROXY_PROXY_VARIABLES_H
#define HTTP_PROXY_PROXY_VARIABLES_H

#include "script/variable.h"

extern const struct variable proxy_variables[];

#endif

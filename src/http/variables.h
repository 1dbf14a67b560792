/*
 * variables: the variables of ngx_http_core_module.
 */
#ifndef HTTP_VARIABLES_H
#define HTTP_VARIABLES_H

#include "script/variable.h"

/* Adds them to the names of a generation's http engine. */
void variables_add_http(struct variables *names);
/* This machine's name, in lower case. */
struct str variables_hostname(void);

#endif

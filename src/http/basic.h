/*
 * basic: the credentials of the Basic authentication scheme (RFC 7617), as the client sent them.
 */
#ifndef HTTP_BASIC_H
#define HTTP_BASIC_H

#include "http/request.h"

/* Texts are in the request's arena, NUL-terminated.  false: none were sent, or they are malformed. */
bool basic_credentials(struct request *r, struct str *user, struct str *password);

#endif

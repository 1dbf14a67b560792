/*
 * not_modified: conditional requests, RFC 9110 section 13: 304 and 412.
 */
#ifndef HTTP_MODULES_NOT_MODIFIED_H
#define HTTP_MODULES_NOT_MODIFIED_H

#include "base/str.h"
#include "http/pipeline.h"

extern const struct http_filter not_modified_filter;

/* Whether a list of entity tags (If-Match, If-None-Match) has one that matches `etag`, or is "*". */
bool etag_list_matches(struct str list, struct str etag, bool weak);

#endif

/*
 * mime: the block `types`: extensions of file names and their media types.
 */
#ifndef HTTP_MIME_H
#define HTTP_MIME_H

#include "config/directive.h"

struct core_conf;

extern const struct type type_mime;    /* field struct mime_types *, FREE_BLOCK */

/* The media type of a request's path by its last extension; default_type without one (a name that begins
 * with its only dot has none). */
struct str mime_type(const struct core_conf *conf, struct str path);

#endif

/*
 * log_format: formats of the access log, compiled once.
 */
#ifndef HTTP_MODULES_LOG_FORMAT_H
#define HTTP_MODULES_LOG_FORMAT_H

#include "config/resolve.h"

struct log_format;
struct request;

extern const struct type type_log_format;

/* A format by its name, "combined" always; NULL: there is none. */
const struct log_format *log_format_find(struct setting *s, struct str name);
struct str log_format_name(const struct log_format *f);
/* Appends a line without its end. */
void log_format_put(const struct log_format *f, struct request *r, struct out *o);

#endif

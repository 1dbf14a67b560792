/*
 * static: files as they lie on the disk, the content of last resort.
 */
#ifndef HTTP_MODULES_STATIC_H
#define HTTP_MODULES_STATIC_H

#include "http/phases.h"

struct file;

extern const struct http_step static_step;

int static_handler(struct request *r);

#endif

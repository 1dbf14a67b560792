/*
 * index: the file that stands for a folder.
 */
#ifndef HTTP_MODULES_INDEX_H
#define HTTP_MODULES_INDEX_H

#include "config/directive.h"
#include "http/phases.h"

extern struct module http_index_module;
extern const struct http_step index_step;

#endif

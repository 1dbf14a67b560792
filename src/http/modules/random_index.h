/*
 * random_index: a file of a folder, chosen by chance, stands for the folder.
 */
#ifndef HTTP_MODULES_RANDOM_INDEX_H
#define HTTP_MODULES_RANDOM_INDEX_H

#include "config/directive.h"
#include "http/phases.h"

extern struct module http_random_index_module;
extern const struct http_step random_index_step;

#endif

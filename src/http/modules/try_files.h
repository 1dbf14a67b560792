/*
 * try_files: serves the first file of a list that is there, or goes elsewhere.
 */
#ifndef HTTP_MODULES_TRY_FILES_H
#define HTTP_MODULES_TRY_FILES_H

#include "config/directive.h"
#include "http/phases.h"

extern struct module http_try_files_module;
extern const struct http_step try_files_step;

#endif

/*
 * empty_gif: a transparent picture of one pixel, from memory.
 */
#ifndef HTTP_MODULES_EMPTY_GIF_H
#define HTTP_MODULES_EMPTY_GIF_H

#include "config/directive.h"

extern struct module http_empty_gif_module;

#endif

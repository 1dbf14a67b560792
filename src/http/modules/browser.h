/*
 * browser: whether a browser is a modern one, by its User-Agent ($modern_browser, $ancient_browser,
 * $msie).
 */
#ifndef HTTP_MODULES_BROWSER_H
#define HTTP_MODULES_BROWSER_H

#include "config/directive.h"

extern struct module http_browser_module;

#endif

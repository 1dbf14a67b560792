/*
 * weir_modules: every module of the program.
 */
#ifndef WEIR_MODULES_H
#define WEIR_MODULES_H

#include "config/directive.h"

extern struct module *const weir_modules[];    /* ended by NULL */

#endif

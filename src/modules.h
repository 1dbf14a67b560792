/*
 * modules: every module of the program.
 */
#ifndef MODULES_H
#define MODULES_H

#include "config/directive.h"

extern struct module *const weir_modules[];    /* ended by NULL */

#endif

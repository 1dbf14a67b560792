/*
 * module_abi: what a file of load_module offers: a variable `weir_module` of this type.  The
 * structs behind it are Weir's own, so a module is built from the same sources as the program that
 * loads it.
 */
#ifndef PROCESS_MODULE_ABI_H
#define PROCESS_MODULE_ABI_H

#include "config/directive.h"

enum { MODULE_ABI_VERSION = 1 };       /* counts up when a struct changes that modules see */

struct module_abi {
    unsigned version;                  /* MODULE_ABI_VERSION */
    const char *weir;                  /* WEIR_VERSION */
    struct module *const *modules;     /* ended by NULL */
};

extern const struct module_abi weir_module;

#endif

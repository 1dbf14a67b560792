/*
 * dynamic: modules that a configuration names with load_module.
 */
#ifndef PROCESS_DYNAMIC_H
#define PROCESS_DYNAMIC_H

#include "config/diag.h"
#include "config/directive.h"

/* The modules that are always there, ended by NULL; before everything else. */
void dynamic_init(struct module *const *built_in);
/* Makes the modules of `t`, and no others, known beside those built in.  Mistakes are in diag: then
 * what was known before is known again. */
bool dynamic_load(const struct tree *t, struct str prefix, struct diag *d);
/* The configuration just loaded is not going to be used: back to the modules before it. */
void dynamic_restore(void);

#endif

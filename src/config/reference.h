/*
 * reference: what the rows say, for people and tools: help of a directive, the list, the man page
 * weir.conf(5), the HTML reference, shell completion, and the dump of effective values.
 */
#ifndef CONFIG_REFERENCE_H
#define CONFIG_REFERENCE_H

#include <stdio.h>

#include "config/resolve.h"

/* `weir help NAME`, of a directive or of a module: false if there is neither (then the nearest
 * names are printed).  In colour if f is a terminal. */
bool reference_help(FILE *f, struct str name);
/* `weir help --list`: rows of module, name, contexts (comma-separated), default, arguments; tabs
 * between them. */
void reference_list(FILE *f);
void reference_man(FILE *f);               /* `weir help --man`: weir.conf(5), in mdoc(7) */
void reference_html(FILE *f);              /* `weir help --html`: one page, in one file */
void reference_completion(FILE *f);        /* `weir help --completion`: for bash */
/* `weir dump`: each effective value of a block and of those in it, with the file:line it comes
 * from.  It is a configuration again. */
void reference_dump(FILE *f, const struct generation *g, const struct tree *t);

/* Names of the contexts in `contexts`, "http, server, location". */
void reference_contexts(struct out *o, unsigned contexts);

#endif

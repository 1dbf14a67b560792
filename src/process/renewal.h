/*
 * renewal: watches the certificates and keys of the configuration in use, for the master: those that
 * were renewed on disk are served without a reload.  What else has changed on disk, the file of
 * configuration before all, stays out: the tree in use is kept for that and resolved again.
 */
#ifndef PROCESS_RENEWAL_H
#define PROCESS_RENEWAL_H

#include "config/generation.h"
#include "config/tree.h"

/* The configuration in use is this; its tree becomes ours. */
void renewal_watch(struct tree *t, const struct generation *g);
/* Begins to look, once a second, where there are such files.  `renew` resolves the tree again, which
 * stays ours, and takes what came of it into use by renewal_again(); false (logged): it is no good. */
void renewal_begin(bool (*renew)(struct tree *t));
/* The tree in use has been resolved again, to this. */
void renewal_again(const struct generation *g);

#endif

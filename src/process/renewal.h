/*
 * renewal: watches the certificates and keys of the configuration in use, for the process that has read
 * them: those that were renewed on disk are served without a reload.  What else has changed on disk, the
 * file of configuration before all, stays out: the tree in use is kept for that and resolved again.
 *
 * What is no good keeps its former content, a certificate and its key together, and holds up nobody
 * else's.  It may be the first half of a renewal whose second is still to come, so nothing is said of it
 * for some seconds.
 */
#ifndef PROCESS_RENEWAL_H
#define PROCESS_RENEWAL_H

#include "process/load.h"

/* The configuration in use is this, until the next call; its tree becomes ours. */
void renewal_watch(struct tree *t, const struct generation *g);
/* Begins to look, more than once a second, where there are such files.  `use` takes a generation into
 * use, together with its reference; false (logged): it could not, and what it got is left as it was. */
void renewal_begin(const struct options *o, bool (*use)(struct loaded *l));
/* No more looks, until it is begun anew. */
void renewal_end(void);
/* Lets go of the tree: the process ends, or is a worker, which was forked from one that watches. */
void renewal_forget(void);

#endif

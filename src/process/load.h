/*
 * load: from the file of configuration to a generation, with everything that it must have open.
 */
#ifndef PROCESS_LOAD_H
#define PROCESS_LOAD_H

#include "config/diag.h"
#include "config/generation.h"
#include "config/tree.h"
#include "process/options.h"

struct loaded {
    struct tree *tree;                 /* as far as it could be read */
    struct generation *generation;     /* NULL: there were mistakes */
};

/* Reads and resolves.  Mistakes and warnings are in diag. */
struct loaded load_read(const struct options *o, struct diag *d);
/* The same from a tree that was read before, with the files that it names read anew, but for those in
 * `b`. */
struct loaded load_again(const struct bundle *b, struct diag *d);
void load_free(struct loaded *l);

/* Opens log files, zones and sockets of `g`, which is not in use yet.  false (logged): nothing
 * stays open that was not before; the generation is the caller's still. */
bool load_open(struct generation *g, unsigned workers, bool retry);
/* What load_open() opened is not going to be used. */
void load_rollback(void);
/* `g` is in use from now on: its log is the process's, what it does not need is closed. */
void load_commit(struct generation *g, unsigned workers);

#endif

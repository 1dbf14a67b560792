/*
 * state_file: the directive `state`: a file of lines `server`, in the place of those of the group's
 * block. It is read when a configuration is; who changes a group's servers while the daemon runs
 * writes it.
 */
#ifndef UPSTREAM_STATE_FILE_H
#define UPSTREAM_STATE_FILE_H

#include "config/directive.h"

struct upstream;

extern const struct type type_state_file;      /* the group's own */

/* Writes the group's servers as they are now, all of the file or nothing of it.  false: errno. */
bool state_file_write(const struct upstream *u);

#endif

/*
 * pidfile: the file that says which process is the master.  A master holds a lock on its file, so
 * that a file left over from a crash is told apart from one in use.
 */
#ifndef PROCESS_PIDFILE_H
#define PROCESS_PIDFILE_H

#include <sys/types.h>

#include "base/str.h"

/* Writes the process's id.  false (logged): it cannot be written, or another master runs with it.
 * Not for the path that the process has written already: opening that would give up its lock. */
bool pidfile_write(struct str path);
/* Removes the file if this process wrote it. */
void pidfile_remove(void);
/* In a child, after fork: the file is the master's affair. */
void pidfile_after_fork(void);
/* To path.oldbin, while a new binary starts, and back. */
bool pidfile_set_aside(void);
void pidfile_take_back(void);
/* The process id in a file; -1 (errno; 0 where the text is none). */
pid_t pidfile_read(const char *path);

#endif

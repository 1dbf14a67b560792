/*
 * files_source: the bytes of a file as a response's body.
 */
#ifndef HTTP_FILES_SOURCE_H
#define HTTP_FILES_SOURCE_H

#include "http/files.h"
#include "http/pipeline.h"

/*
 * A source of the whole file, in the way that the location says: from memory, by sendfile, or read
 * piece by piece, in threads if need be.  The file outlives it.  `path` is for the log.
 */
struct source *files_source(struct request *r, struct file *f, struct str path);

#endif

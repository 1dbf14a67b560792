/*
 * folder: the names in a folder with what is known of them, read at once or, where there are many of
 * them, by a thread.
 */
#ifndef HTTP_MODULES_FOLDER_H
#define HTTP_MODULES_FOLDER_H

#include "http/modules/autoindex_page.h"
#include "http/phases.h"

struct request;
struct folder;

/* Begins to read `path` (NUL-terminated) for a request, and gives it up when that ends.  NULL: memory
 * is short. */
struct folder *folder_read(struct request *r, struct str path);
/* Whether all is read; otherwise the request is woken when it is. */
bool folder_ready(const struct folder *f);
/* errno where it could not be read; 0: none.  *call is what failed. */
int folder_error(const struct folder *f, const char **call);
/* Folders first, then by name. */
unsigned folder_count(const struct folder *f);
struct folder_entry folder_entry_at(const struct folder *f, unsigned index);

#endif

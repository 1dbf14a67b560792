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

/* For a content step: reads the folder that the request's path, which ends in "/", stands for.
 * *slot is the module's context.  STEP_NEXT: *slot is all of it, until the request ends; STEP_WAIT:
 * the same call goes on; or a status (logged). */
int folder_read(struct request *r, void **slot);
/* Folders first, then by name. */
unsigned folder_count(const struct folder *f);
struct folder_entry folder_entry_at(const struct folder *f, unsigned index);

#endif

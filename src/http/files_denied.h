/*
 * files_denied: why a path can't be opened: which folder lacks which permission for which user.
 */
#ifndef HTTP_FILES_DENIED_H
#define HTTP_FILES_DENIED_H

#include "http/files.h"

/* Logs that `call` failed for `path`, as the location's log_not_found says, and gives the status: 404, 403
 * or 500. */
int files_failed(struct request *r, const struct file *f, struct str path);

#endif

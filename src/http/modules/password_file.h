/*
 * password_file: files of "name:entry" lines, read once and again when they change.
 */
#ifndef HTTP_MODULES_PASSWORD_FILE_H
#define HTTP_MODULES_PASSWORD_FILE_H

#include "base/str.h"

/*
 * The entry of a user.  false: errno says why the file can't be read.  entry->data NULL: there is no such
 * user.  Valid until the next call.
 */
bool password_file_find(struct str path, struct str user, struct str *entry);
/* Forgets what is kept. */
void password_file_forget_all(void);

#endif

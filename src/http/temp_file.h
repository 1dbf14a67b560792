/*
 * temp_file: temporary files of requests (bodies that are too large for memory), in the folders that
 * a directive such as client_body_temp_path names.
 */
#ifndef HTTP_TEMP_FILE_H
#define HTTP_TEMP_FILE_H

#include "http/core.h"
#include "http/request.h"

extern const struct type type_temp_path;   /* struct temp_path; the folder is made by the master */

struct setting;
/* For finish(): the folder of a block's value is made, also where it is the initial one. */
void temp_path_use(struct setting *s, const struct temp_path *t);

/*
 * Opens a new file for reading and writing; it is closed, and removed unless `keep`, when the request
 * ends.  The path is in the request's arena.  -1: logged.
 */
int temp_file_open(struct request *r, const struct temp_path *where, bool keep, struct str *path);
/* Writes all of it at `offset`.  false: errno (a full disk). */
bool temp_file_write(int fd, const char *data, size_t len, off_t offset);

#endif

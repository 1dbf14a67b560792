/*
 * files: opening files for responses, and the open file cache of a worker (open_file_cache).  An entry
 * is shared by the requests that use it and holds what a response is made of: the descriptor, the
 * kind, size and time, the ETag, for a small file its bytes, and the lines of its head, prepared.
 * Errors are cached too (open_file_cache_errors).  The cache outlives reloads.
 */
#ifndef HTTP_FILES_H
#define HTTP_FILES_H

#include <sys/stat.h>

#include "http/core.h"

struct request;
struct thread_pool;

enum file_kind { FILE_ABSENT, FILE_REGULAR, FILE_DIRECTORY, FILE_OTHER };

struct file {
    enum file_kind kind;
    int fd;                            /* -1 for directories, absent files, and where the bytes are kept */
    int error;                         /* errno where it could not be opened */
    const char *failed;                /* the call that gave it: "open()" */
    off_t size;
    time_t modified;
    ino_t inode;
    dev_t device;
    mode_t mode;
    const char *bytes;                 /* the whole of a small file; NULL: read it */
    struct str etag;                   /* with quotes, "5f-..." as nginx makes it: hex mtime, hex size */
    struct str prepared;               /* lines for response.prepared, made for prepared_type */
    struct str prepared_type;
    bool directio;                     /* opened for direct reading */
};

enum files_result { FILES_READY, FILES_WAIT };

/*
 * Opens (or finds in the cache) `path`, NUL-terminated, as the location's directives say
 * (open_file_cache*, disable_symlinks, directio, aio threads).  *file is never NULL on FILES_READY: its
 * kind or error says what was found; it is held until file_release().  FILES_WAIT: a thread is opening
 * it; the request is woken and the same call gives the answer then.
 */
enum files_result files_open(struct request *r, struct str path, struct file **file);
/* The same, only looking: kind, size and time are wanted, no descriptor (try_files, index). */
enum files_result files_stat(struct request *r, struct str path, struct file **file);
void file_release(struct file *f);

/*
 * The path in the file system of r->uri by root or alias (variables computed), in the request's arena,
 * NUL-terminated.  `reserve` bytes can be appended in place.  *root_len (may be NULL) gets the length of
 * the root's part.  data is NULL if a variable failed or the result would leave the root (logged).
 * With alias, ".." is looked for once more after mapping.
 */
struct str files_map_uri(struct request *r, size_t reserve, size_t *root_len);

/*
 * The same for another path in the place of r->uri (try_files).  Of a location with alias, the
 * location's name is taken off where `name` begins with it; where the location is a regular
 * expression, `name` is put behind the alias.
 */
struct str files_map_name(struct request *r, struct str name, size_t reserve, size_t *root_len);
/* How much of r->uri an alias stands for; 0: root counts; ALIAS_WHOLE: all of it (a regular expression). */
#define ALIAS_WHOLE SIZE_MAX
size_t files_alias_length(const struct request *r);
/* Components ".." of a path. */
unsigned files_count_dots(struct str path);

/* A response with the file's bytes: sets status 200, length, type, time, etag, body; takes the hold over. */
int files_respond(struct request *r, struct file *f, struct str path);

/* Why a path can't be opened, for the error log: which folder lacks which permission for which user. */
void files_explain_denied(struct request *r, struct str path, struct out *o);

/* The threads that the location's files are opened and read in; NULL (logged): there are none. */
struct thread_pool *files_pool(const struct request *r);

void files_worker_fini(void);

#endif

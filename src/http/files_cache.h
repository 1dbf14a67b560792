/*
 * files_cache: what a worker remembers of files (open_file_cache): a hash table by path, bounded in
 * number, in time without use, and in memory for contents.  There is one cache for each pair of
 * max= and inactive=, and it stays over reloads.
 */
#ifndef HTTP_FILES_CACHE_H
#define HTTP_FILES_CACHE_H

#include "http/files_open.h"

struct files_cache;

/* The cache of that configuration; NULL: memory is short. */
struct files_cache *files_cache_of(const struct open_cache_conf *conf);
uint64_t files_cache_hash(struct str path);
/* The entry of a path opened in that way, whatever its age; NULL: none. */
struct file_entry *files_cache_find(struct files_cache *c, struct str path, uint64_t hash,
                                    const struct file_how *how);
/* Notes a use. */
void files_cache_touch(struct file_entry *e);
/* Puts in an entry from the heap, in the place of one of the same path; the cache holds a reference of
 * its own.  The entry may stay out when memory is short. */
void files_cache_put(struct files_cache *c, struct file_entry *e, struct str path, uint64_t hash,
                     const struct file_how *how);
/* Takes an entry out; its users keep theirs. */
void files_cache_drop(struct file_entry *e);
/* Whether there is room for the bytes of one more small file. */
bool files_cache_room(void);
/* Empties all caches. */
void files_cache_fini(void);

#endif

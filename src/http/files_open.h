/*
 * files_open: the calls that open and look at a file, and nothing else: they may run in a thread.
 */
#ifndef HTTP_FILES_OPEN_H
#define HTTP_FILES_OPEN_H

#include "base/list.h"
#include "http/files.h"

enum {
    FILES_WHOLE = 32768,               /* bytes of a file that is read whole, for one response */
    FILES_KEPT = 65536,                /* and of one that a cache keeps in memory: above that, sendfile */
};

/* How a path is opened. */
struct file_how {
    enum symlinks symlinks;
    bool look;                         /* no descriptor is wanted: kind, size and time alone */
    size_t whole;                      /* files up to that size are read at once */
    size_t from;                       /* bytes of the path in which symbolic links are not looked for */
    int64_t directio;                  /* -1: off */
    size_t read_ahead;                 /* 0: off */
};

/* A file that was looked for.  Those that live on the heap are counted; the others are in the arena of
 * the one request that uses them. */
struct file_entry {
    struct file file;
    struct timespec modified, changed;
    char *kept;                        /* memory of file.bytes; NULL: none */
    char etag[40];
    unsigned references;
    bool heap;

    /* while it is in a cache */
    struct files_cache *cache;
    struct file_entry *next;           /* of the same slot */
    struct list used;                  /* by the last use */
    uint64_t hash;
    struct str path;                   /* in the entry's own memory */
    struct file_how how;
    uint64_t checked, last_use;        /* clock_ms() */
    unsigned uses;
    bool counted;                      /* stands only for its uses: open_file_cache_min_uses */
};

/* Fills in e->file; a failure is told there.  `path` ends in NUL. */
void file_load(struct file_entry *e, struct str path, const struct file_how *how);
/* Whether `path` still is what `e` was made of. */
bool file_unchanged(const struct file_entry *e, struct str path);
/* On the heap, with one reference; NULL: memory is short. */
struct file_entry *file_entry_new(void);
void file_entry_unref(struct file_entry *e);

static inline struct file_entry *file_entry_of(struct file *f)
{
    return CONTAINER(f, struct file_entry, file);
}

/* One more who releases it.  Files in an arena are closed by the first who does. */
static inline struct file *file_hold(struct file *f)
{
    file_entry_of(f)->references++;
    return f;
}

#endif

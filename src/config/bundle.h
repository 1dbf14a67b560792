/*
 * bundle: a tree, and the files that only root may read, packed into one sealed memory file that
 * the master sends to its workers.  Unpacking checks everything: a bundle is data, not trusted
 * structs.
 */
#ifndef CONFIG_BUNDLE_H
#define CONFIG_BUNDLE_H

#include <sys/types.h>
#include <time.h>

#include "config/tree.h"

/* By what a file is known to be the same still. */
struct file_mark {
    struct timespec changed;
    off_t size;
    ino_t inode;
};

struct bundle_file {
    struct str path, content;
    struct file_mark mark;             /* when it was read; not packed */
};

struct bundle {
    struct tree *tree;
    ARRAY(struct bundle_file) files;       /* keys, certificates, password files */
    struct str prefix, conf_prefix;
};

/* A descriptor of a sealed memory file (an unlinked temporary file where there is none), or -1:
 * errno. */
int bundle_pack(const struct bundle *b);
/* Reads it back; all lives in the tree's arena.  false: it is damaged. */
bool bundle_unpack(int fd, struct bundle *b);

#endif

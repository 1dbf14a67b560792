/*
 * kept_files: files whose content belongs to a configuration: certificates, keys, passwords.  Often
 * only root may read them, so the master reads them, each once, when it resolves the tree, and they
 * travel to the workers in the bundle.
 */
#ifndef CONFIG_KEPT_FILES_H
#define CONFIG_KEPT_FILES_H

#include "config/resolve.h"

enum { KEPT_FILE_MAX = 16 << 20 };     /* bytes */

/* The whole content of a file (path: absolute, ends in NUL), ending in NUL; valid until the tree has
 * been resolved.  false: errno; EFBIG where it is larger than KEPT_FILE_MAX. */
bool kept_files_read(struct setting *s, struct str path, struct str *content);
/* The same for a content that is made, not read: `make` is asked for it where it is not known yet, the
 * first time that the master resolves the tree.  The key is no absolute path. */
void kept_files_make(struct setting *s, struct str key,
                     struct str (*make)(struct arena *a, struct str what), struct str what,
                     struct str *content);
/* The content of that file is what a mistake is about; one that can't be read is known to be. */
void kept_files_blame(const struct setting *s, struct str path);

/* A file as it is now; false: errno. */
bool kept_files_mark(const char *path, struct file_mark *m);

#endif

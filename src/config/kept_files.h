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

#endif

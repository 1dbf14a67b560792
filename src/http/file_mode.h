/*
 * file_mode: who may do what with a file that a client or a peer has made ("user:rw group:r").
 */
#ifndef HTTP_FILE_MODE_H
#define HTTP_FILE_MODE_H

#include <sys/types.h>

#include "config/types.h"

/* Field `mode_t`: one or more of user:, group: and all: with r or rw. */
extern const struct type type_file_mode;

/* The same for a folder: who may read may enter. */
static inline mode_t file_mode_of_folder(mode_t mode)
{
    return mode | (mode & 0444) >> 2;
}

#endif

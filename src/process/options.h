/*
 * options: the command line, and the paths that follow from it.
 */
#ifndef PROCESS_OPTIONS_H
#define PROCESS_OPTIONS_H

#include "base/arena.h"

struct options {
    struct arena arena;
    char **argv;
    bool help, version, build, test, dump, quiet;
    const char *signal;                /* -s; NULL: none */
    struct str prefix;                 /* absolute, with its slash */
    struct str conf_path;              /* absolute */
    struct str conf_prefix;            /* its folder, with its slash */
    struct str error_log;              /* -e, absolute or "stderr": the default of error_log */
    bool error_log_given;
    struct str globals;                /* -g; may be empty */
    struct str text;                   /* made in memory (weir serve); data NULL: the file counts */
};

/* The default paths, for who has no options. */
void options_init(struct options *o, char **argv);
/* Reads argv.  false: a line on stderr says what is wrong. */
bool options_read(struct options *o, int argc, char **argv);
void options_fini(struct options *o);
/* For people. */
void options_help(void);
void options_version(bool build);

/* `path` against the folder `base`; ends in NUL. */
struct str options_path(struct options *o, struct str base, struct str path);

#endif

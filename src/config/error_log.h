/*
 * error_log: the directive of that name, which every block that serves may have.
 */
#ifndef CONFIG_ERROR_LOG_H
#define CONFIG_ERROR_LOG_H

#include "base/log.h"
#include "config/directive.h"

struct error_log_conf {
    struct log log;
    struct str *texts;                 /* how each of its targets was written */
};

extern struct module error_log_module;

struct generation;
/* The log of the outermost block. */
const struct log *error_log_main(const struct generation *g);

/* -e: the path of the default log instead of the one that configure was given; empty: not given. */
extern struct str error_log_default_path;

#endif

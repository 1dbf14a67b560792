/*
 * modules: every module of the program, in the order in which their rows are listed and their
 * finish() runs.  What configure left out is not here.
 */
#include "modules.h"

#include "config/error_log.h"
#include "config/thread_pools.h"
#include "http/core.h"
#include "http/modules/autoindex.h"
#include "http/modules/index.h"
#include "http/modules/log.h"
#include "http/modules/rewrite.h"
#include "http/modules/try_files.h"
#include "process/process_conf.h"


struct module *const weir_modules[] = {
    &process_module,
    &thread_pools_module,
    &error_log_module,
    &http_block_module,
    &http_server_module,
    &http_core_module,
    &http_index_module,
    &http_autoindex_module,
    &http_try_files_module,
    &http_rewrite_module,
    &http_log_module,
    NULL,
};

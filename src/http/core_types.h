/*
 * core_types: kinds of values that only ngx_http_core_module has.
 */
#ifndef HTTP_CORE_TYPES_H
#define HTTP_CORE_TYPES_H

#include "config/directive.h"

extern const struct type type_root;                /* struct template, and is_alias */
extern const struct type type_alias;               /* the same */
extern const struct type type_error_page;          /* an array of struct error_page */
extern const struct type type_aio;                 /* enum aio, and aio_pool beside it */
extern const struct type type_directio;            /* int64_t */
extern const struct type type_post_action;         /* struct str */
extern const struct type type_rate;                /* struct template of a size */
extern const struct type type_keepalive_timeout;   /* struct keepalive_timeouts */
extern const struct type type_server_tokens;       /* struct server_tokens */
extern const struct type type_open_file_cache;     /* struct open_cache_conf */
extern const struct type type_disable_symlinks;    /* struct symlinks_conf */
extern const struct type type_internal;            /* bool */

#endif

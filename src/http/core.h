/*
 * core: the directives of ngx_http_core_module, in two structs: what counts before a request has a
 * location (server_conf), and what its location says (core_conf).
 */
#ifndef HTTP_CORE_H
#define HTTP_CORE_H

#include "config/types.h"
#include "http/http.h"
#include "http/phases.h"
#include "script/conditions.h"
#include "script/template.h"

/* Of http and server: read before a location is known. */
struct server_conf {
    size_t client_header_buffer_size;
    struct bufs large_client_header_buffers;
    uint64_t client_header_timeout;
    unsigned max_headers;
    bool ignore_invalid_headers, underscores_in_headers, merge_slashes;
};

/* A table of file name extensions: lower case → type. */
struct mime_types;

enum server_tokens_kind { TOKENS_OFF, TOKENS_ON, TOKENS_BUILD, TOKENS_TEXT };
enum lingering { LINGERING_OFF, LINGERING_ON, LINGERING_ALWAYS };
enum if_modified_since { IMS_OFF, IMS_EXACT, IMS_BEFORE };
enum satisfy { SATISFY_ALL, SATISFY_ANY };
enum body_in_file { BODY_IN_FILE_OFF, BODY_IN_FILE_ON, BODY_IN_FILE_CLEAN };
enum symlinks { SYMLINKS_FOLLOW, SYMLINKS_REFUSE, SYMLINKS_IF_OWNER };
enum aio { AIO_OFF, AIO_ON, AIO_THREADS };
enum keepalive_disable { KEEPALIVE_NOT_MSIE6 = 1, KEEPALIVE_NOT_SAFARI = 2 };

struct temp_path {
    struct str path;                   /* absolute, without a slash at the end */
    unsigned char levels[3];           /* digits of each level of folders; 0: none */
};

struct open_cache_conf {
    unsigned max;                      /* entries; 0: off */
    time_t inactive;                   /* seconds */
};

struct keepalive_timeouts {
    uint64_t timeout;                  /* ms; 0: no keep-alive */
    time_t header;                     /* seconds of the Keep-Alive field; 0: none */
};

struct server_tokens {
    unsigned kind;                     /* enum server_tokens_kind */
    struct template text;              /* of TOKENS_TEXT */
};

/* A line of error_page. */
struct error_page {
    unsigned status;                   /* that it is for */
    int response;                      /* -1: the same status; 0: that of the page ("="); else this one */
    struct template uri;               /* a path, a URL, or "@name" */
};

struct symlinks_conf {
    enum symlinks mode;
    struct template from;              /* the part of the path that is not checked */
};

/* Of http, server and location. */
struct core_conf {
    struct template root;              /* absolute, without a slash at the end */
    struct template alias;             /* as given, absolute; counts where is_alias is set */
    bool is_alias;
    const struct location *alias_location;     /* the one whose name the alias stands for */
    struct mime_types *types;
    struct str default_type;
    enum satisfy satisfy;
    ARRAY(struct error_page) error_pages;
    bool recursive_error_pages;

    bool sendfile, tcp_nopush, tcp_nodelay, chunked_transfer_encoding, etag;
    size_t sendfile_max_chunk, send_lowat, read_ahead, postpone_output;
    struct bufs output_buffers;
    uint64_t send_timeout;
    enum aio aio;
    struct str aio_pool;               /* name of the thread pool; template values are refused */
    bool aio_write;
    int64_t directio;                  /* bytes from which on; -1: off */
    size_t directio_alignment;
    enum if_modified_since if_modified_since;
    unsigned max_ranges;               /* UINT_MAX: no limit */
    struct template limit_rate, limit_rate_after;      /* a size each; empty: none */

    int64_t client_max_body_size;      /* 0: no limit */
    size_t client_body_buffer_size;
    uint64_t client_body_timeout;
    enum body_in_file client_body_in_file_only;
    bool client_body_in_single_buffer;
    struct temp_path client_body_temp_path;

    struct keepalive_timeouts keepalive_timeout;
    unsigned keepalive_requests;
    uint64_t keepalive_time, keepalive_min_timeout;
    unsigned keepalive_disable;        /* enum keepalive_disable bits */
    enum lingering lingering_close;
    uint64_t lingering_time, lingering_timeout;
    bool reset_timedout_connection;

    bool absolute_redirect, port_in_redirect, server_name_in_redirect;
    struct server_tokens server_tokens;
    struct str server_line;            /* "Server: weir\r\n", made by finish(); empty: none, or a text
                                        * with variables */
    bool log_not_found, log_subrequest;
    uint64_t auth_delay;
    size_t subrequest_output_buffer_size;

    struct open_cache_conf open_file_cache;
    time_t open_file_cache_valid;
    unsigned open_file_cache_min_uses;
    bool open_file_cache_errors;
    struct symlinks_conf disable_symlinks;
    bool internal;
    struct conditions early_hints;     /* 103 responses of an upstream are passed on where one is true */
    struct str post_action;            /* a path or "@name"; empty: none */
};

extern struct module http_server_module;       /* server_conf */
extern struct module http_core_module;         /* core_conf */
extern struct module http_block_module;        /* http, server, listen, server_name, location */

static inline const struct server_conf *server_conf(void *const *conf)
{
    return CONF(conf, http_server_module);
}

static inline const struct core_conf *core_conf(void *const *conf)
{
    return CONF(conf, http_core_module);
}

#endif

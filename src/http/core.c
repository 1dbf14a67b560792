/*
 * core: the rows of ngx_http_core_module, and what is derived from them.  Types of a value that no
 * other module has are in core_types.c.
 */
#include "http/core.h"

#include <limits.h>

#include "config.h"
#include "http/core_types.h"
#include "http/mime.h"
#include "http/temp_file.h"

#define EVERYWHERE (IN_HTTP | IN_SERVER | IN_LOCATION)

static const struct name_value lingering_names[] = {
    { "off", LINGERING_OFF }, { "on", LINGERING_ON }, { "always", LINGERING_ALWAYS }, { NULL, 0 },
};
static const struct name_value ims_names[] = {
    { "off", IMS_OFF }, { "exact", IMS_EXACT }, { "before", IMS_BEFORE }, { NULL, 0 },
};
static const struct name_value satisfy_names[] = {
    { "all", SATISFY_ALL }, { "any", SATISFY_ANY }, { NULL, 0 },
};
static const struct name_value in_file_names[] = {
    { "off", BODY_IN_FILE_OFF }, { "on", BODY_IN_FILE_ON }, { "clean", BODY_IN_FILE_CLEAN },
    { NULL, 0 },
};
static const struct name_value keepalive_disable_names[] = {
    { "none", 0 }, { "msie6", KEEPALIVE_NOT_MSIE6 }, { "safari", KEEPALIVE_NOT_SAFARI },
    { NULL, 0 },
};

/* ---- what counts before a location is known ---- */

static const struct directive server_rows[] = {
    { "client_header_buffer_size", IN_HTTP | IN_SERVER, ARGS(1), &type_size,
      FIELD(struct server_conf, client_header_buffer_size), .initial = "1k",
      .help = "Size of the buffer that a request's head is read into at first." },
    { "large_client_header_buffers", IN_HTTP | IN_SERVER, ARGS(2), &type_bufs,
      FIELD(struct server_conf, large_client_header_buffers), .initial = "4 8k",
      .help = "Number and size of the buffers for long heads. A request line or a field that is "
              "longer than one is refused with 414 or 400, over HTTP/2 with 414 or 431." },
    { "client_header_timeout", IN_HTTP | IN_SERVER, ARGS(1), &type_time,
      FIELD(struct server_conf, client_header_timeout), .initial = "60s",
      .help = "How long a client may take to send the head of a request." },
    { "max_headers", IN_HTTP | IN_SERVER, ARGS(1), &type_number,
      FIELD(struct server_conf, max_headers), .initial = "1000",
      .help = "The most header fields a request may have." },
    { "ignore_invalid_headers", IN_HTTP | IN_SERVER, ARGS(1), &type_flag,
      FIELD(struct server_conf, ignore_invalid_headers), .initial = "on",
      .help = "Ignore header fields with odd characters in their names; off refuses or takes them." },
    { "underscores_in_headers", IN_HTTP | IN_SERVER, ARGS(1), &type_flag,
      FIELD(struct server_conf, underscores_in_headers), .initial = "off",
      .help = "Take header fields with underscores in their names." },
    { "merge_slashes", IN_HTTP | IN_SERVER, ARGS(1), &type_flag,
      FIELD(struct server_conf, merge_slashes), .initial = "on",
      .help = "Take several slashes in a path for one." },
    { "connection_pool_size", IN_HTTP | IN_SERVER, ARGS(1), &type_accepted,
      .help = "Accepted: memory of connections sizes itself.", .default_text = "512" },
    { "request_pool_size", IN_HTTP | IN_SERVER, ARGS(1), &type_accepted,
      .help = "Accepted: memory of requests sizes itself.", .default_text = "4k" },
    { 0 },
};

struct module http_server_module = {
    .name = "ngx_http_core_module",
    .directives = server_rows,
    .conf_size = sizeof(struct server_conf),
};

/* ---- what a location says ---- */

static const struct directive core_rows[] = {
    { "root", EVERYWHERE | IN_LOCATION_IF, ARGS(1), &type_root, FIELD(struct core_conf, root),
      .initial = "html", .syntax = "path",
      .help = "The folder that paths of requests are looked up in." },
    { "alias", IN_LOCATION, ARGS(1), &type_alias, FIELD(struct core_conf, alias),
      .syntax = "path",
      .help = "The folder or file that stands for the location's own prefix of a path." },
    { "types", EVERYWHERE, ARGS(0), &type_mime, FIELD(struct core_conf, types),
      .initial = "text/html html image/gif gif image/jpeg jpg", .flags = FREE_BLOCK,
      .syntax = "{ media/type extension...; }",
      .help = "Media types by file name extensions.",
      .default_text = "text/html html; image/gif gif; image/jpeg jpg;" },
    { "default_type", EVERYWHERE, ARGS(1), &type_str, FIELD(struct core_conf, default_type),
      .initial = "text/plain", .syntax = "mime-type",
      .help = "The media type of files whose extension is in no types block." },
    { "satisfy", EVERYWHERE, ARGS(1), &type_enum, FIELD(struct core_conf, satisfy),
      .initial = "all", .data = satisfy_names,
      .help = "Whether all of the access modules must let a request pass, or any one of them." },
    { "error_page", EVERYWHERE | IN_LOCATION_IF, ARGS_RANGE(2, ARGS_ANY), &type_error_page,
      FIELD(struct core_conf, error_pages), .flags = REPEATS,
      .syntax = "code ... [=[response]] uri",
      .help = "What is shown instead of an error: a path, a URL or a named location." },
    { "recursive_error_pages", EVERYWHERE, ARGS(1), &type_flag,
      FIELD(struct core_conf, recursive_error_pages), .initial = "off",
      .help = "Let an error of an error page have an error page of its own." },
    { "sendfile", EVERYWHERE | IN_LOCATION_IF, ARGS(1), &type_flag,
      FIELD(struct core_conf, sendfile), .initial = "off",
      .help = "Let the kernel send files by itself, without a copy through the process." },
    { "sendfile_max_chunk", EVERYWHERE, ARGS(1), &type_size,
      FIELD(struct core_conf, sendfile_max_chunk), .initial = "2m",
      .help = "The most that one connection sends before others get their turn." },
    { "tcp_nopush", EVERYWHERE, ARGS(1), &type_flag, FIELD(struct core_conf, tcp_nopush),
      .initial = "off",
      .help = "Send a response's head and the start of a file in full packets. Weir always does." },
    { "tcp_nodelay", EVERYWHERE, ARGS(1), &type_flag, FIELD(struct core_conf, tcp_nodelay),
      .initial = "on", .help = "Send small answers on kept connections at once (TCP_NODELAY)." },
    { "send_lowat", EVERYWHERE, ARGS(1), &type_size, FIELD(struct core_conf, send_lowat),
      .initial = "0", .help = "SO_SNDLOWAT of client sockets; Linux has no such setting." },
    { "read_ahead", EVERYWHERE, ARGS(1), &type_size, FIELD(struct core_conf, read_ahead),
      .initial = "0", .help = "Tell the kernel that files of at least this size are read in order." },
    { "postpone_output", EVERYWHERE, ARGS(1), &type_size,
      FIELD(struct core_conf, postpone_output), .initial = "1460",
      .help = "Gather this many bytes of a response, if they can be had, before sending." },
    { "output_buffers", EVERYWHERE, ARGS(2), &type_bufs, FIELD(struct core_conf, output_buffers),
      .initial = "2 32k", .help = "Buffers for files that are read rather than sent by the kernel." },
    { "send_timeout", EVERYWHERE, ARGS(1), &type_time, FIELD(struct core_conf, send_timeout),
      .initial = "60s", .help = "How long a client may take nothing of a response." },
    { "aio", EVERYWHERE, ARGS(1), &type_aio, FIELD(struct core_conf, aio),
      .initial = "off", .syntax = "on | off | threads[=pool]",
      .help = "Open and read files in a pool of threads, so that a slow disk stalls nobody." },
    { "aio_write", EVERYWHERE, ARGS(1), &type_flag, FIELD(struct core_conf, aio_write),
      .initial = "off", .help = "Write temporary files in threads, too." },
    { "directio", EVERYWHERE, ARGS(1), &type_directio, FIELD(struct core_conf, directio),
      .initial = "off", .syntax = "size | off",
      .help = "Read files of at least this size past the kernel's cache." },
    { "directio_alignment", EVERYWHERE, ARGS(1), &type_size,
      FIELD(struct core_conf, directio_alignment), .initial = "512",
      .help = "Alignment of direct reads; XFS may need 4k." },
    { "if_modified_since", EVERYWHERE, ARGS(1), &type_enum,
      FIELD(struct core_conf, if_modified_since), .initial = "exact", .data = ims_names,
      .help = "How a time in If-Modified-Since is compared." },
    { "etag", EVERYWHERE, ARGS(1), &type_flag, FIELD(struct core_conf, etag), .initial = "on",
      .help = "Send ETag fields for files." },
    { "max_ranges", EVERYWHERE, ARGS(1), &type_number, FIELD(struct core_conf, max_ranges),
      .initial = "4294967295", .syntax = "number", .default_text = "",
      .help = "The most ranges a request may ask for; 0 turns ranges off." },
    { "limit_rate", EVERYWHERE | IN_LOCATION_IF, ARGS(1), &type_rate,
      FIELD(struct core_conf, limit_rate), .initial = "0", .syntax = "rate",
      .help = "Bytes a second of a response. Variables are allowed." },
    { "limit_rate_after", EVERYWHERE | IN_LOCATION_IF, ARGS(1), &type_rate,
      FIELD(struct core_conf, limit_rate_after), .initial = "0", .syntax = "size",
      .help = "How much is sent before limit_rate counts. Variables are allowed." },
    { "client_max_body_size", EVERYWHERE, ARGS(1), &type_offset,
      FIELD(struct core_conf, client_max_body_size), .initial = "1m",
      .help = "The largest body of a request; 0 takes any. More is refused with 413." },
    { "client_body_buffer_size", EVERYWHERE, ARGS(1), &type_size,
      FIELD(struct core_conf, client_body_buffer_size), .initial = "16k",
      .help = "How much of a request's body is kept in memory; larger ones go to a file." },
    { "client_body_timeout", EVERYWHERE, ARGS(1), &type_time,
      FIELD(struct core_conf, client_body_timeout), .initial = "60s",
      .help = "How long a client may send nothing of a request's body." },
    { "client_body_in_file_only", EVERYWHERE, ARGS(1), &type_enum,
      FIELD(struct core_conf, client_body_in_file_only), .initial = "off", .data = in_file_names,
      .help = "Put every request's body into a file: on keeps it, clean removes it afterwards." },
    { "client_body_in_single_buffer", EVERYWHERE, ARGS(1), &type_flag,
      FIELD(struct core_conf, client_body_in_single_buffer), .initial = "off",
      .help = "Keep a body in one buffer. Weir always does." },
    { "client_body_temp_path", EVERYWHERE, ARGS_RANGE(1, 4), &type_temp_path,
      FIELD(struct core_conf, client_body_temp_path), .initial = WEIR_CLIENT_BODY_TEMP_PATH,
      .syntax = "path [level1 [level2 [level3]]]",
      .help = "The folder of temporary files for requests' bodies." },
    { "keepalive_timeout", EVERYWHERE, ARGS_RANGE(1, 2), &type_keepalive_timeout,
      FIELD(struct core_conf, keepalive_timeout), .initial = "75s",
      .syntax = "timeout [header_timeout]",
      .help = "How long an idle connection is kept; 0 closes after each response." },
    { "keepalive_min_timeout", EVERYWHERE, ARGS(1), &type_time,
      FIELD(struct core_conf, keepalive_min_timeout), .initial = "0",
      .help = "How long an idle connection is kept though the worker is ending." },
    { "keepalive_requests", EVERYWHERE, ARGS(1), &type_number,
      FIELD(struct core_conf, keepalive_requests), .initial = "1000",
      .help = "The most requests on one connection." },
    { "keepalive_time", EVERYWHERE, ARGS(1), &type_time, FIELD(struct core_conf, keepalive_time),
      .initial = "1h", .help = "The longest that one connection may serve requests." },
    { "keepalive_disable", EVERYWHERE, ARGS_RANGE(1, 2), &type_bitmask,
      FIELD(struct core_conf, keepalive_disable), .initial = "msie6",
      .data = keepalive_disable_names, .help = "Old browsers whose connections are not kept." },
    { "lingering_close", EVERYWHERE, ARGS(1), &type_enum,
      FIELD(struct core_conf, lingering_close), .initial = "on", .data = lingering_names,
      .help = "Read away what a client is still sending before its connection is closed." },
    { "lingering_time", EVERYWHERE, ARGS(1), &type_time, FIELD(struct core_conf, lingering_time),
      .initial = "30s", .help = "The longest lingering close." },
    { "lingering_timeout", EVERYWHERE, ARGS(1), &type_time,
      FIELD(struct core_conf, lingering_timeout), .initial = "5s",
      .help = "How long a lingering close waits for more." },
    { "reset_timedout_connection", EVERYWHERE, ARGS(1), &type_flag,
      FIELD(struct core_conf, reset_timedout_connection), .initial = "off",
      .help = "Reset connections of clients that were too slow, rather than close them." },
    { "chunked_transfer_encoding", EVERYWHERE, ARGS(1), &type_flag,
      FIELD(struct core_conf, chunked_transfer_encoding), .initial = "on",
      .help = "Send responses of unknown length in chunks; off ends them by closing." },
    { "absolute_redirect", EVERYWHERE, ARGS(1), &type_flag,
      FIELD(struct core_conf, absolute_redirect), .initial = "on",
      .help = "Send redirects with scheme and host." },
    { "port_in_redirect", EVERYWHERE, ARGS(1), &type_flag,
      FIELD(struct core_conf, port_in_redirect), .initial = "on",
      .help = "Name the port in absolute redirects." },
    { "server_name_in_redirect", EVERYWHERE, ARGS(1), &type_flag,
      FIELD(struct core_conf, server_name_in_redirect), .initial = "off",
      .help = "Name the first server_name in absolute redirects, not the request's host." },
    { "server_tokens", EVERYWHERE, ARGS(1), &type_server_tokens,
      FIELD(struct core_conf, server_tokens), .initial = "on", .syntax = "on | off | build | string",
      .help = "What the Server field and error pages say: name and version, the name alone, or a "
              "text of your own." },
    { "log_not_found", EVERYWHERE, ARGS(1), &type_flag, FIELD(struct core_conf, log_not_found),
      .initial = "on", .help = "Write to the error log when a file is not there." },
    { "log_subrequest", EVERYWHERE, ARGS(1), &type_flag, FIELD(struct core_conf, log_subrequest),
      .initial = "off", .help = "Write subrequests to the access log." },
    { "msie_padding", EVERYWHERE, ARGS(1), &type_accepted, .default_text = "on",
      .help = "Accepted: browsers that needed padding of error pages are gone." },
    { "msie_refresh", EVERYWHERE, ARGS(1), &type_accepted, .default_text = "off",
      .help = "Accepted: browsers that needed a refresh page for redirects are gone." },
    { "auth_delay", EVERYWHERE, ARGS(1), &type_time, FIELD(struct core_conf, auth_delay),
      .initial = "0s", .help = "How long a refusal with 401 is held back, against guessing." },
    { "subrequest_output_buffer_size", EVERYWHERE, ARGS(1), &type_size,
      FIELD(struct core_conf, subrequest_output_buffer_size), .initial = "4k",
      .help = "The largest response of a subrequest that is kept in memory." },
    { "open_file_cache", EVERYWHERE, ARGS_RANGE(1, 2), &type_open_file_cache,
      FIELD(struct core_conf, open_file_cache), .initial = "off",
      .syntax = "off | max=N [inactive=time]",
      .help = "Keep open files, and small files' bytes, for the next request." },
    { "open_file_cache_valid", EVERYWHERE, ARGS(1), &type_seconds,
      FIELD(struct core_conf, open_file_cache_valid), .initial = "60s",
      .help = "How long a kept file is trusted before it is looked at again." },
    { "open_file_cache_min_uses", EVERYWHERE, ARGS(1), &type_number,
      FIELD(struct core_conf, open_file_cache_min_uses), .initial = "1",
      .help = "How often a file is used within `inactive` before it is kept open." },
    { "open_file_cache_errors", EVERYWHERE, ARGS(1), &type_flag,
      FIELD(struct core_conf, open_file_cache_errors), .initial = "off",
      .help = "Keep in mind which files are not there, too." },
    { "open_file_cache_events", EVERYWHERE, ARGS(1), &type_accepted, .default_text = "off",
      .help = "Accepted: files are looked at again after open_file_cache_valid." },
    { "disable_symlinks", EVERYWHERE, ARGS_RANGE(1, 2), &type_disable_symlinks,
      FIELD(struct core_conf, disable_symlinks), .initial = "off",
      .syntax = "off | on | if_not_owner [from=part]",
      .help = "Refuse paths with symbolic links in them." },
    { "internal", IN_LOCATION, ARGS(0), &type_internal, FIELD(struct core_conf, internal),
      .syntax = "",
      .help = "The location is for internal redirects and subrequests alone; others get 404." },
    { "early_hints", EVERYWHERE, ARGS_RANGE(1, ARGS_ANY), &type_conditions,
      FIELD(struct core_conf, early_hints),
      .help = "Pass an upstream's 103 responses on where one of these texts is neither empty nor 0." },
    { "post_action", EVERYWHERE, ARGS(1), &type_post_action, FIELD(struct core_conf, post_action),
      .initial = "off", .help = "What is asked for behind each response; its own is thrown away." },
    { "types_hash_max_size", EVERYWHERE, ARGS(1), &type_accepted, .default_text = "1024",
      .help = "Accepted: tables size themselves." },
    { "types_hash_bucket_size", EVERYWHERE, ARGS(1), &type_accepted, .default_text = "64",
      .help = "Accepted: tables size themselves." },
    { "server_names_hash_max_size", IN_HTTP, ARGS(1), &type_accepted, .default_text = "512",
      .help = "Accepted: tables size themselves." },
    { "server_names_hash_bucket_size", IN_HTTP, ARGS(1), &type_accepted, .default_text = "64",
      .help = "Accepted: tables size themselves." },
    { "variables_hash_max_size", IN_HTTP, ARGS(1), &type_accepted, .default_text = "1024",
      .help = "Accepted: tables size themselves." },
    { "variables_hash_bucket_size", IN_HTTP, ARGS(1), &type_accepted, .default_text = "64",
      .help = "Accepted: tables size themselves." },
    { 0 },
};

/* The Server field as server_tokens wants it; a text with variables is made for each response. */
static void make_server_line(struct setting *s, struct core_conf *conf)
{
    switch (conf->server_tokens.kind) {
    case TOKENS_OFF:
        conf->server_line = STR("Server: weir\r\n");
        break;
    case TOKENS_ON:
        conf->server_line = STR("Server: weir/" WEIR_VERSION "\r\n");
        break;
    case TOKENS_BUILD:
        conf->server_line = STR("Server: weir/" WEIR_VERSION WEIR_BUILD "\r\n");
        break;
    case TOKENS_TEXT:
        conf->server_line = (struct str){ NULL, 0 };
        if (template_is_text(&conf->server_tokens.text) && conf->server_tokens.text.text.len)
            conf->server_line = arena_printf(setting_arena(s), "Server: %.*s\r\n",
                                             STR_ARG(conf->server_tokens.text.text));
        break;
    }
}

static bool finish_core(struct setting *s, void *conf)
{
    struct core_conf *c = conf;

    make_server_line(s, c);
    temp_path_use(s, &c->client_body_temp_path);
    return true;
}

struct module http_core_module = {
    .name = "ngx_http_core_module",
    .directives = core_rows,
    .conf_size = sizeof(struct core_conf),
    .finish = finish_core,
};

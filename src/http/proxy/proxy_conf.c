/*
 * proxy_conf: see proxy_conf.h.  So far only the folder of temporary files, which configurations that
 * serve no upstream name, too.
 */
#include "http/proxy/proxy_conf.h"

#include "config.h"
#include "http/temp_file.h"

static const struct directive rows[] = {
    { "proxy_temp_path", IN_HTTP | IN_SERVER | IN_LOCATION, ARGS_RANGE(1, 4), &type_temp_path,
      FIELD(struct proxy_conf, temp_path), .initial = WEIR_PROXY_TEMP_PATH,
      .syntax = "path [level1 [level2 [level3]]]",
      .help = "The folder of temporary files for upstreams' responses." },
    { 0 },
};

static bool finish(struct setting *s, void *conf)
{
    temp_path_use(s, &((const struct proxy_conf *)conf)->temp_path);
    return true;
}

struct module http_proxy_module = {
    .name = "ngx_http_proxy_module",
    .directives = rows,
    .conf_size = sizeof(struct proxy_conf),
    .finish = finish,
};

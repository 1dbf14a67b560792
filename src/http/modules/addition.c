/*
 * addition: see addition.h.
 */
#include "http/modules/addition.h"

#include "http/core.h"
#include "http/media_types.h"
#include "http/response.h"
#include "http/subrequest.h"

struct addition_conf {
    struct str before, after;          /* paths; empty: none */
    struct media_types types;
};

#define PLACES (IN_HTTP | IN_SERVER | IN_LOCATION)

static const struct directive rows[] = {
    { "add_before_body", PLACES, ARGS(1), &type_str, FIELD(struct addition_conf, before),
      .syntax = "uri", .help = "Put the response to a subrequest of that path before responses; "
                               "\"\" takes back an outer block's." },
    { "add_after_body", PLACES, ARGS(1), &type_str, FIELD(struct addition_conf, after),
      .syntax = "uri", .help = "The same behind responses." },
    { "addition_types", PLACES, ARGS_RANGE(1, ARGS_ANY), &type_media_types,
      FIELD(struct addition_conf, types), .flags = REPEATS, .initial = "text/html",
      .help = "Types of content that are added to, besides text/html; \"*\" is any." },
    { 0 },
};

struct module http_addition_module = {
    .name = "ngx_http_addition_module",
    .directives = rows,
    .conf_size = sizeof(struct addition_conf),
};

static const struct addition_conf *conf_of(void *const *conf)
{
    return CONF(conf, http_addition_module);
}

static bool enabled(void *const *conf)
{
    return conf_of(conf)->before.len || conf_of(conf)->after.len;
}

static int apply(struct request *r)
{
    const struct addition_conf *c = conf_of(r->conf);
    struct response *res = &r->response;
    struct source *parts[3];
    unsigned count = 0;

    if (res->status != STATUS_OK || !media_types_have(&c->types, res->content_type))
        return 0;
    response_forget_length(r);
    response_weaken_etag(r);
    if (r->flags.header_only)
        return 0;
    if (c->before.len)
        parts[count++] = subrequest_source(r, c->before, STR(""));
    if (res->body)
        parts[count++] = res->body;
    if (c->after.len)
        parts[count++] = subrequest_source(r, c->after, STR(""));
    res->body = source_chain(r, parts, count);
    return 0;
}

const struct http_filter addition_filter = {
    .name = "addition", .enabled = enabled, .main_only = true, .apply = apply,
};

/*
 * rewrite: the directive `return`, at the server's level and in locations.
 */
#include "http/modules/rewrite.h"

#include "http/core.h"
#include "http/mime.h"
#include "http/request.h"
#include "http/response.h"

struct rewrite_conf {
    unsigned status;               /* 0: no return here */
    struct template text;          /* the body, or the address of a redirect */
    bool has_text;
};

static const struct rewrite_conf *conf_of(const struct request *r)
{
    return CONF(r->conf, http_rewrite_module);
}

static bool is_url(struct str s)
{
    return str_starts(s, STR("http://")) || str_starts(s, STR("https://")) ||
           str_starts(s, STR("$scheme"));
}

/* return code [text]; return code URL; return URL */
static bool parse_return(struct setting *s, void *field)
{
    struct rewrite_conf *c = field;
    struct str first = setting_arg(s, 1);

    *c = (struct rewrite_conf){ 0 };
    if (s->node->count == 2 && is_url(first)) {
        c->status = STATUS_FOUND;
        c->has_text = true;
        return template_compile(s, 1, config_variables(s), &c->text);
    }
    if (!str_to_uint(first, 999, &c->status))
        return setting_error(s, 1, "invalid return code \"%.*s\"", STR_ARG(first));
    c->has_text = s->node->count == 3;
    return !c->has_text || template_compile(s, 2, config_variables(s), &c->text);
}

static void print_return(const struct directive *row, const void *field, struct out *o)
{
    const struct rewrite_conf *c = field;

    (void)row;
    if (c->status)
        out_printf(o, "%u", c->status);
    if (c->has_text)
        out_printf(o, " %.*s", STR_ARG(c->text.text));
}

static const struct type type_return = {
    "code [text] | code URL | URL", "a status, and perhaps a text or an address", parse_return,
    print_return,
};

static const struct directive rows[] = {
    { "return", IN_SERVER | IN_LOCATION | IN_SERVER_IF | IN_LOCATION_IF, ARGS_RANGE(1, 2),
      &type_return, .offset = 0, .size = sizeof(struct rewrite_conf), .flags = NOT_INHERITED,
      .syntax = "code [text] | code URL | URL",
      .help = "Stop here and answer with a status: with a text, or a redirect to an address." },
    { 0 },
};

struct module http_rewrite_module = {
    .name = "ngx_http_rewrite_module",
    .directives = rows,
    .conf_size = sizeof(struct rewrite_conf),
};

static bool enabled(void *const *conf)
{
    const struct rewrite_conf *c = CONF(conf, http_rewrite_module);

    return c->status != 0;
}

static bool is_redirect(unsigned status)
{
    return status == STATUS_MOVED_PERMANENTLY || status == STATUS_FOUND ||
           status == STATUS_SEE_OTHER || status == STATUS_TEMPORARY_REDIRECT ||
           status == STATUS_PERMANENT_REDIRECT;
}

static int run(struct request *r)
{
    const struct rewrite_conf *c = conf_of(r);

    if (!c->has_text)
        return (int)c->status;
    struct str text = template_value(&c->text, request_script(r));
    if (r->script.failed)
        return STATUS_INTERNAL_SERVER_ERROR;
    if (is_redirect(c->status))
        return response_redirect(r, c->status, text);
    return response_text(r, c->status, mime_type(core_conf(r->conf), r->uri), text);
}

const struct http_step rewrite_server_step = { "server_rewrite", PHASE_SERVER_REWRITE, enabled, run };
const struct http_step rewrite_location_step = { "rewrite", PHASE_REWRITE, enabled, run };

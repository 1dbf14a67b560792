/*
 * exchange_conf: see exchange_conf.h.
 */
#include "http/proxy/exchange_conf.h"

#include "http/proxy/exchange.h"

const struct name_value next_upstream_names[] = {
    { "error", NEXT_ERROR }, { "timeout", NEXT_TIMEOUT }, { "invalid_header", NEXT_INVALID_HEADER },
    { "non_idempotent", NEXT_NON_IDEMPOTENT }, { "http_500", NEXT_500 }, { "http_502", NEXT_502 },
    { "http_503", NEXT_503 }, { "http_504", NEXT_504 }, { "http_403", NEXT_403 },
    { "http_404", NEXT_404 }, { "http_429", NEXT_429 }, { "denied", NEXT_DENIED },
    { "off", NEXT_OFF }, { NULL, 0 },
};

const struct name_value ignore_headers_names[] = {
    { "X-Accel-Redirect", IGNORE_ACCEL_REDIRECT }, { "X-Accel-Expires", IGNORE_ACCEL_EXPIRES },
    { "X-Accel-Limit-Rate", IGNORE_ACCEL_LIMIT_RATE },
    { "X-Accel-Buffering", IGNORE_ACCEL_BUFFERING }, { "X-Accel-Charset", IGNORE_ACCEL_CHARSET },
    { "Expires", IGNORE_EXPIRES }, { "Cache-Control", IGNORE_CACHE_CONTROL },
    { "Set-Cookie", IGNORE_SET_COOKIE }, { "Vary", IGNORE_VARY }, { NULL, 0 },
};

static bool parse_bind(struct setting *s, void *field)
{
    struct bind_conf *b = field;
    struct address a;
    struct str host = setting_arg(s, 1);

    *b = (struct bind_conf){ 0 };
    b->transparent = s->node->count > 2 && str_eq(setting_arg(s, 2), STR("transparent"));
    if (s->node->count > 2 && !b->transparent)
        return setting_error(s, 2, "invalid parameter \"%.*s\"", STR_ARG(setting_arg(s, 2)));
    if (str_eq(host, STR("off")))
        return true;
    if (b->transparent)
        s->config->generation->transparent = true;
    if (!template_compile(s, 1, config_variables(s), &b->address))
        return false;
    return !template_is_text(&b->address) || address_parse_ip(host, 0, &a) ||
           setting_error(s, 1, "invalid address \"%.*s\"", STR_ARG(host));
}

static void print_bind(const struct directive *row, const void *field, struct out *o)
{
    const struct bind_conf *b = field;

    (void)row;
    if (template_is_empty(&b->address))
        OUT_LITERAL(o, "off");
    out_str(o, b->address.text);
    if (b->transparent)
        OUT_LITERAL(o, " transparent");
}

const struct type type_bind = {
    "address | off", "an address, or off", parse_bind, print_bind,
};

static bool parse_name(struct setting *s, void *field)
{
    struct arena *a = setting_arena(s);

    header_set_add(field, a, arena_str(a, setting_arg(s, 1)));
    return true;
}

static void print_names(const struct directive *row, const void *field, struct out *o)
{
    const struct header_set *set = field;

    (void)row;
    for (unsigned i = 0; i < set->names.count; i++)
        out_printf(o, i ? "; %.*s" : "%.*s", STR_ARG(set->names.items[i]));
}

const struct type type_header_set = { "field", "a field's name", parse_name, print_names };

bool exchange_bind_address(struct exchange *x, struct address *local)
{
    const struct bind_conf *b = &x->conf->bind;
    struct str text;

    if (template_is_empty(&b->address))
        return false;
    text = template_value(&b->address, request_script(x->request));
    return text.len && address_parse_ip(text, 0, local);
}

bool exchange_conf_finish(struct setting *s, struct exchange_conf *conf)
{
    size_t rate;
    size_t larger = conf->buffer_size > conf->buffers.size ? conf->buffer_size : conf->buffers.size;

    conf->rate_limited = !template_is_text(&conf->limit_rate) ||
                         !(parse_size(conf->limit_rate.text, &rate) && rate == 0);
    if (conf->buffers.count < 2)
        return setting_error(s, 0, "there must be at least 2 \"proxy_buffers\"");
    conf->busy = conf->busy_size ? conf->busy_size : 2 * larger;
    conf->temp_write = conf->temp_file_write_size ? conf->temp_file_write_size : 2 * larger;
    if (conf->busy < larger)
        return setting_error(s, 0, "\"proxy_busy_buffers_size\" must be equal to or greater than "
                             "the maximum of the value of \"proxy_buffer_size\" and one of the "
                             "\"proxy_buffers\"");
    if (conf->busy > (conf->buffers.count - 1) * conf->buffers.size)
        return setting_error(s, 0, "\"proxy_busy_buffers_size\" must be less than the size of all "
                             "\"proxy_buffers\" minus one buffer");
    if (conf->temp_write < larger)
        return setting_error(s, 0, "\"proxy_temp_file_write_size\" must be equal to or greater "
                             "than the maximum of the value of \"proxy_buffer_size\" and one of "
                             "the \"proxy_buffers\"");
    return true;
}

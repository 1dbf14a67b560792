/*
 * charset: see charset.h.  The tables and the conversion are in charset_map.c.
 */
#include "http/modules/charset.h"

#include "config/types.h"
#include "http/media_types.h"
#include "http/modules/charset_map.h"
#include "http/reader.h"
#include "http/request.h"
#include "http/response.h"
#include "script/template.h"

struct charset_conf {
    struct charset_maps maps;
    struct template charset, source;   /* empty: off */
    struct media_types types;
    bool override;
};

/* ---- the directives ---- */

static bool parse_charset(struct setting *s, void *field)
{
    struct template *t = field;

    *t = (struct template){ .count = 0 };
    return str_eq(setting_arg(s, 1), STR("off")) ||
           template_compile(s, 1, config_variables(s), t);
}

static void print_charset(const struct directive *row, const void *field, struct out *o)
{
    const struct template *t = field;

    (void)row;
    print_word(o, template_is_empty(t) ? STR("off") : t->text);
}

static const struct type type_charset = {
    "charset | off", "the name of a charset, or off", parse_charset, print_charset,
};

#define PLACES (IN_HTTP | IN_SERVER | IN_LOCATION)

static const struct directive rows[] = {
    { "charset", PLACES | IN_LOCATION_IF, ARGS(1), &type_charset,
      FIELD(struct charset_conf, charset), .initial = "off",
      .help = "The charset that Content-Type names. Where it differs from source_charset, bodies are "
              "converted." },
    { "source_charset", PLACES | IN_LOCATION_IF, ARGS(1), &type_charset,
      FIELD(struct charset_conf, source), .syntax = "charset",
      .help = "The charset that bodies have, where the response does not say." },
    { "override_charset", PLACES | IN_LOCATION_IF, ARGS(1), &type_flag,
      FIELD(struct charset_conf, override), .initial = "off",
      .help = "Convert responses of upstreams that name a charset themselves, too." },
    { "charset_types", PLACES, ARGS_RANGE(1, ARGS_ANY), &type_media_types,
      FIELD(struct charset_conf, types), .flags = REPEATS, .syntax = "mime-type ...",
      .initial = "text/html text/xml text/plain text/vnd.wap.wml application/javascript "
                 "application/rss+xml",
      .help = "The media types that this is done for; text/html always is among them, * is any." },
    { "charset_map", IN_HTTP, ARGS(2), &type_charset_map, FIELD(struct charset_conf, maps),
      .flags = REPEATS | FREE_BLOCK, .syntax = "charset1 charset2 { ... }",
      .help = "A table for both ways between two charsets: lines of a byte of the first in "
              "hexadecimal and the character of the second, which may be utf-8." },
    { 0 },
};

/* Charsets that are known beforehand need their table beforehand. */
static bool finish(struct setting *s, void *conf)
{
    const struct charset_conf *c = conf;
    struct str from = c->source.text, to = c->charset.text;
    struct charset_recoding recoding;

    if (!template_is_text(&c->source) || !template_is_text(&c->charset) || from.len == 0 ||
        to.len == 0 || str_eq_nocase(from, to) || charset_find(&c->maps, from, to, &recoding))
        return true;
    return setting_error(s, 0, "no \"charset_map\" between the charsets \"%.*s\" and \"%.*s\"",
                         STR_ARG(from), STR_ARG(to));
}

struct module http_charset_module = {
    .name = "ngx_http_charset_module",
    .directives = rows,
    .conf_size = sizeof(struct charset_conf),
    .finish = finish,
};

/* ---- the body ---- */

enum { SPACE = 16384 };

struct charset_source {
    struct source source;
    struct reader reader;
    struct charset_recoding recoding;
    struct str in;                     /* read and not converted yet */
    struct str ready;                  /* converted and not given yet */
    bool ended;
    char *space;
};

static struct charset_source *source_of(struct source *s)
{
    return (struct charset_source *)s;
}

/* Converts what there is, as much as the space takes. */
static enum pull convert(struct charset_source *s)
{
    struct out o = out_fixed(s->space, SPACE);
    enum pull result = PULL_DATA;

    while (result == PULL_DATA && out_room(&o) >= CHARSET_CHAR_MAX) {
        if (s->in.len == 0)
            result = reader_next(&s->reader, &s->in);
        if (result == PULL_DATA)
            charset_recode(&s->recoding, &s->in, &o);
    }
    if (result == PULL_LAST) {
        charset_end(&s->recoding, &o);
        s->ended = true;
    }
    s->ready = out_str_of(&o);
    return result;
}

static enum pull charset_pull(struct source *source, struct batch *out, size_t budget)
{
    struct charset_source *s = source_of(source);

    if (s->ready.len == 0 && !s->ended) {
        enum pull result = convert(s);
        if (result == PULL_ERROR || (result == PULL_WAIT && s->ready.len == 0))
            return result;
    }
    size_t n = s->ready.len < budget ? s->ready.len : budget;
    if (n > 0)
        batch_memory(out, s->ready.data, n);
    s->ready = str_from(s->ready, n);
    return s->ended && s->ready.len == 0 ? PULL_LAST : PULL_DATA;
}

static void charset_close(struct source *source)
{
    source_close(source_of(source)->reader.source);
}

/* Only where a byte stays a byte. */
static void charset_seek(struct source *source, off_t offset)
{
    struct charset_source *s = source_of(source);

    reader_seek(&s->reader, offset);
    s->in = s->ready = STR("");
    s->ended = false;
}

static const struct source_ops seekable_ops = {
    "charset", charset_pull, charset_close, charset_seek,
};
static const struct source_ops ops = { "charset", charset_pull, charset_close, NULL };

static void wrap(struct request *r, const struct charset_recoding *recoding)
{
    struct source *inner = r->response.body;
    bool seekable = recoding->way == CHARSET_BYTES && inner->ops->seek;
    struct charset_source *s = ARENA_NEW(&r->arena, struct charset_source);

    s->source = (struct source){ seekable ? &seekable_ops : &ops, r };
    reader_init(&s->reader, inner);
    s->recoding = *recoding;
    s->space = arena_alloc(&r->arena, SPACE);
    r->response.body = &s->source;
}

/* ---- the head ---- */

/* The charset that the response is to have; empty: it stays as it is. */
static struct str wanted(struct request *r, const struct charset_conf *c)
{
    struct response *res = &r->response;

    if (res->content_type.len == 0)
        return STR("");
    if (r->parent)                             /* its body goes into the main response */
        return r->main->response.charset;
    if (res->charset_override.len)
        return res->charset_override;
    if (template_is_empty(&c->charset))
        return STR("");
    if (res->charset.len ? !c->override : !media_types_have(&c->types, res->content_type))
        return STR("");
    struct str name = template_value(&c->charset, request_script(r));
    return template_safe(name) ? name : STR("");
}

static void set_charset(struct request *r, struct str name)
{
    struct response *res = &r->response;

    if (r->parent)
        return;
    response_unprepare(r);
    /* Old browsers would take a redirect's charset for that of the page behind it. */
    res->charset = res->status == STATUS_MOVED_PERMANENTLY || res->status == STATUS_FOUND
                       ? STR("") : name;
}

static int apply(struct request *r)
{
    const struct charset_conf *c = CONF(r->conf, http_charset_module);
    struct response *res = &r->response;
    struct charset_recoding recoding;
    struct str to = wanted(r, c), from = res->charset;

    if (to.len == 0)
        return r->script.failed ? STATUS_INTERNAL_SERVER_ERROR : 0;
    if (from.len == 0)
        from = template_value(&c->source, request_script(r));
    if (from.len == 0 || str_eq_nocase(from, to)) {
        set_charset(r, to);
        return 0;
    }
    if (res->content_encoding.len)             /* what is compressed can't be converted */
        return 0;
    if (!charset_find(&c->maps, from, to, &recoding)) {
        request_log(r, LOG_LEVEL_ERROR, 0,
                    "no \"charset_map\" between the charsets \"%.*s\" and \"%.*s\"", STR_ARG(from),
                    STR_ARG(to));
        return 0;
    }
    set_charset(r, to);
    if (recoding.way != CHARSET_BYTES)
        response_forget_length(r);
    if (res->body)
        wrap(r, &recoding);
    return 0;
}

/* Also where nothing is said here: subrequests take part in the main response's charset, and an upstream
 * may ask for one.  Both need a table. */
static bool enabled(void *const *conf)
{
    const struct charset_conf *c = CONF(conf, http_charset_module);

    return !template_is_empty(&c->charset) || c->maps.list.count > 0;
}

const struct http_filter charset_filter = { "charset", enabled, false, apply };

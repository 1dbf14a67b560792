/*
 * autoindex: see autoindex.h.  The page is written as it is pulled, so that a folder of any size costs
 * no more memory than its names.
 */
#include "http/modules/autoindex.h"

#include "config/resolve.h"
#include "config/types.h"
#include "http/request.h"
#include "http/modules/autoindex_page.h"
#include "http/modules/folder.h"

enum format { FORMAT_HTML, FORMAT_JSON, FORMAT_JSONP, FORMAT_XML };

struct autoindex_conf {
    bool enabled, exact_size, localtime;
    unsigned format;                   /* enum format */
};

/* ---- the directives ---- */

static const struct name_value format_names[] = {
    { "html", FORMAT_HTML }, { "json", FORMAT_JSON }, { "jsonp", FORMAT_JSONP },
    { "xml", FORMAT_XML }, { NULL, 0 },
};

#define EVERYWHERE (IN_HTTP | IN_SERVER | IN_LOCATION)

static const struct directive rows[] = {
    { "autoindex", EVERYWHERE, ARGS(1), &type_flag, FIELD(struct autoindex_conf, enabled),
      .initial = "off", .help = "List a directory that has no index file." },
    { "autoindex_format", EVERYWHERE, ARGS(1), &type_enum, FIELD(struct autoindex_conf, format),
      .initial = "html", .syntax = "html | xml | json | jsonp", .data = format_names,
      .help = "What the list is written in. With jsonp the argument \"callback\" of the request names "
              "the function." },
    { "autoindex_exact_size", EVERYWHERE, ARGS(1), &type_flag,
      FIELD(struct autoindex_conf, exact_size), .initial = "on",
      .help = "In html: sizes in bytes; off rounds them to K, M and G." },
    { "autoindex_localtime", EVERYWHERE, ARGS(1), &type_flag,
      FIELD(struct autoindex_conf, localtime), .initial = "off",
      .help = "In html: times in the server's time zone and not in UTC." },
    { 0 },
};

struct module http_autoindex_module = {
    .name = "ngx_http_autoindex_module",
    .directives = rows,
    .conf_size = sizeof(struct autoindex_conf),
};

/* ---- the body ---- */

enum { PAGE_SPACE = 4 * FOLDER_ENTRY_MAX };

struct autoindex_source {
    struct source source;
    const struct folder *folder;
    const struct folder_format *format;
    struct folder_page page;
    unsigned at;                       /* the next entry */
    bool begun, ended;
    struct str text;                   /* written and not given yet */
    char *space;                       /* of PAGE_SPACE, that entries are written in */
};

/* Writes the next part of the page: its head, some entries, or its foot. */
static void write_more(struct autoindex_source *s)
{
    if (!s->begun) {
        struct out o = out_growing(&s->source.request->arena, 1 << 20);
        /* A filter may have chosen the charset since the source was made. */
        s->page.charset = s->source.request->response.charset;
        s->format->begin(&o, &s->page);
        s->begun = true;
        s->text = out_str_of(&o);
        s->space = arena_alloc(&s->source.request->arena, PAGE_SPACE);
        return;
    }
    struct out o = out_fixed(s->space, PAGE_SPACE);
    unsigned count = folder_count(s->folder);
    while (s->at < count && out_room(&o) >= FOLDER_ENTRY_MAX) {
        struct folder_entry e = folder_entry_at(s->folder, s->at);
        s->format->entry(&o, &s->page, &e, s->at == 0);
        s->at++;
    }
    if (s->at == count && out_room(&o) >= FOLDER_ENTRY_MAX) {
        s->format->end(&o, &s->page);
        s->ended = true;
    }
    s->text = out_str_of(&o);
}

static enum pull autoindex_pull(struct source *source, struct batch *out, size_t budget)
{
    struct autoindex_source *s = (struct autoindex_source *)source;

    if (s->text.len == 0 && !s->ended)
        write_more(s);
    size_t n = s->text.len < budget ? s->text.len : budget;
    if (n > 0)
        batch_memory(out, s->text.data, n);
    s->text = str_from(s->text, n);
    return s->ended && s->text.len == 0 ? PULL_LAST : PULL_DATA;
}

static const struct source_ops autoindex_ops = { "autoindex", autoindex_pull, NULL, NULL };

/* ---- requests ---- */

static const struct folder_format *format_of(enum format format)
{
    switch (format) {
    case FORMAT_HTML: return &folder_html;
    case FORMAT_JSON: return &folder_json;
    case FORMAT_JSONP: return &folder_jsonp;
    case FORMAT_XML: return &folder_xml;
    }
    return &folder_html;
}

/* The value of "callback" in the arguments; empty without one.  false: it is not a name. */
static bool find_callback(struct request *r, struct str *callback)
{
    struct str args = r->args;

    *callback = STR("");
    while (args.data) {
        struct str arg = str_split(&args, '&');
        if (str_starts_nocase(arg, STR("callback="))) {
            *callback = str_from(arg, sizeof "callback=" - 1);
            break;
        }
    }
    for (size_t i = 0; i < callback->len; i++) {
        char c = callback->data[i];
        bool letter = char_lower(c) >= 'a' && char_lower(c) <= 'z';
        if (!letter && !char_is_digit(c) && c != '_' && c != '$' && c != '.')
            return false;
    }
    return callback->len <= 128;
}

static int respond(struct request *r, const struct folder *folder)
{
    const struct autoindex_conf *conf = CONF(r->conf, http_autoindex_module);
    enum format format = (enum format)conf->format;
    struct autoindex_source *s = ARENA_NEW(&r->arena, struct autoindex_source);
    struct response *res = &r->response;

    s->page = (struct folder_page){ .uri = r->uri, .exact_size = conf->exact_size,
                                    .local_time = conf->localtime };
    if (format == FORMAT_JSONP) {
        if (!find_callback(r, &s->page.callback)) {
            request_log(r, LOG_LEVEL_ERROR, 0, "client sent invalid callback name: \"%.*s\"",
                        STR_ARG(s->page.callback));
            return STATUS_BAD_REQUEST;
        }
        if (s->page.callback.len == 0)
            format = FORMAT_JSON;
    }
    s->source = (struct source){ &autoindex_ops, r };
    s->folder = folder;
    s->format = format_of(format);
    res->status = STATUS_OK;
    res->content_type = s->format->type;
    res->charset = s->format->charset;
    res->body = &s->source;
    return STEP_RESPOND;
}

static int autoindex_run(struct request *r)
{
    void **context = REQUEST_CONTEXT(r, http_autoindex_module);

    if (r->uri.data[r->uri.len - 1] != '/' ||
        (r->method != METHOD_GET && r->method != METHOD_HEAD))
        return STEP_NEXT;
    int result = folder_read(r, context);
    return result == STEP_NEXT ? respond(r, *context) : result;
}

static bool autoindex_enabled(void *const *conf)
{
    return ((const struct autoindex_conf *)CONF(conf, http_autoindex_module))->enabled;
}

const struct http_step autoindex_step = {
    "autoindex", PHASE_CONTENT, autoindex_enabled, autoindex_run,
};

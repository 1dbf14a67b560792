/*
 * health_check: see health_check.h.
 */
#include "http/proxy/health_check.h"

#include "config/types.h"
#include "http/headers.h"
#include "http/proxy/http1_parse.h"
#include "http/proxy/proxy_conf.h"
#include "http/proxy/proxy_pass.h"
#include "http/modules/ssl/ssl_peer.h"
#include "modules_enabled.h"
#include "http/request.h"
#include "http/v1/v1_parse.h"

enum {
    HEAD_MAX = 65536,
    BODY_MAX = 256 * 1024,             /* bytes that conditions see */
};

/* ---- the request ---- */

static void put_field(struct out *o, struct str name, struct str value)
{
    out_str(o, name);
    OUT_LITERAL(o, ": ");
    out_str(o, value);
    OUT_LITERAL(o, "\r\n");
}

/* Lines of proxy_set_header, as far as their values are the same for all requests. */
static void put_set_fields(const struct proxy_conf *conf, struct out *o)
{
    for (unsigned i = 0; i < conf->headers.items.count; i++) {
        const struct set_header *h = &conf->headers.items.items[i];
        bool framing = str_eq_nocase(h->name, STR("Connection")) ||
                       str_eq_nocase(h->name, STR("Content-Length")) ||
                       str_eq_nocase(h->name, STR("Transfer-Encoding"));
        if (!framing && template_is_text(&h->value) && h->value.text.len)
            put_field(o, h->name, h->value.text);
    }
}

static bool sets_host(const struct proxy_conf *conf)
{
    for (unsigned i = 0; i < conf->headers.items.count; i++) {
        const struct set_header *h = &conf->headers.items.items[i];
        if (str_eq_nocase(h->name, STR("Host")) && template_is_text(&h->value))
            return true;
    }
    return false;
}

static void build(const struct health_check *c, const struct upstream_peer *peer, struct out *o)
{
    const struct http_probe *probe = c->conf;
    bool is_11 = probe->proxy->http_version == VERSION_11;

    (void)peer;
    OUT_LITERAL(o, "GET ");
    out_str(o, probe->uri);
    out_printf(o, " HTTP/1.%d\r\n", is_11);
    if (!sets_host(probe->proxy))
        put_field(o, STR("Host"), probe->proxy->pass->target.host);
    put_set_fields(probe->proxy, o);
    if (!c->keepalive_time && is_11)
        put_field(o, STR("Connection"), STR("close"));
    else if (c->keepalive_time && !is_11)
        put_field(o, STR("Connection"), STR("keep-alive"));
    OUT_LITERAL(o, "\r\n");
}

/* ---- the response ---- */

struct answer {
    struct http1_status_line status;
    struct str fields, body;           /* as they came */
    int64_t length;                    /* -1: not said */
    bool chunked, closes;
};

static bool take_field(struct answer *a, struct str name, struct str value)
{
    uint64_t length;

    if (str_eq_nocase(name, STR("Content-Length"))) {
        if (a->length >= 0 || !str_to_u64(value, &length) || length > INT64_MAX)
            return false;
        a->length = (int64_t)length;
    } else if (str_eq_nocase(name, STR("Transfer-Encoding"))) {
        a->chunked = true;
        return str_eq_nocase(value, STR("chunked"));
    } else if (str_eq_nocase(name, STR("Connection"))) {
        a->closes |= str_find_nocase(value, STR("close")) >= 0;
    }
    return true;
}

/* A whole head, and what stands behind it in *in. */
static enum health_verdict read_head(struct str *in, struct answer *a)
{
    struct str line, name, value;

    if (!http1_next_line(in, &line))
        return HEALTH_MORE;
    if (!http1_parse_status(line, &a->status))
        return HEALTH_BAD;
    const char *from = in->data;
    while (http1_next_line(in, &line)) {
        switch (http1_parse_field(line, &name, &value)) {
        case HTTP1_FIELD:
            if (!take_field(a, name, value))
                return HEALTH_BAD;
            break;
        case HTTP1_BAD:
            return HEALTH_BAD;
        case HTTP1_LAST:
            a->fields = str_range(from, in->data);
            a->body = *in;
            return a->chunked && a->length >= 0 ? HEALTH_BAD : HEALTH_GOOD;
        }
    }
    return HEALTH_MORE;
}

static enum health_verdict read_final_head(struct str in, struct answer *a)
{
    enum health_verdict v;

    do {
        *a = (struct answer){ .length = -1 };
        v = read_head(&in, a);
    } while (v == HEALTH_GOOD && a->status.status < STATUS_OK);
    return v == HEALTH_MORE && in.len > HEAD_MAX ? HEALTH_BAD : v;
}

/* A chunked body, its framing taken off, to `o` (which drops what is too much): how much of `in`
 * it took in *used.  GOOD: its end is there. */
static enum health_verdict read_chunks(struct str in, struct out *o, size_t *used)
{
    struct v1_chunks chunks = { 0 };
    size_t framing;
    struct str data, rest = in;

    while (rest.len && chunks.state != CHUNK_DONE) {
        if (!v1_chunks_next(&chunks, rest, &framing, &data))
            return HEALTH_BAD;
        out_bytes(o, data.data, data.len < out_room(o) ? data.len : out_room(o));
        rest = str_from(rest, framing + data.len);
    }
    *used = in.len - rest.len;
    return chunks.state == CHUNK_DONE ? HEALTH_GOOD : HEALTH_MORE;
}

static bool is_bodiless(const struct answer *a)
{
    return a->status.status == STATUS_NO_CONTENT || a->status.status == STATUS_NOT_MODIFIED;
}

/* The body as conditions see it.  GOOD: all of it is there; *extra: and something behind it. */
static enum health_verdict read_body(const struct answer *a, bool end, struct out *o, bool *extra)
{
    size_t used = a->body.len, left = out_room(o);
    enum health_verdict v = end ? HEALTH_GOOD : HEALTH_MORE;       /* the connection ends it */

    if (is_bodiless(a)) {
        used = 0;
        v = HEALTH_GOOD;
    } else if (a->chunked) {
        v = read_chunks(a->body, o, &used);
    } else {
        if (a->length >= 0) {
            used = a->body.len < (uint64_t)a->length ? a->body.len : (size_t)a->length;
            v = used == (uint64_t)a->length ? HEALTH_GOOD : HEALTH_MORE;
        }
        out_bytes(o, a->body.data, used < left ? used : left);
    }
    *extra = used < a->body.len;
    return v;
}

static bool may_serve_again(const struct answer *a)
{
    bool has_end = is_bodiless(a) || a->chunked || a->length >= 0;

    return has_end && !a->closes && a->status.version == VERSION_11 &&
           a->status.status != STATUS_SWITCHING_PROTOCOLS;
}

static enum health_verdict judge_body(const struct health_check *c, const struct answer *a,
                                      bool end, struct health_note *note)
{
    static char space[BODY_MAX];       /* of one probe at a time */
    const struct http_probe *probe = c->conf;
    struct out o = out_fixed(space, sizeof space);
    bool extra = false;
    enum health_verdict v = read_body(a, end, &o, &extra);

    note->why = "reading response body";
    if (v == HEALTH_BAD || (v == HEALTH_MORE && out_room(&o) && a->body.len < BODY_MAX))
        return v;
    note->why = health_match_body(probe->match, out_str_of(&o));
    note->reusable = v == HEALTH_GOOD && !extra && may_serve_again(a);
    return note->why ? HEALTH_BAD : HEALTH_GOOD;
}

static enum health_verdict judge(const struct health_check *c, struct str in, bool end,
                                 struct health_note *note)
{
    const struct http_probe *probe = c->conf;
    struct answer a;
    enum health_verdict v = read_final_head(in, &a);

    note->why = "reading response header";
    if (v != HEALTH_GOOD)
        return v;
    note->why = health_match_head(probe->match, a.status.status, a.fields);
    if (note->why)
        return HEALTH_BAD;
    if (!health_match_wants_body(probe->match) && !c->keepalive_time)
        return HEALTH_GOOD;
    return judge_body(c, &a, end, note);
}

const struct health_kind health_http = { build, judge };

/* ---- directives ---- */

/* A line of the location, until its proxy_pass is known. */
struct check_line {
    struct health_check *check;
    struct http_probe *probe;
    const struct node *node;           /* while the tree is resolved */
    struct str text;
};

struct check_lines {
    ARRAY(struct check_line) list;
};

struct health_conf {
    struct health_matches *matches;    /* of the http block: made where it begins */
    struct check_lines lines;
};

static bool is_option(struct str word, const char *name, struct str *value)
{
    struct str prefix = str_of(name);

    *value = word.len >= prefix.len ? str_from(word, prefix.len) : STR("");
    return str_starts(word, prefix);
}

static bool parse_kind(struct str name, const struct health_kind **kind)
{
    *kind = str_eq(name, STR("tcp")) ? &health_tcp : &health_http;
    return *kind == &health_tcp || str_eq(name, STR("http"));
}

static bool parse_uri(struct setting *s, struct str value, struct str *uri)
{
    *uri = arena_str(setting_arena(s), value);
    return value.len && value.data[0] == '/' && template_safe(value) && str_index(value, ' ') < 0;
}

/* false: there is no such parameter, or its value is none. */
static bool parse_option(struct setting *s, struct str word, struct check_line *line)
{
    struct health_check *c = line->check;
    struct str value;

    if (is_option(word, "interval=", &value))
        return parse_time(value, &c->interval) && c->interval > 0;
    if (is_option(word, "jitter=", &value))
        return parse_time(value, &c->jitter) && c->jitter <= TIMER_MAX;
    if (is_option(word, "keepalive_time=", &value))
        return parse_time(value, &c->keepalive_time);
    if (is_option(word, "fails=", &value))
        return str_to_uint(value, INT32_MAX, &c->fails) && c->fails > 0;
    if (is_option(word, "passes=", &value))
        return str_to_uint(value, INT32_MAX, &c->passes) && c->passes > 0;
    if (is_option(word, "port=", &value))
        return str_to_uint(value, 65535, &c->port) && c->port > 0;
    if (is_option(word, "type=", &value))
        return parse_kind(value, &c->kind);
    if (is_option(word, "uri=", &value))
        return parse_uri(s, value, &line->probe->uri);
    c->mandatory |= str_eq(word, STR("mandatory"));
    c->persistent |= str_eq(word, STR("persistent"));
    return str_eq(word, STR("mandatory")) || str_eq(word, STR("persistent"));
}

static bool parse_words(struct setting *s, struct check_line *line)
{
    struct health_conf *conf = s->conf;
    struct str value;

    for (unsigned i = 1; i < s->node->count; i++) {
        if (is_option(setting_arg(s, i), "match=", &value)) {
            line->probe->match = health_match_use(s, i, value, conf->matches);
            line->check->name = arena_str(setting_arena(s), value);
            if (!line->probe->match)
                return false;
        } else if (!parse_option(s, setting_arg(s, i), line))
            return setting_error(s, i, "invalid parameter \"%.*s\"", STR_ARG(setting_arg(s, i)));
    }
    return !line->check->persistent || line->check->mandatory ||
           setting_error(s, 0, "parameter \"persistent\" requires parameter \"mandatory\"");
}

static struct str words_of(struct setting *s)
{
    struct out o = out_growing(setting_arena(s), 65536);

    for (unsigned i = 1; i < s->node->count; i++) {
        if (i > 1)
            out_char(&o, ' ');
        print_word(&o, setting_arg(s, i));
    }
    return out_str_of(&o);
}

static bool parse_check(struct setting *s, void *field)
{
    struct arena *a = setting_arena(s);
    struct check_lines *lines = field;
    struct check_line *line = ARRAY_PUSH(&lines->list, a);

    *line = (struct check_line){
        ARENA_NEW(a, struct health_check), ARENA_NEW(a, struct http_probe), s->node, words_of(s),
    };
    *line->probe = (struct http_probe){ .uri = STR("/"), .match = &health_match_usual };
    *line->check = (struct health_check){
        .kind = &health_http, .conf = line->probe, .interval = 5000, .fails = 1, .passes = 1,
    };
    return parse_words(s, line);
}

static bool open_match(struct setting *s)
{
    return health_match_open(s, ((struct health_conf *)s->conf)->matches);
}

/* What the location's directives of the proxy say of connections. */
static void take_over(struct health_check *c, const struct exchange_conf *conf)
{
    const struct template *bind = &conf->bind.address;

    c->connect_timeout = conf->connect_timeout;
    c->send_timeout = conf->send_timeout;
    c->read_timeout = conf->read_timeout;
    c->bound = template_is_text(bind) && bind->text.len &&
               address_parse_ip(bind->text, 0, &c->local);
}

static bool add_check(struct setting *s, const struct check_line *line)
{
    const struct proxy_conf *proxy = CONF(s->block->conf, http_proxy_module);
    struct setting place = *s;

    place.node = line->node;
    if (!proxy->pass || !template_is_text(&proxy->pass->url) || !proxy->pass->target.upstream)
        return setting_error_hint(&place, 0, STR("the location wants a proxy_pass to an upstream"),
                                  "no upstream is here for \"health_check\"");
    if (proxy->http_version == VERSION_20 && line->check->kind == &health_http)
        return setting_error(&place, 0, "\"health_check\" does not speak HTTP/2: leave out "
                             "\"proxy_http_version 2\", or write type=tcp");
    line->check->group = proxy->pass->target.upstream;
    line->probe->proxy = proxy;
    IF_MODULE_ssl(if (proxy->pass->target.secure)
        line->check->tls = ssl_peer_fixed(s, proxy->pass->target.host);)
    take_over(line->check, &proxy->exchange);
    return health_add(&place, line->check);
}

static bool finish(struct setting *s, void *field)
{
    struct health_conf *conf = field;
    bool good = true;

    if (s->block->context == IN_HTTP) {
        conf->matches = ARENA_NEW(setting_arena(s), struct health_matches);
        health_begin(s->config->generation);
    }
    for (unsigned i = 0; i < conf->lines.list.count; i++)
        good &= add_check(s, &conf->lines.list.items[i]);
    return good;
}

static void print_lines(const struct directive *row, const void *field, struct out *o)
{
    const struct check_lines *lines = field;

    (void)row;
    for (unsigned i = 0; i < lines->list.count; i++)
        out_printf(o, i ? "; %.*s" : "%.*s", STR_ARG(lines->list.items[i].text));
}

static const struct type type_check = {
    "[parameters]", "parameters", parse_check, print_lines,
};

static const struct directive rows[] = {
    { "health_check", IN_LOCATION, ARGS_RANGE(0, ARGS_ANY), &type_check,
      FIELD(struct health_conf, lines), .flags = REPEATS | NOT_INHERITED,
      .syntax = "[interval=time] [jitter=time] [fails=number] [passes=number] [uri=uri] "
                "[port=number] [match=name] [mandatory [persistent]] [keepalive_time=time] "
                "[type=http|tcp]",
      .help = "Ask the servers behind proxy_pass every 5 seconds whether they are well; requests "
              "go to those that are. Their group must have a zone." },
    { "match", IN_HTTP, ARGS(1), NULL, .open = open_match, .flags = REPEATS,
      .syntax = "name { ... }",
      .help = "Which responses to health_check are good: those of which every line is true." },
    { "status", IN_OTHER, ARGS_RANGE(1, ARGS_ANY), &type_match_status, .flags = REPEATS,
      .help = "The status is one of these, or behind ! none of them." },
    { "header", IN_OTHER, ARGS_RANGE(1, 3), &type_match_header, .flags = REPEATS,
      .help = "The field is there, or behind ! it is not; or its value is, or matches, what is "
              "given." },
    { "body", IN_OTHER, ARGS(2), &type_match_body, .flags = REPEATS,
      .help = "The first 256k of the body match the regular expression, or with !~ do not." },
    { 0 },
};

struct module http_health_module = {
    .name = "ngx_http_upstream_hc_module",
    .directives = rows,
    .conf_size = sizeof(struct health_conf),
    .finish = finish,
};

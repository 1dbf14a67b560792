/*
 * health_check: see health_check.h.
 */
#include "http/proxy/health_check.h"

#include "config/types.h"
#include "http/http.h"
#include "http/proxy/health_http2.h"
#include "http/proxy/health_request.h"
#include "http/proxy/http1_answer.h"
#include "http/proxy/proxy_conf.h"
#include "http/proxy/proxy_pass.h"
#include "http/modules/ssl/ssl_peer.h"
#include "modules_enabled.h"
#include "http/request.h"

/* ---- the request ---- */

static void put_field(void *to, struct str name, struct str value)
{
    struct out *o = to;

    out_str(o, name);
    OUT_LITERAL(o, ": ");
    out_str(o, value);
    OUT_LITERAL(o, "\r\n");
}

static void build(const struct health_check *c, const struct upstream_peer *peer, struct out *o)
{
    const struct http_probe *probe = c->conf;
    bool is_11 = probe->proxy->http_version == VERSION_11;

    (void)peer;
    OUT_LITERAL(o, "GET ");
    out_str(o, probe->uri);
    out_printf(o, " HTTP/1.%d\r\n", is_11);
    health_request_fields(probe, &(struct health_sink){ put_field, o });
    if (!c->keepalive_time && is_11)
        put_field(o, STR("Connection"), STR("close"));
    else if (c->keepalive_time && !is_11)
        put_field(o, STR("Connection"), STR("keep-alive"));
    OUT_LITERAL(o, "\r\n");
}

/* ---- the response ---- */

static bool may_serve_again(const struct http1_answer *a)
{
    bool has_end = http1_answer_is_bodiless(a) || a->chunked || a->length >= 0;

    return has_end && !a->closes && a->status.version == VERSION_11 &&
           a->status.status != STATUS_SWITCHING_PROTOCOLS;
}

static const enum health_verdict verdicts[] = {
    [HTTP1_ANSWER_MORE] = HEALTH_MORE, [HTTP1_ANSWER_GOOD] = HEALTH_GOOD,
    [HTTP1_ANSWER_BAD] = HEALTH_BAD,
};

static enum health_verdict judge_body(const struct health_check *c, const struct http1_answer *a,
                                      bool end, struct health_note *note)
{
    static char space[HEALTH_BODY_MAX];        /* of one probe at a time */
    const struct http_probe *probe = c->conf;
    struct out o = out_fixed(space, sizeof space);
    bool extra = false;
    enum health_verdict v = verdicts[http1_answer_body(a, end, &o, &extra)];

    note->why = "reading response body";
    if (v == HEALTH_BAD || (v == HEALTH_MORE && out_room(&o) && a->body.len < HEALTH_BODY_MAX))
        return v;
    note->why = health_match_body(probe->match, out_str_of(&o));
    note->reusable = v == HEALTH_GOOD && !extra && may_serve_again(a);
    return note->why ? HEALTH_BAD : HEALTH_GOOD;
}

static enum health_verdict judge(const struct health_check *c, struct str in, bool end,
                                 struct health_note *note)
{
    const struct http_probe *probe = c->conf;
    struct http1_answer a;
    enum health_verdict v = verdicts[http1_answer_head(in, &a)];

    note->why = "reading response header";
    if (v != HEALTH_GOOD)
        return v;
    if (!health_head_is_good(probe, a.status.status, a.fields, note))
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

static const struct http_server *server_of(const struct block *b)
{
    while (b->context != IN_SERVER)
        b = b->parent;
    return b->object;                          /* its root, which it begins with */
}

static void speak_http2(struct setting *s, struct health_check *c)
{
    c->kind = &health_http2;
    if (c->keepalive_time)
        setting_warn(s, 0, "\"keepalive_time\" means nothing with \"proxy_http_version 2\": each "
                     "check has a connection of its own");
}

static void make_secure(struct setting *s, struct health_check *c, struct str host)
{
    IF_MODULE_ssl(struct tls_peer *p = ARENA_NEW(setting_arena(s), struct tls_peer);
    *p = *ssl_peer_fixed(s, host);
    if (c->kind == &health_http2)
        p->alpn = STR("\x02h2");
    c->tls = p;)
    (void)s;
    (void)c;
    (void)host;
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
        speak_http2(&place, line->check);
    line->check->group = proxy->pass->target.upstream;
    line->probe->proxy = proxy;
    line->probe->generation = s->config->generation;
    line->probe->location = s->block->object;
    line->probe->server = server_of(s->block);
    line->probe->secure = proxy->pass->target.secure;
    if (line->probe->secure)
        make_secure(s, line->check, proxy->pass->target.host);
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
    { "require", IN_OTHER, ARGS_RANGE(1, ARGS_ANY), &type_match_require, .flags = REPEATS,
      .help = "None of these variables is empty or 0. Those that speak of a client are." },
    { 0 },
};

struct module http_health_module = {
    .name = "ngx_http_upstream_hc_module",
    .directives = rows,
    .conf_size = sizeof(struct health_conf),
    .finish = finish,
};

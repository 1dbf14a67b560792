/*
 * gzip_client: see gzip_client.h.
 */
#include "http/modules/gzip_client.h"

#include "base/regex/regex.h"
#include "config/types.h"
#include "http/modules/accept_encoding.h"
#include "http/response.h"
#include "script/pattern.h"

enum proxied {
    PROXIED_OFF = 1,
    PROXIED_EXPIRED = 2,
    PROXIED_NO_CACHE = 4,
    PROXIED_NO_STORE = 8,
    PROXIED_PRIVATE = 16,
    PROXIED_NO_LAST_MODIFIED = 32,
    PROXIED_NO_ETAG = 64,
    PROXIED_AUTH = 128,
    PROXIED_ANY = 256,
};

struct disabled_agents {
    ARRAY(struct pattern *) patterns;
    bool msie6;
};

struct gzip_client_conf {
    struct disabled_agents disable;
    unsigned http_version, proxied;
    bool vary;
};

/* ---- directives ---- */

static bool parse_disable(struct setting *s, void *field)
{
    struct disabled_agents *d = field;

    for (unsigned i = 1; i < s->node->count; i++) {
        struct str text = setting_arg(s, i);
        if (str_eq(text, STR("msie6"))) {
            d->msie6 = true;
            continue;
        }
        struct pattern *p = pattern_compile(s, i, text, true);
        if (!p)
            return false;
        *ARRAY_PUSH(&d->patterns, setting_arena(s)) = p;
    }
    return true;
}

static void print_disable(const struct directive *row, const void *field, struct out *o)
{
    const struct disabled_agents *d = field;

    (void)row;
    for (unsigned i = 0; i < d->patterns.count; i++) {
        if (i)
            out_char(o, ' ');
        print_word(o, pattern_text(d->patterns.items[i]));
    }
    if (d->msie6)
        out_str(o, d->patterns.count ? STR(" msie6") : STR("msie6"));
}

static const struct type type_disable = {
    "regex ...", "regular expressions, or msie6", parse_disable, print_disable,
};

static const struct name_value versions[] = {
    { "1.0", VERSION_10 }, { "1.1", VERSION_11 }, { NULL, 0 },
};

static const struct name_value proxied_names[] = {
    { "off", PROXIED_OFF },
    { "expired", PROXIED_EXPIRED },
    { "no-cache", PROXIED_NO_CACHE },
    { "no-store", PROXIED_NO_STORE },
    { "private", PROXIED_PRIVATE },
    { "no_last_modified", PROXIED_NO_LAST_MODIFIED },
    { "no_etag", PROXIED_NO_ETAG },
    { "auth", PROXIED_AUTH },
    { "any", PROXIED_ANY },
    { NULL, 0 },
};

#define PLACES (IN_HTTP | IN_SERVER | IN_LOCATION)

static const struct directive rows[] = {
    { "gzip_disable", PLACES, ARGS_RANGE(1, ARGS_ANY), &type_disable,
      FIELD(struct gzip_client_conf, disable), .flags = REPEATS, .syntax = "regex ...",
      .help = "Clients whose User-Agent matches get nothing in gzip; msie6 stands for the old "
              "browsers that can't read it." },
    { "gzip_http_version", PLACES, ARGS(1), &type_enum,
      FIELD(struct gzip_client_conf, http_version), .initial = "1.1", .data = versions,
      .help = "The lowest version of a request that is answered in gzip." },
    { "gzip_proxied", PLACES, ARGS_RANGE(1, ARGS_ANY), &type_bitmask,
      FIELD(struct gzip_client_conf, proxied), .initial = "off", .data = proxied_names,
      .help = "Which responses to requests that came through a proxy (with Via) are in gzip." },
    { "gzip_vary", PLACES, ARGS(1), &type_flag, FIELD(struct gzip_client_conf, vary),
      .initial = "off",
      .help = "Add \"Vary: Accept-Encoding\" to responses that are, or might be, in gzip." },
    { 0 },
};

struct module http_gzip_client_module = {
    .name = "ngx_http_gzip_module",
    .directives = rows,
    .conf_size = sizeof(struct gzip_client_conf),
};

/* ---- requests ---- */

static const struct gzip_client_conf *conf_of(const struct request *r)
{
    return CONF(r->conf, http_gzip_client_module);
}

/* MSIE 4 to 6, but not 6 with the second service pack of Windows XP. */
static bool is_msie6(struct str agent)
{
    ptrdiff_t at = str_find(agent, STR("MSIE "));

    if (at < 0 || agent.len < (size_t)at + 7)
        return false;
    const char *version = agent.data + at + 5;
    return version[0] >= '4' && version[0] <= '6' && version[1] == '.' &&
           str_find(agent, STR("SV1")) < 0;
}

static bool is_disabled(const struct request *r, const struct disabled_agents *d)
{
    struct str agent = headers_value(&r->headers, HEADER_USER_AGENT);

    if (!agent.data)
        return false;
    for (unsigned i = 0; i < d->patterns.count; i++) {
        if (regex_match(pattern_regex(d->patterns.items[i]), agent, NULL, 0) == REGEX_MATCH)
            return true;
    }
    return d->msie6 && is_msie6(agent);
}

/* Whether Cache-Control of the response has one of the words that were named. */
static bool cache_control_allows(const struct request *r, unsigned proxied, struct str control)
{
    static const struct {
        unsigned bit;
        struct str word;
    } words[] = {
        { PROXIED_NO_CACHE, STR_INIT("no-cache") },
        { PROXIED_NO_STORE, STR_INIT("no-store") },
        { PROXIED_PRIVATE, STR_INIT("private") },
    };

    (void)r;
    while (control.data) {
        struct str word = str_split(&control, ',');
        word = str_trim(str_split(&word, '='));
        for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
            if ((proxied & words[i].bit) && str_eq_nocase(word, words[i].word))
                return true;
        }
    }
    return false;
}

static bool is_expired(struct request *r, struct str expires)
{
    struct str date = headers_joined(&r->response.headers, &r->arena, STR("date"));
    time_t now = date.data ? clock_parse_http_date(date) : clock_seconds();
    time_t when = clock_parse_http_date(expires);

    return when >= 0 && when < now;
}

/* A response to a proxy: it may keep it and hand it to others. */
static bool proxied_allows(struct request *r, unsigned proxied)
{
    const struct headers *h = &r->response.headers;

    if (proxied & PROXIED_OFF)
        return false;
    if (proxied & PROXIED_ANY)
        return true;
    if ((proxied & PROXIED_AUTH) && headers_known(&r->headers, HEADER_AUTHORIZATION))
        return true;
    struct str expires = headers_joined(h, &r->arena, STR("expires"));
    if (expires.data)
        return (proxied & PROXIED_EXPIRED) && is_expired(r, expires);
    if (cache_control_allows(r, proxied, headers_joined(h, &r->arena, STR("cache-control"))))
        return true;
    if ((proxied & PROXIED_NO_LAST_MODIFIED) && response_modified(r) < 0)
        return true;
    return (proxied & PROXIED_NO_ETAG) && r->response.etag.len == 0;
}

struct str gzip_client_codings(struct request *r)
{
    if (!headers_known(&r->headers, HEADER_ACCEPT_ENCODING))
        return (struct str){ NULL, 0 };
    return headers_joined(&r->headers, &r->arena, STR("accept-encoding"));
}

bool gzip_client_accepts(struct request *r)
{
    const struct gzip_client_conf *c = conf_of(r);

    if (r->parent || r->version < c->http_version ||
        accept_encoding_weight(gzip_client_codings(r), STR("gzip")) == 0 ||
        is_disabled(r, &c->disable))
        return false;
    return !headers_known(&r->headers, HEADER_VIA) || proxied_allows(r, c->proxied);
}

bool gzip_client_varies(const struct request *r)
{
    return conf_of(r)->vary;
}

void gzip_client_add_vary(struct request *r)
{
    const struct headers *h = &r->response.headers;

    if (r->parent)
        return;
    for (unsigned i = 0; i < h->list.count; i++) {
        const struct header *f = &h->list.items[i];
        if (!f->hidden && str_eq_nocase(f->name, STR("Vary")) &&
            str_eq_nocase(f->value, STR("Accept-Encoding")))
            return;
    }
    response_header(r, STR("Vary"), STR("Accept-Encoding"));
}

void gzip_client_vary(struct request *r)
{
    if (gzip_client_varies(r))
        gzip_client_add_vary(r);
}

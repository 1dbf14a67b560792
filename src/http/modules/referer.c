/*
 * referer: see referer.h.
 */
#include "http/modules/referer.h"

#include "base/list.h"
#include "base/regex/regex.h"
#include "config/types.h"
#include "http/host.h"
#include "http/http.h"
#include "http/request.h"
#include "script/hostnames.h"
#include "script/pattern.h"

enum { HOST_MAX = 256 };

struct patterns {
    ARRAY(struct pattern *) list;
};

struct referers {
    struct hostnames *hosts;           /* → struct str: what the path must begin with; NULL: no host */
    struct patterns urls;              /* matched with what stands behind the scheme */
    struct patterns names;             /* of server names: matched with the host */
    bool none, blocked, server_names;
};

struct referer_conf {
    struct referers valid;
};

/* ---- the directive ---- */

static enum hostnames_added add_host(struct setting *s, struct referers *v, struct str name,
                                     struct str path)
{
    struct str *kept = ARENA_NEW(setting_arena(s), struct str);

    *kept = arena_str(setting_arena(s), path);
    if (!v->hosts) {
        v->hosts = ARENA_NEW(setting_arena(s), struct hostnames);
        hostnames_init(v->hosts, setting_arena(s));
    }
    return hostnames_add(v->hosts, name, true, kept);
}

static bool parse_host(struct setting *s, struct referers *v, unsigned word)
{
    struct str text = setting_arg(s, word), path = STR("");
    ptrdiff_t slash = str_index(text, '/');

    if (slash >= 0) {
        path = str_from(text, (size_t)slash);
        text = str_first(text, (size_t)slash);
    }
    switch (add_host(s, v, text, path)) {
    case HOSTNAMES_ADDED:
        return true;
    case HOSTNAMES_CONFLICT:
        return setting_error(s, word, "conflicting parameter \"%.*s\"", STR_ARG(text));
    case HOSTNAMES_INVALID:
        break;
    }
    return setting_error(s, word, "invalid hostname or wildcard \"%.*s\"", STR_ARG(text));
}

static bool parse_word(struct setting *s, struct referers *v, unsigned word)
{
    struct str text = setting_arg(s, word);

    if (text.len == 0)
        return setting_error(s, word, "invalid referer \"\"");
    if (str_eq(text, STR("none")))
        v->none = true;
    else if (str_eq(text, STR("blocked")))
        v->blocked = true;
    else if (str_eq(text, STR("server_names")))
        v->server_names = true;
    else if (text.data[0] == '~') {
        struct pattern *p = pattern_compile(s, word, str_from(text, 1), true);
        if (p)
            *ARRAY_PUSH(&v->urls.list, setting_arena(s)) = p;
        return p != NULL;
    } else
        return parse_host(s, v, word);
    return true;
}

static bool parse(struct setting *s, void *field)
{
    bool good = true;

    for (unsigned i = 1; i < s->node->count; i++)
        good = parse_word(s, field, i) && good;
    return good;
}

static const struct type type_referers = {
    "none | blocked | server_names | string ...", "names of hosts, perhaps with the start of a path",
    parse, print_nothing,
};

static const struct directive rows[] = {
    { "valid_referers", IN_SERVER | IN_LOCATION, ARGS_RANGE(1, ARGS_ANY), &type_referers,
      FIELD(struct referer_conf, valid), .flags = REPEATS,
      .syntax = "none | blocked | server_names | string ...",
      .help = "Who may refer to this: requests without Referer (none), with one that something "
              "between has blanked (blocked), the server's own names, other hosts, with wildcards and "
              "the start of a path perhaps, or ~regular expressions. All others set "
              "$invalid_referer." },
    { "referer_hash_max_size", IN_SERVER | IN_LOCATION, ARGS(1), &type_accepted,
      .default_text = "2048", .help = "Accepted: tables size themselves." },
    { "referer_hash_bucket_size", IN_SERVER | IN_LOCATION, ARGS(1), &type_accepted,
      .default_text = "64", .help = "Accepted: tables size themselves." },
    { 0 },
};

/* ---- the names of the server, which all are known when its lines end ---- */

static const struct http_server *server_around(const struct setting *s)
{
    const struct block *b = s->block;

    while (b->context != IN_SERVER)
        b = b->parent;
    return CONTAINER(b->object, struct http_server, root);
}

static void add_server_names(struct setting *s, struct referers *v)
{
    const struct http_server *server = server_around(s);

    for (unsigned i = 0; i < server->names.count; i++) {
        const struct server_name *n = &server->names.items[i];
        if (n->pattern)
            *ARRAY_PUSH(&v->names.list, setting_arena(s)) = n->pattern;
        else if (n->name.len)
            add_host(s, v, n->name, STR(""));  /* what is there already, or no name at all, is no loss */
    }
}

/* ---- a request ---- */

static bool any_matches(const struct patterns *p, struct str subject)
{
    for (unsigned i = 0; i < p->list.count; i++) {
        if (regex_match(pattern_regex(p->list.items[i]), subject, NULL, 0) == REGEX_MATCH)
            return true;
    }
    return false;
}

/* `url` is what stands behind the scheme. */
static bool valid_url(const struct referers *v, struct str url)
{
    char space[HOST_MAX];
    size_t len = 0;

    for (; len < url.len && url.data[len] != '/' && url.data[len] != ':'; len++) {
        if (len == HOST_MAX)
            return false;
        space[len] = char_lower(url.data[len]);
    }
    struct str host = { space, len };
    const struct str *path = v->hosts ? hostnames_find(v->hosts, host) : NULL;
    if (path) {
        ptrdiff_t slash = str_index(url, '/');
        return str_starts(slash < 0 ? STR("") : str_from(url, (size_t)slash), *path);
    }
    return any_matches(&v->names, host) || any_matches(&v->urls, url);
}

static bool valid(const struct request *r, const struct referers *v)
{
    struct str referer = headers_value(&r->headers, HEADER_REFERER);

    if (!v->hosts && v->urls.list.count == 0 && v->names.list.count == 0)
        return true;                           /* no list of names: not asked for */
    if (!referer.data)
        return v->none;
    if (referer.len >= sizeof "http://i.ru" - 1) {
        if (str_starts_nocase(referer, STR("http://")))
            return valid_url(v, str_from(referer, sizeof "http://" - 1));
        if (str_starts_nocase(referer, STR("https://")))
            return valid_url(v, str_from(referer, sizeof "https://" - 1));
    }
    return v->blocked;
}

static bool get_invalid(struct script *s, const struct variable *var, struct value *v)
{
    const struct request *r = s->object;
    const struct referer_conf *c = CONF(r->conf, http_referer_module);

    (void)var;
    return value_give(v, valid(r, &c->valid) ? STR("") : STR("1"));
}

static const struct variable variables[] = {
    { .name = STR_INIT("invalid_referer"), .get = get_invalid, .flags = VARIABLE_CHANGEABLE },
    { .name = { NULL, 0 } },
};

static const struct http_module http_module = { .variables = variables };

static bool finish(struct setting *s, void *conf)
{
    struct referer_conf *c = conf;

    if (c->valid.server_names && tree_find(s->block->node->children, STR("valid_referers")))
        add_server_names(s, &c->valid);
    return true;
}

struct module http_referer_module = {
    .name = "ngx_http_referer_module",
    .directives = rows,
    .conf_size = sizeof(struct referer_conf),
    .finish = finish,
    .extra = &http_module,
};

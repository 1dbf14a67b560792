/*
 * http: the blocks http, server and location, the listen and server_name directives, and the engine's
 * part of a worker.
 */
#include "http/http.h"

#include <unistd.h>

#include "config/error_log.h"
#include "config/listen_words.h"
#include "http/client.h"
#include "http/core.h"
#include "http/files.h"
#include "http/host.h"
#include "http/pipeline.h"
#include "http/request.h"
#include "http/modules/log_file.h"
#include "http/modules/password_file.h"
#include "http/v2/v2.h"
#include "http/variables.h"
#include "modules_enabled.h"
#include "script/pattern.h"

const struct protocol http_protocol = { "http", SOCK_STREAM, client_accept, NULL };

static struct http *http_of(const struct setting *s)
{
    return s->config->generation->http;
}

/* ---- locations ---- */

void http_settle(struct location *l, struct block *b)
{
    l->block = b;
    l->conf = b->conf;
    l->internal = core_conf(b->conf)->internal;
    l->steps = phases_enabled(b->conf);
    l->filters = pipeline_enabled(b->conf);
}

static bool location_words(struct setting *s, struct location *l)
{
    struct str first = setting_arg(s, 1);
    static const struct {
        struct str modifier;
        enum location_kind kind;
    } modifiers[] = {
        { STR_INIT("="), LOCATION_EXACT }, { STR_INIT("^~"), LOCATION_PREFIX_FINAL },
        { STR_INIT("~"), LOCATION_REGEX }, { STR_INIT("~*"), LOCATION_REGEX },
    };

    if (s->node->count == 2) {
        l->kind = first.len && first.data[0] == '@' ? LOCATION_NAMED : LOCATION_PREFIX;
        l->name = arena_str(setting_arena(s), first);
        return true;
    }
    for (unsigned i = 0; i < sizeof modifiers / sizeof modifiers[0]; i++) {
        if (str_eq(first, modifiers[i].modifier)) {
            l->kind = modifiers[i].kind;
            l->name = arena_str(setting_arena(s), setting_arg(s, 2));
            return true;
        }
    }
    return setting_error(s, 1, "invalid location modifier \"%.*s\"", STR_ARG(first));
}

static bool check_nesting(struct setting *s, const struct location *l, const struct location *outer)
{
    if (l->kind == LOCATION_NAMED && outer->kind != LOCATION_SERVER)
        return setting_error(s, 1, "named location \"%.*s\" can be on the server level only",
                             STR_ARG(l->name));
    if (outer->kind == LOCATION_SERVER)
        return true;
    if (outer->kind == LOCATION_EXACT || outer->kind == LOCATION_NAMED)
        return setting_error(s, 1, "location \"%.*s\" cannot be inside the %s location \"%.*s\"",
                             STR_ARG(l->name),
                             outer->kind == LOCATION_EXACT ? "exact" : "named",
                             STR_ARG(outer->name));
    if (l->kind != LOCATION_REGEX && outer->kind != LOCATION_REGEX &&
        !str_starts(l->name, outer->name))
        return setting_error(s, 1, "location \"%.*s\" is outside location \"%.*s\"",
                             STR_ARG(l->name), STR_ARG(outer->name));
    return true;
}

/* Whether two locations of one level are the same. */
static bool same(const struct location *a, const struct location *b)
{
    bool exact = a->kind == LOCATION_EXACT || b->kind == LOCATION_EXACT;

    if (a->kind == LOCATION_REGEX || b->kind == LOCATION_REGEX)
        return false;
    return str_eq(a->name, b->name) && (!exact || a->kind == b->kind);
}

static bool is_duplicate(const struct location *l, const struct location *outer)
{
    for (unsigned i = 0; i < outer->nested.count; i++) {
        if (same(l, outer->nested.items[i]))
            return true;
    }
    return false;
}

/* "/x/y" is looked for as <alias>y: a slash that is missing there is mostly a mistake. */
static void advise_of_alias(struct setting *s, const struct location *l)
{
    const struct core_conf *conf = core_conf(l->conf);
    struct setting place = *s;

    place.node = tree_find(s->node->children, STR("alias"));
    if (place.node && l->kind == LOCATION_PREFIX && str_ends(l->name, STR("/")) &&
        template_is_text(&conf->alias) && !str_ends(conf->alias.text, STR("/")))
        setting_advise(&place, 1, "the alias has no \"/\" at its end, but the location's name has: "
                       "\"%.*sx\" is looked for as \"%.*sx\"", STR_ARG(l->name),
                       STR_ARG(conf->alias.text));
}

static bool open_location(struct setting *s)
{
    struct location *outer = s->block->object;
    struct location *l = ARENA_NEW(setting_arena(s), struct location);

    if (!location_words(s, l) || !check_nesting(s, l, outer))
        return false;
    if (is_duplicate(l, outer))
        return setting_error(s, s->node->count - 1, "duplicate location \"%.*s\"", STR_ARG(l->name));
    l->outer = outer;
    *ARRAY_PUSH(&outer->nested, setting_arena(s)) = l;
    if (l->kind == LOCATION_NAMED)
        *ARRAY_PUSH(&outer->named, setting_arena(s)) = l;
    if (l->kind == LOCATION_REGEX &&
        !location_add_pattern(s, outer, l, str_eq(setting_arg(s, 1), STR("~*"))))
        return false;
    struct block *b = config_open(s, IN_LOCATION, l);
    if (!b)
        return false;
    http_settle(l, b);
    advise_of_alias(s, l);
    config_close(s, b);
    return location_build(s, l);
}

/* limit_except method... { }: a location of its own for all other methods. */
static bool open_limit_except(struct setting *s)
{
    struct location *outer = s->block->object;
    struct location *l = ARENA_NEW(setting_arena(s), struct location);

    for (unsigned i = 1; i < s->node->count; i++) {
        enum method method = request_method(setting_arg(s, i));
        if (method == METHOD_OTHER)
            return setting_error(s, i, "invalid method \"%.*s\"", STR_ARG(setting_arg(s, i)));
        outer->methods |= METHOD_BIT(method);
    }
    if (outer->methods & METHOD_BIT(METHOD_GET))
        outer->methods |= METHOD_BIT(METHOD_HEAD);
    struct block *b = config_open(s, IN_LIMIT_EXCEPT, l);
    content_handler *own = l->handler;
    *l = *outer;                               /* all but what its own lines say */
    l->limited = NULL;
    if (own)
        l->handler = own;
    http_settle(l, b);
    config_close(s, b);
    outer->limited = l;
    return true;
}

/* ---- servers ---- */

static struct http_server *server_of(struct location *root)
{
    return (struct http_server *)(void *)((char *)root - offsetof(struct http_server, root));
}

static struct http_listen *listen_of(struct setting *s, struct listen_spec *spec)
{
    struct http_listen *l = spec->object;

    if (!l) {
        l = spec->object = ARENA_NEW(setting_arena(s), struct http_listen);
        l->spec = spec;
        l->place = setting_place(s);
        *ARRAY_PUSH(&http_of(s)->listens, setting_arena(s)) = l;
    }
    return l;
}

static bool add_to_listen(struct setting *s, struct http_server *server, struct http_listen *l,
                          unsigned flags)
{
    if (l->servers.count && l->servers.items[l->servers.count - 1] == server)
        return setting_error(s, 1, "a duplicate listen %.*s", STR_ARG(l->spec->text));
    *ARRAY_PUSH(&l->servers, setting_arena(s)) = server;
    if (flags & LISTEN_DEFAULT) {
        if (l->explicit_default)
            return setting_error(s, 1, "a duplicate default server for %.*s",
                                 STR_ARG(l->spec->text));
        l->explicit_default = true;
        l->default_server = server;
    }
    if (!l->default_server)
        l->default_server = server;
    l->ssl |= (flags & LISTEN_SSL) != 0;
    l->http2 |= (flags & LISTEN_HTTP2) != 0;
    l->proxy_protocol |= (flags & LISTEN_PROXY_PROTOCOL) != 0;
    return true;
}

static bool add_listen(struct setting *s, const struct listen_words *w)
{
    struct http_server *server = server_of(s->block->object);
    bool fresh;

    for (unsigned i = 0; i < w->addresses.count; i++) {
        struct listen_spec *spec =
            listen_words_spec(s, w, &w->addresses.items[i], &http_protocol, &fresh);
        if (!spec || !add_to_listen(s, server, listen_of(s, spec), w->flags))
            return false;
    }
    return true;
}

static bool parse_listen(struct setting *s, void *field)
{
    struct listen_words w;

    (void)field;
    server_of(s->block->object)->listens = true;
    if (!listen_words_parse(s, LISTEN_DEFAULT | LISTEN_PROXY_PROTOCOL IF_MODULE_v2(| LISTEN_HTTP2)
                            IF_MODULE_ssl(| LISTEN_SSL), 80, &w))
        return false;
    if (w.flags & LISTEN_HTTP2)
        setting_warn(s, 0, "the \"listen ... http2\" directive is deprecated, use the \"http2\" "
                           "directive instead");
    return add_listen(s, &w);
}

static const struct type type_listen = {
    "address[:port] [options]", "an address, a port, or both, and options of the socket",
    parse_listen, NULL,
};

/* Without any `listen` a server has port 80, or 8000 if the process is not root's. */
static bool listen_by_default(struct setting *s, struct http_server *server)
{
    struct listen_words w = { .options = listen_options_initial };
    struct address a;
    bool fresh;

    if (server->listens)
        return true;
    address_parse_ip(STR("0.0.0.0"), geteuid() == 0 ? 80 : 8000, &a);
    struct listen_spec *spec = listen_words_spec(s, &w, &a, &http_protocol, &fresh);
    return spec && add_to_listen(s, server, listen_of(s, spec), 0);
}

/* The wildcard of a name stands alone at its front or its end. */
static bool wildcard_is_good(struct str name)
{
    struct str middle = name;

    if (str_starts(name, STR("*.")))
        middle = str_from(name, 2);
    else if (str_ends(name, STR(".*")))
        middle = str_first(name, name.len - 2);
    else if (name.len && name.data[0] == '.')
        middle = str_from(name, 1);
    return str_index(middle, '*') < 0 && (middle.len > 0 || name.len == 0);
}

static bool parse_server_name(struct setting *s, void *field)
{
    struct http_server *server = server_of(s->block->object);

    (void)field;
    for (unsigned i = 1; i < s->node->count; i++) {
        struct server_name *n = ARRAY_PUSH(&server->names, setting_arena(s));
        struct str word = arena_str(setting_arena(s), setting_arg(s, i));
        if (str_starts(word, STR("~"))) {
            n->name = str_from(word, 1);
            n->pattern = pattern_compile(s, i, n->name, false);
            if (!n->pattern)
                return false;
        } else {
            for (size_t c = 0; c < word.len; c++)
                ((char *)(uintptr_t)word.data)[c] = char_lower(word.data[c]);
            if (!wildcard_is_good(word))
                return setting_error(s, i, "invalid server name or wildcard \"%.*s\"",
                                     STR_ARG(word));
            if (str_eq(word, STR("$hostname")))
                word = variables_hostname();
            n->name = word;
        }
        if (server->name.len == 0)
            server->name = str_starts(word, STR(".")) ? str_from(word, 1) : word;
    }
    return true;
}

static const struct type type_server_name = {
    "name ...", "names, wildcards, or ~regular expressions", parse_server_name, NULL,
};

static bool open_server(struct setting *s)
{
    struct http_server *server = ARENA_NEW(setting_arena(s), struct http_server);

    server->root.kind = LOCATION_SERVER;
    server->http = http_of(s);
    server->place = setting_place(s);
    server->name = STR("");
    *ARRAY_PUSH(&server->http->servers, setting_arena(s)) = server;
    struct block *b = config_open(s, IN_SERVER, &server->root);
    if (!b || !listen_by_default(s, server))
        return false;
    http_settle(&server->root, b);
    config_close(s, b);
    return location_build(s, &server->root);
}

/* ---- the block http ---- */

static void add_variables(struct variables *names)
{
    variables_add_http(names);
    for (unsigned i = 0; i < modules_count(); i++) {
        const struct module *m = modules_at(i);
        const struct http_module *extra = m->extra;
        if ((m->contexts & (IN_HTTP | IN_SERVER | IN_LOCATION)) && extra && extra->variables)
            variables_add_all(names, extra->variables);
    }
}

/* What modules have to do once all servers are known. */
static bool settle_modules(struct setting *s, struct http *h)
{
    for (unsigned i = 0; i < modules_count() && s->config->diag->errors == 0; i++) {
        const struct module *m = modules_at(i);
        const struct http_module *extra = m->extra;
        if ((m->contexts & (IN_HTTP | IN_SERVER | IN_LOCATION)) && extra && extra->settle &&
            !extra->settle(s, h))
            return false;
    }
    return true;
}

static bool open_http(struct setting *s)
{
    struct generation *g = s->config->generation;
    struct http *h = ARENA_NEW(&g->arena, struct http);

    g->http = h;
    h->conf_prefix = s->config->conf_prefix;
    h->variables = variables_new(&g->arena);
    add_variables(h->variables);
    config_set_variables(s->block, h->variables);
    h->block = config_block(s, IN_HTTP, NULL);
    if (!config_end_variables(s) || !h->block)
        return false;
    for (unsigned i = 0; i < h->listens.count; i++) {
        if (!host_build(s, h->listens.items[i]))
            return false;
    }
    return settle_modules(s, h);
}

static const struct directive rows[] = {
    { "http", IN_MAIN, ARGS(0), NULL, .open = open_http, .syntax = "{ ... }",
      .help = "The HTTP servers." },
    { "server", IN_HTTP, ARGS(0), NULL, .open = open_server, .syntax = "{ ... }",
      .help = "A server: what answers for some names on some addresses.", .flags = REPEATS },
    { "location", IN_SERVER | IN_LOCATION, ARGS_RANGE(1, 2), NULL, .open = open_location,
      .syntax = "[ = | ~ | ~* | ^~ ] uri { ... } | @name { ... }", .flags = REPEATS,
      .help = "What paths that begin with (=: are, ~: match) this are served by." },
    { "limit_except", IN_LOCATION, ARGS_RANGE(1, ARGS_ANY), NULL, .open = open_limit_except,
      .syntax = "method ... { ... }",
      .help = "Directives for all methods but these; GET stands for HEAD, too." },
    { "listen", IN_SERVER, ARGS_RANGE(1, ARGS_ANY), &type_listen, .flags = REPEATS,
      .syntax = "address[:port] | port | unix:path [default_server] [ssl] [proxy_protocol] "
                "[setfib=number] [fastopen=number] [backlog=number] [rcvbuf=size] [sndbuf=size] "
                "[accept_filter=filter] [deferred] [bind] [ipv6only=on|off] [reuseport] "
                "[multipath] [so_keepalive=on|off|[keepidle]:[keepintvl]:[keepcnt]]",
      .help = "An address that the server is reached at.", .default_text = "*:80 | *:8000" },
    { "server_name", IN_SERVER, ARGS_RANGE(1, ARGS_ANY), &type_server_name, .flags = REPEATS,
      .syntax = "name ...", .help = "Names that the server answers for.", .default_text = "\"\"" },
    { 0 },
};

struct module http_block_module = { .name = "ngx_http_core_module", .directives = rows };

/* ---- a worker's life ---- */

void http_worker_fini(void)
{
    files_worker_fini();
    log_cache_close_all();
    password_file_forget_all();
    IF_MODULE_v2(v2_worker_fini();)
}

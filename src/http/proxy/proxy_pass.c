/*
 * proxy_pass: see proxy_pass.h.
 */
#include "http/proxy/proxy_pass.h"

#include "http/escape.h"
#include "http/location.h"
#include "modules_enabled.h"
#include "http/proxy/proxied.h"
#include "http/proxy/proxy_conf.h"
#include "config/listen_words.h"

enum { HTTP_PORT = 80, HTTPS_PORT = 443 };

enum { HAS_TLS = 0 IF_MODULE_ssl(+1) };

/* What a URL says, before anything is looked up. */
struct url {
    struct str host;                   /* "name", "[::1]", "unix:/path" */
    unsigned port;                     /* 0: not said */
    struct str authority;              /* as written: "name:8080" */
    struct str uri;
    unsigned default_port;
    bool secure;
};

static const char bad_port[] = "invalid port in upstream", no_host[] = "no host in upstream";

/* Behind "unix:": a path up to a colon, and the URI behind that. */
static const char *split_unix(struct str rest, struct url *u)
{
    ptrdiff_t colon = str_index(str_from(rest, 5), ':');

    u->host = colon < 0 ? rest : str_first(rest, (size_t)colon + 5);
    u->uri = colon < 0 ? STR("") : str_from(rest, (size_t)colon + 6);
    u->authority = STR("localhost");
    return u->host.len > 5 ? NULL : no_host;
}

/* What stands behind "http://".  NULL, or what is wrong. */
static const char *split(struct str rest, struct url *u)
{
    size_t end = 0;

    u->port = 0;
    if (str_starts(rest, STR("unix:")))
        return split_unix(rest, u);
    while (end < rest.len && rest.data[end] != '/' && rest.data[end] != '?')
        end++;
    u->authority = u->host = str_first(rest, end);
    u->uri = str_from(rest, end);
    ptrdiff_t colon = str_rindex(u->host, ':'), bracket = str_rindex(u->host, ']');
    if (colon > bracket) {
        if (!str_to_uint(str_from(u->host, (size_t)colon + 1), 65535, &u->port) || u->port == 0)
            return bad_port;
        u->host = str_first(u->host, (size_t)colon);
    }
    return u->host.len ? NULL : no_host;
}

/* Takes "http://" or "https://" off. */
static bool strip_scheme(struct str url, struct str *rest, struct url *u)
{
    const struct str clear = STR("http://"), secure = STR("https://");

    u->secure = str_starts_nocase(url, secure);
    u->default_port = u->secure ? HTTPS_PORT : HTTP_PORT;
    if (!u->secure && !str_starts_nocase(url, clear))
        return false;
    *rest = str_from(url, u->secure ? secure.len : clear.len);
    return true;
}

/* $proxy_host and $proxy_port; the port is told where it is not the usual one. */
static void fill_names(struct arena *a, const struct url *u, struct proxy_target *t)
{
    bool is_unix = str_starts(u->host, STR("unix:"));

    t->secure = u->secure;
    t->host = u->port == u->default_port ? u->host : u->authority;
    t->host = arena_str(a, t->host);
    t->uri = arena_str(a, u->uri);
    t->port = is_unix ? STR("") : u->port ? arena_printf(a, "%u", u->port)
              : u->secure ? STR("443") : STR("80");
}

/* ---- the directive ---- */

/* Places whose name is not part of the path, or not all of it. */
static const char *place_without_uri(const struct setting *s, const struct location *l)
{
    if (s->block->context == IN_LOCATION_IF || s->block->context == IN_LIMIT_EXCEPT ||
        l->kind == LOCATION_REGEX || l->kind == LOCATION_NAMED)
        return "\"proxy_pass\" cannot have URI part in location given by regular expression, or "
               "inside named location, or inside \"if\" statement, or inside \"limit_except\" "
               "block";
    return NULL;
}

static bool parse_text(struct setting *s, struct proxy_pass *p, struct location *l)
{
    struct str rest;
    struct url u;

    if (!strip_scheme(setting_arg(s, 1), &rest, &u))
        return setting_error(s, 1, "invalid URL prefix in \"%.*s\"", STR_ARG(setting_arg(s, 1)));
    if (u.secure && !HAS_TLS)
        return setting_error_hint(s, 1, STR("build with OpenSSL: configure --with-openssl=yes"),
                                  "https protocol requires SSL support");
    const char *problem = split(rest, &u);
    if (!problem && u.uri.len)
        problem = place_without_uri(s, l);
    if (problem)
        return setting_error(s, 1, "%s", problem);
    p->target.upstream = upstream_use(s, 1, u.host, u.port, u.default_port);
    fill_names(setting_arena(s), &u, &p->target);
    return p->target.upstream != NULL;
}

static bool parse_pass(struct setting *s, void *field)
{
    struct arena *a = setting_arena(s);
    struct location *l = s->block->object;
    struct proxy_pass *p = ARENA_NEW(a, struct proxy_pass);
    struct str place = setting_place(s);

    if (l->handler)
        return setting_error(s, 0, "is duplicate");
    *(struct proxy_pass **)field = p;
    if (!template_compile(s, 1, config_variables(s), &p->url))
        return false;
    p->upstreams = upstream_all(s);
    p->location = l;
    p->key = (str_hash(place) ^ s->node->words[0].column * UINT32_C(0x9e3779b1)) | 1;
    l->handler = proxied_handler;
    l->auto_redirect = l->name.len && l->name.data[l->name.len - 1] == '/';
    return !template_is_text(&p->url) || parse_text(s, p, l);
}

static void print_pass(const struct directive *row, const void *field, struct out *o)
{
    const struct proxy_pass *p = *(struct proxy_pass *const *)field;

    (void)row;
    if (p)
        out_str(o, p->url.text);
}

const struct type type_proxy_pass = { "URL", "an URL", parse_pass, print_pass };

bool proxy_pass_may_be_secure(const struct proxy_pass *pass)
{
    return template_is_text(&pass->url) ? pass->target.secure
                                        : !str_starts_nocase(pass->url.text, STR("http://"));
}

/* ---- at run time ---- */

/* A host that no line of the configuration names. */
static struct upstream *new_host(struct request *r, const struct url *u)
{
    unsigned port = u->port ? u->port : u->default_port;
    struct upstream *group = upstream_literal(&r->arena, u->host, port);

    return group ? group : upstream_by_name(&r->arena, u->host, port);
}

bool proxy_pass_target(struct request *r, const struct proxy_pass *pass, struct proxy_target *t)
{
    struct str url, rest;
    struct url u;

    if (template_is_text(&pass->url)) {
        *t = pass->target;
        return true;
    }
    *t = (struct proxy_target){ 0 };
    url = template_value(&pass->url, request_script(r));
    if (!strip_scheme(url, &rest, &u) || (u.secure && !HAS_TLS)) {
        request_log(r, LOG_LEVEL_ERROR, 0, "invalid URL prefix in \"%.*s\"", STR_ARG(url));
        return false;
    }
    const char *problem = template_safe(url) ? split(rest, &u)
                                             : "line break in the URL of upstream";
    if (problem) {
        request_log(r, LOG_LEVEL_ERROR, 0, "%s \"%.*s\"", problem, STR_ARG(url));
        return false;
    }
    fill_names(&r->arena, &u, t);
    t->upstream = upstream_find(pass->upstreams, u.host, u.port, u.default_port);
    if (!t->upstream)
        t->upstream = new_host(r, &u);
    return true;
}

/* The path, with what may not stand in a request line encoded, where it may differ from what was
 * sent. */
static void put_path(struct request *r, struct str path, struct out *o)
{
    escape_path(o, path);
    if (r->args.len) {
        out_char(o, '?');
        out_str(o, r->args);
    }
}

/* A target of absolute-form may have had no path: RFC 9112 sections 3.2.1 and 3.2.4. */
static void put_as_sent(const struct request *r, struct out *o)
{
    if (r->flags.empty_path && r->method == METHOD_OPTIONS) {
        out_char(o, '*');
        return;
    }
    if (str_starts(r->unparsed_uri, STR("?")))
        out_char(o, '/');
    out_str(o, r->unparsed_uri);
}

void proxy_pass_put_uri(struct request *r, const struct proxy_pass *pass,
                        const struct proxy_target *t, struct out *o)
{
    bool replaces = !r->flags.path_settled;    /* not after "rewrite ... break" */
    bool as_sent = !r->flags.rewritten && !r->flags.internal && (r == r->main || r->flags.part);
    size_t skip = 0;

    if (t->uri.len == 0 && as_sent) {
        put_as_sent(r, o);
        return;
    }
    if (!template_is_text(&pass->url) && t->uri.len) {
        if (t->uri.data[0] == '?')
            out_char(o, '/');
        out_str(o, t->uri);
        return;
    }
    if (t->uri.len && replaces) {
        if (t->uri.data[0] == '?')
            out_char(o, '/');
        out_str(o, t->uri);
        skip = pass->location->name.len < r->uri.len ? pass->location->name.len : r->uri.len;
    }
    put_path(r, str_from(r->uri, skip), o);
}

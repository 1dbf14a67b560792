/*
 * host: see host.h.
 */
#include "http/host.h"

#include "http/http.h"
#include "http/request.h"
#include "script/pattern.h"
#include "script/table.h"

struct host_table {
    struct table exact;
    struct table suffixes;             /* of "*.example.com" and ".example.com": ".example.com" */
    struct table prefixes;             /* of "mail.*": "mail." */
    bool wildcards;
    ARRAY(struct pattern_host) patterns;       /* in the order of the file */
};

struct pattern_host {
    const struct pattern *pattern;
    struct http_server *server;
};

/* unreserved and sub-delims of RFC 3986 section 2. */
static bool is_name_char(char c)
{
    char lower = char_lower(c);

    return (lower >= 'a' && lower <= 'z') || char_is_digit(c) ||
           (c && strchr("-._~!$&'()*+,;=", c) != NULL);
}

/* Percent signs are left as they are: nobody bears such a name. */
static bool is_reg_name(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        bool dots = s.data[i] == '.' && i > 0 && s.data[i - 1] == '.';
        bool encoded = s.data[i] == '%' && s.len - i > 2 && char_hex(s.data[i + 1]) >= 0 &&
                       char_hex(s.data[i + 2]) >= 0;
        if (dots || !(is_name_char(s.data[i]) || encoded))
            return false;
    }
    return s.len > 0;
}

/* What stands in brackets: an IPv6 address, or "v1.something" of times to come. */
static bool is_ip_literal(struct str s)
{
    struct address a;
    size_t i = 1;

    if (s.len == 0 || char_lower(s.data[0]) != 'v')
        return str_index(s, ':') >= 0 && address_parse_ip(s, 0, &a);
    while (i < s.len && char_hex(s.data[i]) >= 0)
        i++;
    if (i == 1 || s.len - i < 2 || s.data[i] != '.')
        return false;
    while (++i < s.len) {
        if (!is_name_char(s.data[i]) && s.data[i] != ':')
            return false;
    }
    return true;
}

/* false: memory is short. */
static bool to_lower_case(struct arena *a, struct str *s)
{
    char *lower = NULL;

    for (size_t i = 0; i < s->len; i++) {
        if (s->data[i] == char_lower(s->data[i]))
            continue;
        if (!lower) {
            lower = arena_try_alloc(a, s->len);
            if (!lower)
                return false;
            s->data = memcpy(lower, s->data, s->len);
        }
        lower[i] = char_lower(lower[i]);
    }
    return true;
}

bool host_parse(struct arena *a, struct str value, struct str *host, unsigned *port)
{
    bool literal = str_starts(value, STR("["));
    ptrdiff_t end = literal ? str_index(value, ']') + 1 : str_index(value, ':');

    *port = 0;
    if (literal && end == 0)
        return false;
    struct str name = end < 0 ? value : str_first(value, (size_t)end);
    struct str rest = str_from(value, name.len);
    if (rest.len && (rest.data[0] != ':' ||
                     (rest.len > 1 && !str_to_uint(str_from(rest, 1), 65535, port))))
        return false;
    if (literal ? !is_ip_literal(str_first(str_from(name, 1), name.len - 2)) : !is_reg_name(name))
        return false;
    if (name.data[name.len - 1] == '.' && --name.len == 0)     /* the root's dot, RFC 1034 */
        return false;
    *host = name;
    return to_lower_case(a, host);
}

static struct http_server *find_wildcard(const struct host_table *t, struct str host)
{
    for (size_t i = 0; i < host.len; i++) {    /* the longest suffix comes first */
        struct str suffix = str_from(host, i);
        struct table_entry *e =
            host.data[i] == '.' ? table_find(&t->suffixes, str_hash(suffix), suffix) : NULL;
        if (e && i > 0)
            return e->value;
    }
    for (size_t i = host.len; i-- > 1;) {      /* the longest prefix */
        struct str prefix = str_first(host, i + 1);
        struct table_entry *e = host.data[i] == '.' && i + 1 < host.len
                                    ? table_find(&t->prefixes, str_hash(prefix), prefix)
                                    : NULL;
        if (e)
            return e->value;
    }
    return NULL;
}

static struct http_server *find_text(const struct host_table *t, struct str host)
{
    struct table_entry *e = table_find(&t->exact, str_hash(host), host);

    if (e)
        return e->value;
    return t->wildcards ? find_wildcard(t, host) : NULL;
}

static struct http_server *find_pattern(const struct host_table *t, struct str host,
                                        struct script *s)
{
    for (unsigned i = 0; i < t->patterns.count; i++) {
        const struct pattern_host *p = &t->patterns.items[i];
        if (pattern_match(p->pattern, s, host) == PATTERN_MATCH)
            return p->server;
    }
    return NULL;
}

static struct http_server *find_server(const struct http_listen *l, struct request *r)
{
    const struct host_table *t = l->hosts;
    struct http_server *server = find_text(t, r->host);

    if (server || t->patterns.count == 0)
        return server;
    return find_pattern(t, r->host, request_script(r));
}

struct http_server *host_find_named(const struct http_listen *l, struct str name,
                                    struct arena *scratch)
{
    const struct host_table *t = l->hosts;
    struct http_server *server = t ? find_text(t, name) : NULL;

    if (!server && t && t->patterns.count) {
        struct script s = { .arena = scratch, .names = l->default_server->http->variables };
        s.values = ARENA_NEW_ARRAY(scratch, struct value, variables_count(s.names) + 1);
        server = find_pattern(t, name, &s);
    }
    return server ? server : l->default_server;
}

void host_choose_server(struct request *r, const struct http_listen *l)
{
    struct http_server *server = l->hosts && r->host.data ? find_server(l, r) : NULL;

    r->server = server ? server : l->default_server;
}

/* One name into its table; the first server that bears it keeps it. */
static void add_name(struct setting *s, struct table *t, struct str key, struct str shown,
                     const struct http_listen *l, struct http_server *server)
{
    uint32_t hash = str_hash(key);
    struct table_entry *e = table_find(t, hash, key);

    if (!e)
        table_add(t, hash, key, server);
    else if (e->value != server)
        setting_warn(s, 0, "conflicting server name \"%.*s\" on %.*s, ignored (%.*s has it first)",
                     STR_ARG(shown), STR_ARG(l->spec->text),
                     STR_ARG(((struct http_server *)e->value)->place));
}

static void add_server_name(struct setting *s, struct http_listen *l, struct http_server *server,
                            const struct server_name *n)
{
    struct host_table *t = l->hosts;

    if (n->pattern) {
        *ARRAY_PUSH(&t->patterns, setting_arena(s)) = (struct pattern_host){ n->pattern, server };
    } else if (str_starts(n->name, STR("*."))) {
        t->wildcards = true;
        add_name(s, &t->suffixes, str_from(n->name, 1), n->name, l, server);
    } else if (n->name.len > 1 && n->name.data[0] == '.') {
        t->wildcards = true;
        add_name(s, &t->exact, str_from(n->name, 1), n->name, l, server);
        add_name(s, &t->suffixes, n->name, n->name, l, server);
    } else if (str_ends(n->name, STR(".*"))) {
        t->wildcards = true;
        add_name(s, &t->prefixes, str_first(n->name, n->name.len - 1), n->name, l, server);
    } else
        add_name(s, &t->exact, n->name, n->name, l, server);
}

static bool has_pattern(const struct http_server *server)
{
    for (unsigned i = 0; i < server->names.count; i++) {
        if (server->names.items[i].pattern)
            return true;
    }
    return false;
}

/* Whether a server is made to answer for any name. */
static bool takes_all(const struct http_server *server)
{
    return server->name.len == 0 || str_eq(server->name, STR("_"));
}

static void advise_of_default(struct setting *s, const struct http_listen *l)
{
    const struct http_server *server = l->default_server;
    struct setting place = *s;

    place.node = server->root.block->node;
    if (l->servers.count > 1 && !l->explicit_default && !takes_all(server))
        setting_advise(&place, 0, "on %.*s this server answers for all names that no server has, "
                       "because it is the first and no \"listen\" says default_server",
                       STR_ARG(l->spec->text));
}

bool host_build(struct setting *s, struct http_listen *l)
{
    advise_of_default(s, l);
    if (l->servers.count < 2 && !has_pattern(l->servers.items[0]))
        return true;                           /* the default server serves all */
    l->hosts = ARENA_NEW(setting_arena(s), struct host_table);
    table_init(&l->hosts->exact, setting_arena(s), false);
    table_init(&l->hosts->suffixes, setting_arena(s), false);
    table_init(&l->hosts->prefixes, setting_arena(s), false);
    for (unsigned i = 0; i < l->servers.count; i++) {
        struct http_server *server = l->servers.items[i];
        for (unsigned n = 0; n < server->names.count; n++)
            add_server_name(s, l, server, &server->names.items[n]);
    }
    return true;
}

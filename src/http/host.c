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

static bool host_char(char c)
{
    unsigned char u = (unsigned char)c;

    return u > ' ' && u != 127 && c != '/' && c != '?' && c != '#' && c != '@' && c != '\\' &&
           c != '"' && c != '<' && c != '>';
}

/* Where the host ends and the port begins: at a colon, or behind the brackets of an IPv6 address. */
static ptrdiff_t host_end(struct str s)
{
    if (s.len && s.data[0] == '[') {
        ptrdiff_t close = str_index(s, ']');
        if (close < 2)
            return -1;
        for (ptrdiff_t i = 1; i < close; i++) {
            char c = s.data[i];
            if (char_hex(c) < 0 && c != ':' && c != '.' && c != '%')
                return -1;
        }
        if ((size_t)close + 1 < s.len && s.data[close + 1] != ':')
            return -1;
        return close + 1;
    }
    ptrdiff_t colon = str_index(s, ':');
    return colon < 0 ? (ptrdiff_t)s.len : colon;
}

bool host_parse(struct arena *a, struct str value, struct str *host, unsigned *port)
{
    ptrdiff_t end = host_end(value);
    bool upper = false;

    *port = 0;
    if (end < 0)
        return false;
    if ((size_t)end < value.len) {
        struct str digits = str_from(value, (size_t)end + 1);
        if (digits.len && !str_to_uint(digits, 65535, port))
            return false;
    }
    struct str name = str_first(value, (size_t)end);
    if (name.len && name.data[name.len - 1] == '.')
        name.len--;                            /* the root's dot, RFC 1034 section 3.1 */
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (!host_char(c) || (c == '.' && i > 0 && name.data[i - 1] == '.'))
            return false;
        upper = upper || (c >= 'A' && c <= 'Z');
    }
    if (name.len == 0)
        return false;
    if (upper) {
        char *lower = arena_try_alloc(a, name.len);
        if (!lower)
            return false;
        for (size_t i = 0; i < name.len; i++)
            lower[i] = char_lower(name.data[i]);
        name.data = lower;
    }
    *host = name;
    return true;
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

static struct http_server *find_server(const struct http_listen *l, struct request *r)
{
    const struct host_table *t = l->hosts;
    struct table_entry *e = table_find(&t->exact, str_hash(r->host), r->host);

    if (e)
        return e->value;
    struct http_server *server = t->wildcards ? find_wildcard(t, r->host) : NULL;
    for (unsigned i = 0; !server && i < t->patterns.count; i++) {
        const struct pattern_host *p = &t->patterns.items[i];
        if (pattern_match(p->pattern, request_script(r), r->host) == PATTERN_MATCH)
            server = p->server;
    }
    return server;
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

bool host_build(struct setting *s, struct http_listen *l)
{
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

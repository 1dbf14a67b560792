/*
 * listen_words: see listen_words.h.
 */
#include "config/listen_words.h"

#include <netdb.h>

#include "config/types.h"

struct str setting_place(const struct setting *s)
{
    const struct tree_file *f = &s->config->tree->files.items[s->node->file];

    return arena_printf(setting_arena(s), "%.*s:%u", STR_ARG(f->path),
                        s->node->words ? s->node->words[0].line : 0);
}

/* ---- the address ---- */

/* "80" or "8000-8010".  false: not a port. */
static bool parse_ports(struct str s, unsigned *first, unsigned *last)
{
    ptrdiff_t dash = str_index(s, '-');

    if (dash < 0)
        return str_to_uint(s, 65535, first) && *first > 0 && (*last = *first, true);
    return str_to_uint(str_first(s, (size_t)dash), 65535, first) && *first > 0 &&
           str_to_uint(str_from(s, (size_t)dash + 1), 65535, last) && *last >= *first;
}

static void add_address(struct setting *s, struct listen_words *w, const struct address *a)
{
    *ARRAY_PUSH(&w->addresses, &s->config->scratch) = *a;
}

/* A name has all its addresses. */
static bool add_name(struct setting *s, struct listen_words *w, struct str host, unsigned port)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
    struct str name = arena_str(&s->config->scratch, host);

    int error = getaddrinfo(name.data, NULL, &hints, &found);
    if (error)
        return setting_error(s, 1, "host not found in \"%.*s\" of the \"listen\" directive: %s",
                             STR_ARG(setting_arg(s, 1)), gai_strerror(error));
    for (struct addrinfo *i = found; i; i = i->ai_next) {
        struct address a = { .len = i->ai_addrlen };
        if (i->ai_addrlen > sizeof(struct sockaddr_in6))
            continue;
        memcpy(&a.any, i->ai_addr, i->ai_addrlen);
        address_set_port(&a, port);
        add_address(s, w, &a);
    }
    freeaddrinfo(found);
    return true;
}

/* Where the host of "host:port" ends; -1 if there is no port. */
static ptrdiff_t port_colon(struct str s)
{
    ptrdiff_t bracket = str_rindex(s, ']'), colon = str_rindex(s, ':');

    return colon > bracket ? colon : -1;
}

static bool add_host(struct setting *s, struct listen_words *w, struct str host, unsigned port)
{
    struct address a;

    if (str_eq(host, STR("*")))
        host = STR("0.0.0.0");
    if (!address_parse_ip(host, port, &a))
        return add_name(s, w, host, port);
    add_address(s, w, &a);
    return true;
}

static bool parse_address(struct setting *s, struct listen_words *w, unsigned default_port)
{
    struct str text = setting_arg(s, 1), host = STR("*");
    unsigned first = default_port, last = default_port;
    struct address a;

    if (str_starts(text, STR("unix:"))) {
        if (!address_parse_unix(text, &a))
            return setting_error(s, 1, "invalid unix socket path in \"%.*s\" of the \"listen\" "
                                 "directive: it is empty or too long", STR_ARG(text));
        add_address(s, w, &a);
        return true;
    }
    if (!parse_ports(text, &first, &last)) {
        ptrdiff_t colon = port_colon(text);
        host = colon < 0 ? text : str_first(text, (size_t)colon);
        if (colon >= 0 && !parse_ports(str_from(text, (size_t)colon + 1), &first, &last))
            return setting_error(s, 1, "invalid port in \"%.*s\" of the \"listen\" directive",
                                 STR_ARG(text));
        if (colon < 0 && default_port == 0)
            return setting_error(s, 1, "no port in \"%.*s\" of the \"listen\" directive",
                                 STR_ARG(text));
    }
    for (unsigned port = first; port <= last; port++) {
        if (!add_host(s, w, host, port))
            return false;
    }
    return true;
}

/* ---- the options ---- */

static const struct name_value flags[] = {
    { "default_server", LISTEN_DEFAULT }, { "default", LISTEN_DEFAULT }, { "ssl", LISTEN_SSL },
    { "http2", LISTEN_HTTP2 }, { "quic", LISTEN_QUIC },
    { "proxy_protocol", LISTEN_PROXY_PROTOCOL }, { "udp", LISTEN_UDP }, { NULL, 0 },
};

/* so_keepalive=on|off|[idle]:[interval]:[count] */
static bool parse_keepalive(struct str value, struct listen_options *o)
{
    int *const fields[] = { &o->keepidle, &o->keepintvl, &o->keepcnt };
    bool on;

    if (parse_flag(value, &on)) {
        o->keepalive = on ? YES : NO;
        return true;
    }
    o->keepalive = YES;
    for (unsigned i = 0; i < 3; i++) {
        struct str part = str_split(&value, ':');
        time_t seconds;
        unsigned count;
        if (!part.data)
            return false;
        if (part.len == 0)
            continue;
        if (i == 2 ? !str_to_uint(part, 127, &count) : !parse_seconds(part, &seconds))
            return false;
        *fields[i] = i == 2 ? (int)count : (int)seconds;
        if (*fields[i] == 0)
            return false;
    }
    return !value.data && (o->keepidle || o->keepintvl || o->keepcnt);
}

static bool parse_count(struct str value, int *field)
{
    unsigned n;

    if (!str_to_uint(value, 1 << 30, &n))
        return false;
    *field = (int)n;
    return true;
}

static bool parse_bytes(struct str value, int *field)
{
    size_t n;

    if (!parse_size(value, &n) || n > 1 << 30)
        return false;
    *field = (int)n;
    return true;
}

static bool parse_ipv6only(struct str value, struct listen_options *o)
{
    bool on;

    if (!parse_flag(value, &on))
        return false;
    o->ipv6only = on ? YES : NO;
    return true;
}

/* name=value of an option; false with *known: its value is bad. */
static bool parse_valued(struct setting *s, struct str word, struct listen_options *o, bool *known)
{
    struct str value = word, name = str_split(&value, '=');

    *known = true;
    if (value.data == NULL)
        return *known = false;
    if (str_eq(name, STR("backlog")))
        return parse_count(value, &o->backlog) && o->backlog > 0;
    if (str_eq(name, STR("rcvbuf")))
        return parse_bytes(value, &o->rcvbuf);
    if (str_eq(name, STR("sndbuf")))
        return parse_bytes(value, &o->sndbuf);
    if (str_eq(name, STR("fastopen")))
        return parse_count(value, &o->fastopen);
    if (str_eq(name, STR("setfib")))
        return parse_count(value, &o->setfib);
    if (str_eq(name, STR("so_keepalive")))
        return parse_keepalive(value, o);
    if (str_eq(name, STR("ipv6only")))
        return parse_ipv6only(value, o);
    if (str_eq(name, STR("accept_filter"))) {
        o->accept_filter = arena_str(setting_arena(s), value);
        return value.len > 0;
    }
    return *known = false;
}

static bool *switch_of(struct str word, struct listen_options *o)
{
    if (str_eq(word, STR("deferred")))
        return &o->deferred;
    if (str_eq(word, STR("reuseport")))
        return &o->reuseport;
    if (str_eq(word, STR("multipath")))
        return &o->multipath;
    return str_eq(word, STR("bind")) ? &o->bind : NULL;
}

static bool parse_option(struct setting *s, unsigned i, unsigned allowed, struct listen_words *w)
{
    struct str word = setting_arg(s, i);
    bool *on = switch_of(word, &w->options), known;
    unsigned flag;

    if (parse_enum(word, flags, &flag) && (flag & allowed)) {
        w->flags |= flag;
        return true;
    }
    w->options_set = true;
    if (on)
        return *on = true;
    if (parse_valued(s, word, &w->options, &known))
        return true;
    if (known)
        return setting_error(s, i, "invalid value of the \"listen\" parameter \"%.*s\"",
                             STR_ARG(word));
    return setting_error(s, i, "invalid parameter \"%.*s\"", STR_ARG(word));
}

static bool check_words(struct setting *s, const struct listen_words *w)
{
    bool only_unix = w->addresses.items[0].any.sa_family == AF_UNIX;

    if (only_unix && w->options.ipv6only != UNSPECIFIED)
        return setting_error(s, 0, "ipv6only is not supported on addr \"%.*s\"",
                             STR_ARG(setting_arg(s, 1)));
    if ((w->flags & LISTEN_UDP) && (w->flags & LISTEN_SSL))
        return setting_error(s, 0, "\"ssl\" parameter is incompatible with \"udp\"");
    if ((w->flags & LISTEN_QUIC) && (w->flags & (LISTEN_SSL | LISTEN_HTTP2 | LISTEN_PROXY_PROTOCOL)))
        return setting_error(s, 0, "\"quic\" is incompatible with \"ssl\", \"http2\" and "
                             "\"proxy_protocol\"");
    return true;
}

bool listen_words_parse(struct setting *s, unsigned allowed, unsigned default_port,
                        struct listen_words *w)
{
    *w = (struct listen_words){ .options = listen_options_initial };
    if (!parse_address(s, w, default_port))
        return false;
    for (unsigned i = 2; i < s->node->count; i++) {
        if (!parse_option(s, i, allowed, w))
            return false;
    }
    return check_words(s, w);
}

/* ---- the spec ---- */

static struct listen_spec *find_spec(struct generation *g, const struct address *a, int type)
{
    for (unsigned i = 0; i < g->listens.count; i++) {
        struct listen_spec *spec = g->listens.items[i];
        if (spec->protocol->type == type && address_eq(&spec->address, a))
            return spec;
    }
    return NULL;
}

struct listen_spec *listen_words_spec(struct setting *s, const struct listen_words *w,
                                      const struct address *a, const struct protocol *protocol,
                                      bool *fresh)
{
    struct generation *g = s->config->generation;
    struct listen_spec *spec = find_spec(g, a, protocol->type);

    *fresh = !spec;
    if (!spec) {
        struct out o = out_growing(&g->arena, 256);
        spec = ARENA_NEW(&g->arena, struct listen_spec);
        address_put(&o, a);
        *spec = (struct listen_spec){ .address = *a, .text = out_str_of(&o), .protocol = protocol,
                                      .options = w->options, .generation = g };
        *ARRAY_PUSH(&g->listens, &g->arena) = spec;
    }
    if (w->options_set) {
        if (spec->place.len) {
            setting_error(s, 1, "duplicate listen options for %.*s (they stand in %.*s, too)",
                          STR_ARG(spec->text), STR_ARG(spec->place));
            return NULL;
        }
        spec->options = w->options;
        spec->place = setting_place(s);
    }
    return spec;
}

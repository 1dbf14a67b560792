/*
 * listen_words: see listen_words.h.
 */
#include "config/listen_words.h"

#include "config/names.h"
#include "config/types.h"

struct str setting_place(const struct setting *s)
{
    const struct tree *t = s->config->tree;

    if (s->node->file >= t->files.count || s->node->count == 0)
        return STR("");
    return arena_printf(setting_arena(s), "%.*s:%u", STR_ARG(t->files.items[s->node->file].path),
                        s->node->words[0].line);
}

/* ---- the address ---- */

struct place {
    struct str host;                   /* empty: not written */
    unsigned first, last;              /* ports; 0: not written */
};

/* "80" or "8000-8010".  false: not a port. */
static bool parse_ports(struct str s, struct place *p)
{
    struct str last = s, first = str_split(&last, '-');

    if (!str_to_uint(first, 65535, &p->first) || p->first == 0)
        return false;
    p->last = p->first;
    return !last.data || (str_to_uint(last, 65535, &p->last) && p->last >= p->first);
}

static bool bad_address(struct setting *s, const char *problem, struct str hint)
{
    return setting_error_hint(s, 1, hint, "%s in \"%.*s\" of the \"listen\" directive", problem,
                              STR_ARG(setting_arg(s, 1)));
}

/* Digits and dashes: meant as ports, though getaddrinfo() would make an address of a number,
 * too. */
static bool looks_like_ports(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!char_is_digit(s.data[i]) && s.data[i] != '-')
            return false;
    }
    return s.len > 0;
}

static bool bad_port(struct setting *s)
{
    return bad_address(s, "invalid port", STR("a port is a number from 1 to 65535"));
}

/* Ports alone, a host alone, or both with a colon between; IPv6 stands in brackets. */
static bool split_place(struct setting *s, struct place *p)
{
    struct str text = setting_arg(s, 1);
    ptrdiff_t bracket = str_rindex(text, ']'), colon = str_rindex(text, ':');

    *p = (struct place){ 0 };
    if (looks_like_ports(text))
        return parse_ports(text, p) || bad_port(s);
    *p = (struct place){ .host = text };
    if (colon > bracket) {
        p->host = str_first(text, (size_t)colon);
        if (p->host.len == 0)
            return bad_address(s, "no host", STR("all addresses are *"));
        if (str_index(p->host, ':') >= 0 && p->host.data[0] != '[')
            return bad_address(s, "invalid address",
                               STR("IPv6 addresses stand in brackets, [::1]"));
        if (!parse_ports(str_from(text, (size_t)colon + 1), p))
            return bad_port(s);
    }
    return p->host.len || bad_address(s, "no host", STR(""));
}

static void add_address(struct setting *s, struct listen_words *w, const struct address *a)
{
    *ARRAY_PUSH(&w->addresses, &s->config->scratch) = *a;
}

/* A name has all its addresses. */
static bool add_name(struct setting *s, struct listen_words *w, struct str host)
{
    struct names_found found;

    if (!names_find(s, host, 0, &found))
        return bad_address(s, "host not found", found.problem);
    for (unsigned i = 0; i < found.count; i++)
        add_address(s, w, &found.items[i]);
    return true;
}

static bool add_host(struct setting *s, struct listen_words *w, struct str host)
{
    struct address a;

    if (host.len == 0 || str_eq(host, STR("*")))
        host = STR("0.0.0.0");
    if (!address_parse_ip(host, 0, &a))
        return add_name(s, w, host);
    add_address(s, w, &a);
    return true;
}

/* Each address with each port of the range. */
static void add_ports(struct setting *s, struct listen_words *w, unsigned first, unsigned last)
{
    unsigned hosts = w->addresses.count;

    for (unsigned port = first; port <= last; port++) {
        for (unsigned i = 0; i < hosts; i++) {
            struct address a = w->addresses.items[i];
            address_set_port(&a, port);
            if (port == first)
                w->addresses.items[i] = a;
            else
                add_address(s, w, &a);
        }
    }
}

static bool parse_address(struct setting *s, struct listen_words *w, unsigned default_port)
{
    struct place p;
    struct address a;

    if (str_starts(setting_arg(s, 1), STR("unix:"))) {
        if (!address_parse_unix(setting_arg(s, 1), &a))
            return bad_address(s, "invalid unix socket path", STR("it is empty or too long"));
        add_address(s, w, &a);
        return true;
    }
    if (!split_place(s, &p))
        return false;
    if (p.first == 0 && default_port == 0)
        return bad_address(s, "no port", STR("an address and a port: 127.0.0.1:80"));
    if (p.first == 0)
        p.first = p.last = default_port;
    if (!add_host(s, w, p.host))
        return false;
    add_ports(s, w, p.first, p.last);
    return true;
}

/* ---- the options ---- */

enum { MAX_SECONDS = 32767, MAX_PROBES = 127 };        /* of keep-alive, in Linux */

static const struct name_value flags[] = {
    { "default_server", LISTEN_DEFAULT }, { "default", LISTEN_DEFAULT }, { "ssl", LISTEN_SSL },
    { "http2", LISTEN_HTTP2 }, { "quic", LISTEN_QUIC },
    { "proxy_protocol", LISTEN_PROXY_PROTOCOL }, { "udp", LISTEN_UDP }, { NULL, 0 },
};

/* so_keepalive=on|off|[idle]:[interval]:[count]; what is left out is as the system has it. */
static bool parse_keepalive(struct str value, struct listen_options *o)
{
    int *const fields[] = { &o->keepidle, &o->keepintvl, &o->keepcnt };
    bool on;

    if (parse_flag(value, &on)) {
        o->keepalive = on ? YES : NO;
        return true;
    }
    o->keepalive = YES;
    for (unsigned i = 0; i < 3 && value.data; i++) {
        struct str part = str_split(&value, ':');
        time_t seconds = 0;
        unsigned count = 0;
        if (part.len == 0)
            continue;
        if (i == 2 ? !str_to_uint(part, MAX_PROBES, &count)
                   : !parse_seconds(part, &seconds) || seconds > MAX_SECONDS)
            return false;
        *fields[i] = i == 2 ? (int)count : (int)seconds;
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

/* The nearest of the parameters, for one that is mistyped. */
static struct str did_you_mean(struct setting *s, struct str word)
{
    static const char *const names[] = {
        "default_server", "ssl", "http2", "quic", "proxy_protocol", "udp", "backlog", "rcvbuf",
        "sndbuf", "fastopen", "setfib", "so_keepalive", "ipv6only", "accept_filter", "deferred",
        "reuseport", "multipath", "bind",
    };
    struct str rest = word, name = str_split(&rest, '=');
    const char *found = NULL;
    unsigned best = 3;

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        unsigned distance = str_distance(name, str_of(names[i]));
        if (distance < best) {
            best = distance;
            found = names[i];
        }
    }
    if (!found)
        return STR("");
    return arena_printf(&s->config->scratch, best ? "did you mean \"%s\"?" : "\"%s\" has a value",
                        found);
}

static bool parse_option(struct setting *s, unsigned i, unsigned allowed, struct listen_words *w)
{
    struct str word = setting_arg(s, i);
    bool *on = switch_of(word, &w->options), known;
    unsigned flag = 0;

    if (parse_enum(word, flags, &flag) && (flag & allowed)) {
        w->flags |= flag;
        return true;
    }
    if (flag)
        return setting_error_hint(s, i, STR("not here, or not in this build"),
                                  "invalid parameter \"%.*s\"", STR_ARG(word));
    w->options_set = true;
    if (on)
        return *on = true;
    if (parse_valued(s, word, &w->options, &known))
        return true;
    if (known)
        return setting_error(s, i, "invalid value of the \"listen\" parameter \"%.*s\"",
                             STR_ARG(word));
    return setting_error_hint(s, i, did_you_mean(s, word), "invalid parameter \"%.*s\"",
                              STR_ARG(word));
}

/* What only streams of bytes have is no parameter of a datagram socket. */
static bool check_datagrams(struct setting *s, const struct listen_words *w, const char *kind)
{
    const struct listen_options *o = &w->options, *initial = &listen_options_initial;
    const struct {
        const char *name;
        bool given;
    } words[] = {
        { "ssl", w->flags & LISTEN_SSL },
        { "http2", w->flags & LISTEN_HTTP2 },
        { "proxy_protocol", w->flags & LISTEN_PROXY_PROTOCOL },
        { "backlog", o->backlog != initial->backlog },
        { "fastopen", o->fastopen != initial->fastopen },
        { "deferred", o->deferred },
        { "multipath", o->multipath },
        { "so_keepalive", o->keepalive != initial->keepalive },
    };

    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (words[i].given)
            return setting_error(s, 0, "\"%s\" parameter is incompatible with \"%s\"",
                                 words[i].name, kind);
    }
    return true;
}

static bool check_words(struct setting *s, const struct listen_words *w)
{
    bool is_unix = w->addresses.items[0].any.sa_family == AF_UNIX;

    if (is_unix && w->options.ipv6only != UNSPECIFIED)
        return setting_error(s, 0, "ipv6only is not supported on addr \"%.*s\"",
                             STR_ARG(setting_arg(s, 1)));
    if (w->flags & (LISTEN_UDP | LISTEN_QUIC))
        return check_datagrams(s, w, w->flags & LISTEN_UDP ? "udp" : "quic");
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

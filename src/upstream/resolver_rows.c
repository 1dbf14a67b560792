/*
 * resolver_rows: see resolver_rows.h.
 */
#include "upstream/resolver_rows.h"

#include "config/names.h"
#include "config/resolve.h"

enum { DOMAIN_PORT = 53 };

/* What a line says, before there is an engine. */
struct words {
    ARRAY(struct address) servers;
    struct resolver_conf conf;
};

static bool add_name(struct setting *s, struct words *w, struct str host, unsigned port)
{
    struct names_found found;

    if (!names_find(s, host, port, &found))
        return false;
    for (unsigned i = 0; i < found.count; i++)
        *ARRAY_PUSH(&w->servers, &s->config->scratch) = found.items[i];
    return true;
}

/* "127.0.0.1", "[::1]:5353", "dns.example.com:53": a bare IPv6 address is taken, too. */
static bool add_server(struct setting *s, unsigned i, struct words *w)
{
    struct str word = setting_arg(s, i), host = word;
    ptrdiff_t colon = str_rindex(word, ':');
    unsigned port = DOMAIN_PORT;
    struct address a;

    if (!address_parse_ip(word, DOMAIN_PORT, &a)) {
        if (colon > str_rindex(word, ']')) {
            host = str_first(word, (size_t)colon);
            if (!str_to_uint(str_from(word, (size_t)colon + 1), 65535, &port) || port == 0)
                return setting_error(s, i, "invalid port in resolver \"%.*s\"", STR_ARG(word));
        }
        if (!address_parse_ip(host, port, &a))
            return add_name(s, w, host, port) ||
                   setting_error(s, i, "host not found in resolver \"%.*s\"", STR_ARG(word));
    }
    *ARRAY_PUSH(&w->servers, &s->config->scratch) = a;
    return true;
}

static bool is_option(struct str word, struct str name, struct str *value)
{
    *value = word.len >= name.len ? str_from(word, name.len) : STR("");
    return str_starts(word, name);
}

static bool read_word(struct setting *s, unsigned i, struct words *w)
{
    struct str word = setting_arg(s, i), value;
    bool good;
    time_t valid = 0;

    if (is_option(word, STR("valid="), &value)) {
        good = parse_seconds(value, &valid);
        w->conf.valid = (uint64_t)valid * 1000;
    } else if (is_option(word, STR("ipv4="), &value)) {
        good = parse_flag(value, &w->conf.ipv4);
    } else if (is_option(word, STR("ipv6="), &value)) {
        good = parse_flag(value, &w->conf.ipv6);
    } else if (is_option(word, STR("status_zone="), &value)) {
        good = value.len > 0;
    } else {
        return add_server(s, i, w);
    }
    return good || setting_error(s, i, "invalid parameter: %.*s", STR_ARG(word));
}

static void let_go(void *data)
{
    resolver_unref(data);
}

static bool parse_resolver(struct setting *s, void *field)
{
    struct resolver_words *r = field;
    struct words w = { .conf = { .ipv4 = true, .ipv6 = true } };
    struct out text = out_growing(setting_arena(s), 65536);

    for (unsigned i = 1; i < s->node->count; i++) {
        if (!read_word(s, i, &w))
            return false;
        if (i > 1)
            out_char(&text, ' ');
        print_word(&text, setting_arg(s, i));
    }
    if (w.servers.count == 0)
        return setting_error(s, 0, "no name servers defined");
    if (!w.conf.ipv4 && !w.conf.ipv6)
        return setting_error(s, 0, "\"ipv4\" and \"ipv6\" cannot both be \"off\"");
    w.conf.servers = w.servers.items;
    w.conf.count = w.servers.count;
    r->text = out_str_of(&text);
    r->engine = resolver_get(&w.conf);
    if (!r->engine)
        return setting_error(s, 0, "no memory for a resolver");
    generation_cleanup(s->config->generation, let_go, r->engine);
    return true;
}

static void print_resolver(const struct directive *row, const void *field, struct out *o)
{
    (void)row;
    out_str(o, ((const struct resolver_words *)field)->text);
}

const struct type type_resolver = {
    "address ...", "addresses of name servers", parse_resolver, print_resolver,
};

struct resolver *resolver_rows_engine(const struct resolver_rows *rows)
{
    struct resolver *r = rows->resolver.engine;

    return r ? resolver_ref(r) : resolver_system();
}

const struct resolver_rows *resolver_rows_of(const struct block *b)
{
    return CONF(b->conf, http_resolver_module);
}

static const struct directive rows_of_http[] = {
    RESOLVER_ROWS(IN_HTTP | IN_SERVER | IN_LOCATION | IN_UPSTREAM),
    { 0 },
};

struct module http_resolver_module = {
    .name = "ngx_http_core_module",
    .directives = rows_of_http,
    .conf_size = sizeof(struct resolver_rows),
};

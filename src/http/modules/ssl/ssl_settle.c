/*
 * ssl_settle: from the directives of servers to TLS contexts, one for each set of values.  All files are
 * read here, and all mistakes in them are told where the directive stands.
 */
#include "config/kept_files.h"
#include "base/clock.h"
#include "config/zone_words.h"

#include <errno.h>

#include "http/http.h"
#include "http/modules/ssl/ssl_conf.h"

/* A server whose context is being made. */
struct settling {
    struct setting *s;
    const struct block *block;
    struct ssl_conf *conf;
    struct tls_settings settings;
};

static const char ticket_zone_tag;

/* ---- mistakes ---- */

static const char *const names[] = {
    [TLS_ABOUT_ALL] = "ssl_certificate",
    [TLS_ABOUT_CERTIFICATE] = "ssl_certificate",
    [TLS_ABOUT_KEY] = "ssl_certificate_key",
    [TLS_ABOUT_CIPHERS] = "ssl_ciphers",
    [TLS_ABOUT_CURVES] = "ssl_ecdh_curve",
    [TLS_ABOUT_DHPARAM] = "ssl_dhparam",
    [TLS_ABOUT_CLIENT_CA] = "ssl_client_certificate",
    [TLS_ABOUT_TRUSTED] = "ssl_trusted_certificate",
    [TLS_ABOUT_CRL] = "ssl_crl",
    [TLS_ABOUT_COMMAND] = "ssl_conf_command",
    [TLS_ABOUT_TICKET_KEY] = "ssl_session_ticket_key",
    [TLS_ABOUT_PROTOCOLS] = "ssl_protocols",
};

/* Line `index` of that name in the block, or the innermost one around it that has any; the server's own
 * line where there is none. */
static const struct node *find_line(const struct block *b, struct str name, unsigned index)
{
    const struct node *server = b->node;

    for (; b && b->node; b = b->parent) {
        const struct node *n = tree_find(b->node->children, name), *next = n;
        for (; n && index > 0 && (next = tree_find(n->next, name)); index--)
            n = next;
        if (n)
            return n;
    }
    return server;
}

static struct setting at_line(const struct settling *x, const char *name, unsigned index)
{
    struct setting place = *x->s;

    place.node = find_line(x->block, str_of(name), index);
    return place;
}

static bool tell(const struct settling *x, const struct tls_error *e)
{
    struct setting place = at_line(x, names[e->about], e->index);
    unsigned word = place.node->count > 1 && !place.node->block ? 1 : 0;

    if (e->advice)
        return setting_error_hint(&place, word, str_of(e->advice), "%s", e->text);
    return setting_error(&place, word, "%s", e->text);
}

/* ---- files ---- */

/* false after a mistake was told. */
static bool read_file(const struct settling *x, const char *name, unsigned index, struct str path,
                      struct tls_text *text)
{
    if (!path.data)
        return true;
    text->name = path;
    if (kept_files_read(x->s, path, &text->content))
        return true;
    struct setting place = at_line(x, name, index);
    return setting_errno(&place, place.node->block ? 0 : 1, errno, "cannot load \"%.*s\"",
                         STR_ARG(path));
}

static bool read_text(const struct settling *x, const char *name, unsigned index,
                      const struct template *t, struct tls_text *text)
{
    if (!str_starts(t->text, STR("data:")))
        return read_file(x, name, index, t->text, text);
    *text = (struct tls_text){ STR("data:..."), str_from(t->text, 5) };
    return true;
}

static void warn_of_end(const struct settling *x, unsigned index, const struct tls_text *certificate)
{
    time_t end = tls_not_after(certificate->content);
    char date[HTTP_DATE_LEN];
    struct out o = out_fixed(date, sizeof date);

    if (!tls_ends_soon(end))
        return;
    struct setting place = at_line(x, "ssl_certificate", index);
    clock_put_http_date(&o, end);
    setting_warn(&place, place.node->block ? 0 : 1, "certificate \"%.*s\" is good until %.*s alone: "
                 "renew it", STR_ARG(certificate->name), STR_ARG(out_str_of(&o)));
}

static bool read_pairs(struct settling *x)
{
    const struct ssl_conf *c = x->conf;
    struct tls_pair *pairs = ARENA_NEW_ARRAY(&x->s->config->scratch, struct tls_pair,
                                             c->certificates.count);

    if (c->certificates.count > c->keys.count) {
        unsigned i = c->keys.count;
        struct setting place = at_line(x, "ssl_certificate", i);
        return setting_error(&place, 0,
                             "no \"ssl_certificate_key\" is defined for certificate \"%.*s\"",
                             STR_ARG(c->certificates.items[i].text));
    }
    for (unsigned i = 0; i < c->certificates.count; i++) {
        const struct template *own = &c->certificates.items[i], *key = &c->keys.items[i];
        pairs[i].certificate.name = own->text;
        if (!template_is_text(own) || !template_is_text(key))
            continue;
        if (!read_text(x, "ssl_certificate", i, own, &pairs[i].certificate) ||
            !read_text(x, "ssl_certificate_key", i, key, &pairs[i].key))
            return false;
        warn_of_end(x, i, &pairs[i].certificate);
    }
    x->settings.pairs = pairs;
    x->settings.pair_count = c->certificates.count;
    return true;
}

/* One password in a line; they must outlive the tree, for keys that are named in handshakes. */
static bool read_passwords(struct settling *x)
{
    struct arena *a = setting_arena(x->s);
    struct tls_text text = { 0 };
    ARRAY(struct str) all = { 0 };

    if (!read_file(x, "ssl_password_file", 0, x->conf->password_file, &text))
        return false;
    for (struct str rest = text.content; rest.data;) {
        struct str line = str_split(&rest, '\n');
        if (line.len && line.data[line.len - 1] == '\r')
            line.len--;
        if (line.len)
            *ARRAY_PUSH(&all, a) = arena_str(a, line);
    }
    x->settings.passwords = x->conf->passwords = all.items;
    x->settings.password_count = x->conf->password_count = all.count;
    return true;
}

static bool read_ticket_keys(struct settling *x)
{
    const struct ssl_conf *c = x->conf;
    struct tls_text *keys = ARENA_NEW_ARRAY(&x->s->config->scratch, struct tls_text,
                                            c->ticket_keys.count);

    for (unsigned i = 0; i < c->ticket_keys.count; i++) {
        if (!read_file(x, "ssl_session_ticket_key", i, c->ticket_keys.items[i], &keys[i]))
            return false;
    }
    x->settings.ticket_keys = keys;
    x->settings.ticket_key_count = c->ticket_keys.count;
    return true;
}

static bool read_all(struct settling *x)
{
    const struct ssl_conf *c = x->conf;
    struct tls_settings *to = &x->settings;

    return read_pairs(x) && read_passwords(x) && read_ticket_keys(x) &&
           read_file(x, "ssl_client_certificate", 0, c->client_certificate, &to->client_ca) &&
           read_file(x, "ssl_trusted_certificate", 0, c->trusted_certificate, &to->trusted) &&
           read_file(x, "ssl_crl", 0, c->crl, &to->crl) &&
           read_file(x, "ssl_dhparam", 0, c->dhparam, &to->dhparam);
}

/* ---- contexts ---- */

/* The zone of ticket keys is there for all who do not bring keys of their own: also where tickets are off,
 * for ssl_conf_command may switch them on. */
static bool add_ticket_zone(struct settling *x)
{
    if (x->conf->ticket_keys.count)
        return true;
    struct zone_spec *z = zone_words_define(x->s, 0, STR("keys of TLS session tickets"),
                                            TLS_TICKET_ZONE_SIZE, &ticket_zone_tag);
    if (!z)
        return false;
    z->init = tls_tickets_zone_init;
    x->settings.ticket_zone = &z->zone;
    return true;
}

static bool check_verify(const struct settling *x)
{
    const struct ssl_conf *c = x->conf;

    if ((c->verify != TLS_VERIFY_ON && c->verify != TLS_VERIFY_OPTIONAL) ||
        c->client_certificate.data || c->trusted_certificate.data)
        return true;
    struct setting place = at_line(x, "ssl_verify_client", 0);
    return setting_error_hint(&place, 0, STR("name the CA's certificate: ssl_client_certificate "
                                             "FILE;"),
                              "no ssl_client_certificate or ssl_trusted_certificate for "
                              "ssl_verify_client");
}

static void fill(struct settling *x)
{
    const struct ssl_conf *c = x->conf;
    struct tls_settings *to = &x->settings;

    *to = (struct tls_settings){
        .certificate_compression = c->certificate_compression,
        .protocols = c->protocols, .ciphers = c->ciphers, .curves = c->curves,
        .prefer_server_ciphers = c->prefer_server_ciphers, .early_data = c->early_data,
        .tickets = c->tickets, .buffer_size = c->buffer_size, .verify = (enum tls_verify)c->verify,
        .verify_depth = c->verify_depth, .commands = c->commands.items,
        .command_count = c->commands.count, .sessions = c->sessions.kind,
        .builtin = c->sessions.builtin, .session_timeout = (long)c->session_timeout,
        .key_log = c->key_log, .owner = c, .identity = STR("HTTP"),
        .session_zone = c->sessions.shared ? &c->sessions.shared->zone : NULL,
    };
}

static void free_context(void *data)
{
    struct ssl_conf *c = data;

    tls_context_free(c->context);
    tls_cache_free(c->cache);
}

static bool make_context(struct settling *x)
{
    struct ssl_conf *c = x->conf;
    struct tls_error e;

    fill(x);
    if (!check_verify(x) || !read_all(x) || !add_ticket_zone(x))
        return false;
    c->context = tls_context_new(&x->settings, &e);
    if (!c->context)
        return tell(x, &e);
    if (c->certificate_cache.max)
        c->cache = tls_cache_new(c->certificate_cache.max, c->certificate_cache.inactive,
                                 c->certificate_cache.valid);
    generation_cleanup(x->s->config->generation, free_context, c);
    return true;
}

/* Once for each set of values, which many servers may share. */
static bool settle_server(struct setting *s, const struct http_server *server)
{
    struct settling x = { .s = s, .block = server->root.block,
                          .conf = ssl_conf(server->root.conf) };

    if (x.conf->settled)
        return true;
    x.conf->settled = true;
    return (x.conf->certificates.count == 0 && !x.conf->reject_handshake) || make_context(&x);
}

/* ---- listeners ---- */

static bool has_certificate(const struct http_server *server)
{
    return ssl_conf(server->root.conf)->certificates.count > 0;
}

static bool no_certificate(struct setting *s, const struct http_listen *l,
                           const struct http_server *server)
{
    struct setting place = *s;

    place.node = server->root.block->node;
    return setting_error_hint(&place, 0, STR("name its files: ssl_certificate FILE; "
                                             "ssl_certificate_key FILE;"),
                              "no \"ssl_certificate\" is defined for the \"listen ... ssl\" "
                              "directive in %.*s", STR_ARG(l->place));
}

static bool settle_listen(struct setting *s, struct http_listen *l)
{
    const struct http_server *first = l->default_server;
    const struct ssl_conf *c = ssl_conf(first->root.conf);

    for (unsigned i = 0; i < l->servers.count; i++)
        l->ssl |= ssl_conf(l->servers.items[i]->root.conf)->on;
    if (!l->ssl)
        return true;
    if (!has_certificate(first) && !c->reject_handshake)
        return no_certificate(s, l, first);
    for (unsigned i = 0; !has_certificate(first) && i < l->servers.count; i++) {
        const struct http_server *server = l->servers.items[i];
        if (!has_certificate(server) && !ssl_conf(server->root.conf)->reject_handshake)
            return no_certificate(s, l, server);
    }
    l->tls = ssl_acceptor(setting_arena(s), l, c->context);
    return true;
}

bool ssl_settle(struct setting *s, struct http *h)
{
    bool good = true;

    for (unsigned i = 0; i < h->servers.count; i++)
        good &= settle_server(s, h->servers.items[i]);
    for (unsigned i = 0; good && i < h->listens.count; i++)
        good = settle_listen(s, h->listens.items[i]);
    return good;
}

/*
 * ssl_settle: from the directives of servers to TLS contexts, one for each set of values.  All files are
 * read here, and all mistakes in them are told where the directive stands.
 */
#include "base/clock.h"
#include "config/zone_words.h"
#include "http/http.h"
#include "http/modules/ssl/ssl_conf.h"
#include "http/modules/ssl/ssl_files.h"
#include "http/modules/ssl/ssl_ocsp.h"

/* A server whose context is being made. */
struct settling {
    struct setting s;                  /* for its block */
    struct ssl_conf *conf;
    struct tls_settings settings;
};

static const char ticket_zone_tag;

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

/* ---- files ---- */

static void warn_of_end(const struct settling *x, unsigned index)
{
    struct out o = out_growing(&x->s.config->scratch, LOG_LINE_MAX);

    if (!tls_warn_of_end(&o, x->settings.pairs[index].certificate.name,
                         tls_context_end(x->conf->context, index)))
        return;
    struct setting place = ssl_files_line(&x->s, "ssl_certificate", index);
    setting_warn(&place, place.node->block ? 0 : 1, "%.*s", STR_ARG(out_str_of(&o)));
}

static bool read_pairs(struct settling *x)
{
    const struct ssl_conf *c = x->conf;
    struct tls_pair *pairs = ARENA_NEW_ARRAY(&x->s.config->scratch, struct tls_pair,
                                             c->certificates.count);

    if (c->certificates.count > c->keys.count) {
        unsigned i = c->keys.count;
        struct setting place = ssl_files_line(&x->s, "ssl_certificate", i);
        return setting_error(&place, 0,
                             "no \"ssl_certificate_key\" is defined for certificate \"%.*s\"",
                             STR_ARG(c->certificates.items[i].text));
    }
    for (unsigned i = 0; i < c->certificates.count; i++) {
        const struct template *own = &c->certificates.items[i], *key = &c->keys.items[i];
        pairs[i].certificate.name = own->text;
        if (!template_is_text(own) || !template_is_text(key))
            continue;
        if (!ssl_files_read_text(&x->s, "ssl_certificate", i, own, &pairs[i].certificate) ||
            !ssl_files_read_text(&x->s, "ssl_certificate_key", i, key, &pairs[i].key))
            return false;
    }
    x->settings.pairs = pairs;
    x->settings.pair_count = c->certificates.count;
    return true;
}

/* Keys that are named in handshakes need them later. */
static bool read_passwords(struct settling *x)
{
    if (!ssl_files_passwords(&x->s, "ssl_password_file", x->conf->password_file, &x->settings))
        return false;
    x->conf->passwords = x->settings.passwords;
    x->conf->password_count = x->settings.password_count;
    return true;
}

static bool read_ticket_keys(struct settling *x)
{
    const struct ssl_conf *c = x->conf;
    struct tls_text *keys = ARENA_NEW_ARRAY(&x->s.config->scratch, struct tls_text,
                                            c->ticket_keys.count);

    for (unsigned i = 0; i < c->ticket_keys.count; i++) {
        if (!ssl_files_read(&x->s, "ssl_session_ticket_key", i, c->ticket_keys.items[i], &keys[i]))
            return false;
    }
    x->settings.ticket_keys = keys;
    x->settings.ticket_key_count = c->ticket_keys.count;
    return true;
}

static bool read_all(struct settling *x)
{
    const struct setting *s = &x->s;
    const struct ssl_conf *c = x->conf;
    struct tls_settings *to = &x->settings;

    return read_pairs(x) && read_passwords(x) && read_ticket_keys(x) &&
           ssl_files_read(s, "ssl_client_certificate", 0, c->client_certificate, &to->client_ca) &&
           ssl_files_read(s, "ssl_trusted_certificate", 0, c->trusted_certificate,
                          &to->trusted) &&
           ssl_files_read(s, "ssl_crl", 0, c->crl, &to->crl) &&
           ssl_files_read(s, "ssl_dhparam", 0, c->dhparam, &to->dhparam);
}

/* ---- contexts ---- */

/* The zone of ticket keys is there for all who do not bring keys of their own: also where tickets are off,
 * for ssl_conf_command may switch them on. */
static bool add_ticket_zone(struct settling *x)
{
    if (x->conf->ticket_keys.count)
        return true;
    struct zone_spec *z = zone_words_define(&x->s, 0, STR("keys of TLS session tickets"),
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
    struct setting place = ssl_files_line(&x->s, "ssl_verify_client", 0);
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
    if (!check_verify(x) || !ssl_ocsp_prepare(&x->s, c, &x->settings) || !read_all(x) ||
        !add_ticket_zone(x))
        return false;
    c->context = tls_context_new(&x->settings, &e);
    if (!c->context)
        return ssl_files_tell(&x->s, names, &x->settings, &e);
    for (unsigned i = 0; i < x->settings.pair_count; i++)
        warn_of_end(x, i);
    if (c->certificate_cache.max)
        c->cache = tls_cache_new(c->certificate_cache.max, c->certificate_cache.inactive,
                                 c->certificate_cache.valid);
    generation_cleanup(x->s.config->generation, free_context, c);
    return ssl_ocsp_staple(&x->s, c, &x->settings);
}

/* Once for each set of values, which many servers may share. */
static bool settle_server(struct setting *s, const struct http_server *server)
{
    struct settling x = { .s = *s, .conf = ssl_conf(server->root.conf) };

    x.s.block = server->root.block;
    x.s.node = server->root.block->node;
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

/*
 * ssl_peer: see ssl_peer.h.
 */
#include "http/modules/ssl/ssl_peer.h"

#include "http/core.h"
#include "http/http.h"
#include "http/modules/ssl/ssl_files.h"
#include "http/modules/ssl/ssl_types.h"

struct ssl_peer_conf {
    unsigned protocols;                /* enum tls_protocol bits */
    struct str ciphers;
    struct template certificate, key;
    struct ssl_certificate_cache certificate_cache;
    struct str password_file, trusted, crl;
    bool verify, reuse, server_name;
    unsigned verify_depth;
    struct ssl_commands commands;
    struct template name;              /* empty: the host of the URL */
    struct log_file *key_log;

    /* Made when something is passed on to https. */
    struct tls_context *context;
    struct tls_cache *cache;
    const struct str *passwords;
    unsigned password_count;
    uint32_t identity;                 /* of all that a connection depends on */
};

static const struct ssl_peer_conf *conf_of(void *const *conf)
{
    return CONF(conf, http_proxy_ssl_module);
}

/* ---- the context ---- */

static bool is_dynamic(const struct ssl_peer_conf *c)
{
    return !template_is_text(&c->certificate) || !template_is_text(&c->key);
}

static bool read_pair(struct setting *s, const struct ssl_peer_conf *c, struct tls_pair *pair)
{
    if (template_is_empty(&c->certificate) || is_dynamic(c))
        return true;
    if (template_is_empty(&c->key)) {
        struct setting place = ssl_files_line(s, "proxy_ssl_certificate", 0);
        return setting_error(&place, 0, "no \"proxy_ssl_certificate_key\" is defined for certificate "
                             "\"%.*s\"", STR_ARG(c->certificate.text));
    }
    return ssl_files_read_text(s, "proxy_ssl_certificate", 0, &c->certificate,
                               &pair->certificate) &&
           ssl_files_read_text(s, "proxy_ssl_certificate_key", 0, &c->key, &pair->key);
}

static uint32_t mix(uint32_t identity, struct str text)
{
    return (identity ^ str_hash(text)) * UINT32_C(0x01000193) + (uint32_t)text.len;
}

/* Connections of other rules must not serve: all that the rules are made of counts. */
static uint32_t identity_of(const struct ssl_peer_conf *c, const struct tls_settings *t)
{
    uint32_t id = t->protocols * 2 + c->verify + 64 * t->verify_depth;

    id = mix(mix(mix(id, t->ciphers), t->trusted.content), t->crl.content);
    for (unsigned i = 0; i < t->pair_count; i++)
        id = mix(mix(id, t->pairs[i].certificate.content), t->pairs[i].key.content);
    for (unsigned i = 0; i < t->command_count; i++)
        id = mix(mix(id, t->commands[i].name), t->commands[i].value);
    return mix(id, c->server_name ? STR("sni") : STR(""));
}

static const char *const rows_about[] = {
    [TLS_ABOUT_ALL] = "proxy_pass",
    [TLS_ABOUT_CERTIFICATE] = "proxy_ssl_certificate",
    [TLS_ABOUT_KEY] = "proxy_ssl_certificate_key",
    [TLS_ABOUT_CIPHERS] = "proxy_ssl_ciphers",
    [TLS_ABOUT_CURVES] = "proxy_pass",
    [TLS_ABOUT_DHPARAM] = "proxy_pass",
    [TLS_ABOUT_CLIENT_CA] = "proxy_pass",
    [TLS_ABOUT_TRUSTED] = "proxy_ssl_trusted_certificate",
    [TLS_ABOUT_CRL] = "proxy_ssl_crl",
    [TLS_ABOUT_COMMAND] = "proxy_ssl_conf_command",
    [TLS_ABOUT_TICKET_KEY] = "proxy_pass",
    [TLS_ABOUT_PROTOCOLS] = "proxy_ssl_protocols",
};

static void free_context(void *data)
{
    struct ssl_peer_conf *c = data;

    tls_context_free(c->context);
    tls_cache_free(c->cache);
}

bool ssl_peer_prepare(struct setting *s)
{
    struct ssl_peer_conf *c = CONF(s->block->conf, http_proxy_ssl_module);
    struct tls_pair pair = { 0 };
    struct tls_error e;

    if (c->context)
        return true;
    if (c->verify && !c->trusted.data) {
        struct setting place = ssl_files_line(s, "proxy_ssl_verify", 0);
        return setting_error_hint(&place, 0, STR("name the CA's certificate: "
                                                 "proxy_ssl_trusted_certificate FILE;"),
                                  "no proxy_ssl_trusted_certificate for proxy_ssl_verify");
    }
    struct tls_settings t = {
        .protocols = c->protocols, .ciphers = c->ciphers, .buffer_size = 16384, .tickets = true,
        .pairs = &pair, .verify_depth = c->verify_depth, .commands = c->commands.all.items,
        .command_count = c->commands.all.count, .key_log = c->key_log,
    };
    if (!ssl_files_passwords(s, "proxy_ssl_password_file", c->password_file, &t) ||
        !read_pair(s, c, &pair) ||
        !ssl_files_read(s, "proxy_ssl_trusted_certificate", 0, c->trusted, &t.trusted) ||
        !ssl_files_read(s, "proxy_ssl_crl", 0, c->crl, &t.crl))
        return false;
    t.pair_count = pair.certificate.content.data ? 1 : 0;
    c->passwords = t.passwords;
    c->password_count = t.password_count;
    c->context = tls_client_new(&t, &e);
    if (!c->context)
        return ssl_files_tell(s, rows_about, &t, &e);
    if (c->certificate_cache.max)
        c->cache = tls_cache_new(c->certificate_cache.max, c->certificate_cache.inactive,
                                 c->certificate_cache.valid);
    c->identity = identity_of(c, &t);
    generation_cleanup(s->config->generation, free_context, c);
    return true;
}

/* ---- a request ---- */

/* A name without its port, ending in NUL. */
static struct str without_port(struct arena *a, struct str host)
{
    ptrdiff_t colon = str_rindex(host, ':'), bracket = str_rindex(host, ']');

    if (colon > bracket)
        host = str_first(host, (size_t)colon);
    if (str_starts(host, STR("[")) && host.len > 2)
        host = str_from(str_first(host, host.len - 1), 1);
    return arena_str(a, host);
}

/* Our certificate, where variables name it.  false: not both are named. */
static bool choose_pair(struct request *r, const struct ssl_peer_conf *c, struct tls_peer *p)
{
    p->certificate = ssl_files_name(r, &c->certificate);
    p->key = ssl_files_name(r, &c->key);
    p->passwords = c->passwords;
    p->password_count = c->password_count;
    p->cache = c->cache;
    return p->certificate.len == 0 || p->key.len > 0;
}

const struct tls_peer *ssl_peer_of(struct request *r, struct str host, struct str alpn, uint32_t *key)
{
    const struct ssl_peer_conf *c = conf_of(r->conf);
    struct tls_peer *p = ARENA_NEW(&r->arena, struct tls_peer);
    struct str name = template_is_empty(&c->name) ? host : template_value(&c->name, request_script(r));

    if (!c->context) {
        request_log(r, LOG_LEVEL_ERROR, 0, "no rules for TLS to the upstream are known here");
        return NULL;
    }
    *p = (struct tls_peer){
        .context = c->context, .name = without_port(&r->arena, name), .sni = c->server_name,
        .verify = c->verify, .reuse = c->reuse, .alpn = alpn,
    };
    if (is_dynamic(c) && !choose_pair(r, c, p)) {
        request_log(r, LOG_LEVEL_ERROR, 0, "the key of the certificate for the upstream is not named");
        return NULL;
    }
    *key = mix(mix(mix(*key ^ c->identity, p->name), p->certificate), alpn) | 1;
    return p;
}

const struct tls_peer *ssl_peer_fixed(struct setting *s, struct str host)
{
    const struct ssl_peer_conf *c = conf_of(s->block->conf);
    struct tls_peer *p = ARENA_NEW(setting_arena(s), struct tls_peer);
    bool fixed = !template_is_empty(&c->name) && template_is_text(&c->name);

    *p = (struct tls_peer){
        .context = c->context, .name = without_port(setting_arena(s), fixed ? c->name.text : host),
        .sni = c->server_name, .verify = c->verify, .reuse = c->reuse,
    };
    return p;
}

/* ---- rows ---- */

static void print_template(const struct directive *row, const void *field, struct out *o)
{
    (void)row;
    print_word(o, ((const struct template *)field)->text);
}

static const struct type type_certificate = {
    "file | data:text", "a file, or a text behind \"data:\"; variables may stand in it",
    ssl_parse_certificate, print_template,
};

#define EVERYWHERE (IN_HTTP | IN_SERVER | IN_LOCATION)
#define PEER(field) FIELD(struct ssl_peer_conf, field)

static const struct directive rows[] = {
    { "proxy_ssl_protocols", EVERYWHERE, ARGS_RANGE(1, ARGS_ANY), &type_bitmask, PEER(protocols),
      .initial = "TLSv1.2 TLSv1.3", .data = ssl_protocols,
      .help = "Versions of TLS that https servers are spoken to in." },
    { "proxy_ssl_ciphers", EVERYWHERE, ARGS(1), &type_str, PEER(ciphers), .initial = "DEFAULT",
      .help = "Ciphers of TLS 1.2 and before, as openssl-ciphers(1) has them." },
    { "proxy_ssl_certificate", EVERYWHERE, ARGS(1), &type_certificate, PEER(certificate),
      .help = "The certificate that is shown to servers that ask for one." },
    { "proxy_ssl_certificate_key", EVERYWHERE, ARGS(1), &type_certificate, PEER(key),
      .help = "The secret key of that certificate." },
    { "proxy_ssl_certificate_cache", EVERYWHERE, ARGS_RANGE(1, 3), &type_ssl_certificate_cache,
      PEER(certificate_cache), .initial = "off",
      .help = "How many certificates and keys that are named by variables are kept, how long those "
              "not used, and when they are read anew." },
    { "proxy_ssl_password_file", EVERYWHERE, ARGS(1), &type_ssl_file, PEER(password_file),
      .help = "Passwords of secret keys, one in a line; each is tried." },
    { "proxy_ssl_trusted_certificate", EVERYWHERE, ARGS(1), &type_ssl_file, PEER(trusted),
      .help = "Certificates of CAs that servers' must be of." },
    { "proxy_ssl_crl", EVERYWHERE, ARGS(1), &type_ssl_file, PEER(crl),
      .help = "Lists of certificates that were taken back, of every CA that is trusted." },
    { "proxy_ssl_verify", EVERYWHERE, ARGS(1), &type_flag, PEER(verify), .initial = "off",
      .help = "A server must show a good certificate that bears its name." },
    { "proxy_ssl_verify_depth", EVERYWHERE, ARGS(1), &type_number, PEER(verify_depth), .initial = "1",
      .help = "How many certificates may stand between a server's and the CA's." },
    { "proxy_ssl_name", EVERYWHERE, ARGS(1), &type_template, PEER(name),
      .default_text = "$proxy_host",
      .help = "The name that servers are asked for, and that their certificates must bear." },
    { "proxy_ssl_server_name", EVERYWHERE, ARGS(1), &type_flag, PEER(server_name), .initial = "off",
      .help = "Tell servers the name (SNI), so that they can choose a certificate." },
    { "proxy_ssl_session_reuse", EVERYWHERE, ARGS(1), &type_flag, PEER(reuse), .initial = "on",
      .help = "Resume sessions with servers: that saves most of the handshake." },
    { "proxy_ssl_conf_command", EVERYWHERE, ARGS(2), &type_ssl_command, PEER(commands),
      .flags = REPEATS, .help = "A setting of OpenSSL itself: SSL_CONF_cmd(3)." },
    { "proxy_ssl_key_log", EVERYWHERE, ARGS(1), &type_ssl_key_log, PEER(key_log),
      .help = "A file that gets the secrets of connections to servers.  For tests alone." },
    { 0 },
};

/* What was made for the block around is not for this one. */
static bool finish(struct setting *s, void *conf)
{
    struct ssl_peer_conf *c = conf;

    (void)s;
    c->context = NULL;
    c->cache = NULL;
    return true;
}

struct module http_proxy_ssl_module = {
    .name = "ngx_http_proxy_ssl_module",
    .directives = rows,
    .finish = finish,
    .conf_size = sizeof(struct ssl_peer_conf),
};

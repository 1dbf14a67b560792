/*
 * tls_context: from settings to what the library makes connections of.  Each step takes the settings
 * of one subject and tells what is wrong with them.
 */
#include <stdlib.h>
#include <unistd.h>

#include <openssl/err.h>

#include "net/tls_client.h"
#include "net/tls_private.h"

struct making {
    struct tls_context *x;
    SSL_CTX *ctx;
    const struct tls_settings *s;
    struct tls_error *e;
    bool client;
};

static bool refuse(struct making *m, enum tls_subject about, unsigned index, const char *what,
                   struct str name)
{
    char space[160];
    struct str reason = tls_reason(space, sizeof space);

    return tls_fail(m->e, about, index, "%s \"%.*s\": %.*s", what, STR_ARG(name), STR_ARG(reason));
}

/* ---- protocols and options ---- */

static const struct {
    unsigned bit;
    int version;
    uint64_t off;
} versions[] = {
    { TLS_SSL3, SSL3_VERSION, SSL_OP_NO_SSLv3 },
    { TLS_1_0, TLS1_VERSION, SSL_OP_NO_TLSv1 },
    { TLS_1_1, TLS1_1_VERSION, SSL_OP_NO_TLSv1_1 },
    { TLS_1_2, TLS1_2_VERSION, SSL_OP_NO_TLSv1_2 },
    { TLS_1_3, TLS1_3_VERSION, SSL_OP_NO_TLSv1_3 },
};

enum { VERSIONS = sizeof versions / sizeof versions[0] };

static bool set_protocols(struct making *m)
{
    int least = 0, most = 0;

    for (unsigned i = 0; i < VERSIONS; i++) {
        if (!(m->s->protocols & versions[i].bit)) {
            SSL_CTX_set_options(m->ctx, versions[i].off);
            continue;
        }
        if (!least)
            least = versions[i].version;
        most = versions[i].version;
    }
    if (!least)
        return tls_fail(m->e, TLS_ABOUT_PROTOCOLS, 0,
                        "none of these protocols is one that this OpenSSL still has");
    SSL_CTX_set_min_proto_version(m->ctx, least);
    SSL_CTX_set_max_proto_version(m->ctx, most);
    return true;
}

static bool set_options(struct making *m)
{
    SSL_CTX_set_options(m->ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                    SSL_OP_NO_ANTI_REPLAY);
    if (m->s->prefer_server_ciphers)   /* ChaCha20 is first of those alone that are slow with AES */
        SSL_CTX_set_options(m->ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    if (!m->s->tickets)
        SSL_CTX_set_options(m->ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_mode(m->ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_read_ahead(m->ctx, m->client);     /* a server's: tls_takeover() */
    SSL_CTX_set_max_early_data(m->ctx, m->s->early_data ? TLS_RECORD_MAX : 0);
    m->x->early_data = m->s->early_data;
    m->x->buffer_size = m->s->buffer_size < TLS_RECORD_MAX ? m->s->buffer_size : TLS_RECORD_MAX;
    return true;
}

/* ---- certificates ---- */

static bool use_chain(struct making *m, struct tls_chain *chain, const struct tls_pair *p,
                      unsigned index)
{
    if (!SSL_CTX_use_certificate(m->ctx, chain->own) || !SSL_CTX_set0_chain(m->ctx, chain->others))
        return refuse(m, TLS_ABOUT_CERTIFICATE, index, "cannot use certificate",
                      p->certificate.name);
    chain->others = NULL;              /* the library's now */
    return true;
}

static bool use_key(struct making *m, EVP_PKEY *key, const struct tls_pair *p, unsigned index)
{
    bool good = SSL_CTX_use_PrivateKey(m->ctx, key) == 1;

    EVP_PKEY_free(key);
    if (good)
        return true;
    refuse(m, TLS_ABOUT_KEY, index, "cannot use key", p->key.name);
    m->e->advice = "is it the key of another certificate?";
    return false;
}

static bool set_pair(struct making *m, unsigned index)
{
    const struct tls_pair *p = &m->s->pairs[index];
    struct tls_chain chain;
    EVP_PKEY *key;

    if (!tls_pem_chain(&p->certificate, &chain, m->e, index))
        return false;
    m->x->ends[index] = tls_end_of(chain.own);
    bool good = use_chain(m, &chain, p, index);
    tls_pem_chain_free(&chain);
    if (!good)
        return false;
    key = tls_pem_key(&p->key, m->s->passwords, m->s->password_count, m->e, index);
    return key && use_key(m, key, p, index);
}

static bool set_pairs(struct making *m)
{
    m->x->ends = calloc(m->s->pair_count + 1, sizeof *m->x->ends);
    if (!m->x->ends)
        return tls_fail(m->e, TLS_ABOUT_ALL, 0, "memory is short");
    for (unsigned i = 0; i < m->s->pair_count; i++) {
        m->x->ends[i] = -1;
        if (!m->s->pairs[i].certificate.content.data)
            m->x->dynamic = true;
        else if (!set_pair(m, i))
            return false;
    }
    tls_compress_set(m->ctx, m->s->certificate_compression);
    return true;
}

/* ---- ciphers ---- */

static bool set_ciphers(struct making *m)
{
    struct str list = m->s->ciphers;

    return list.len == 0 || SSL_CTX_set_cipher_list(m->ctx, list.data) == 1 ||
           refuse(m, TLS_ABOUT_CIPHERS, 0, "cannot use ciphers", list);
}

/* The library's own choice without groups of finite fields (RFC 7919): nobody needs them, and what a
 * client's word makes the server compute for one is an attack.  The first list that the library knows. */
static bool choose_curves(SSL_CTX *ctx)
{
    static const char *const lists[] = {
        "X25519MLKEM768:X25519:P-256:X448:P-384:P-521", "X25519:P-256:X448:P-384:P-521",
        "P-256:P-384:P-521",
    };

    for (unsigned i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        if (SSL_CTX_set1_curves_list(ctx, lists[i]) == 1)
            break;
        ERR_clear_error();
    }
    return true;
}

static bool set_curves(struct making *m)
{
    struct str list = m->s->curves;

    if (list.len == 0 || str_eq(list, STR("auto")))
        return choose_curves(m->ctx);
    if (SSL_CTX_set1_curves_list(m->ctx, list.data) != 1)
        return refuse(m, TLS_ABOUT_CURVES, 0, "cannot use curves", list);
    m->x->curves = strdup(list.data);
    return m->x->curves || tls_fail(m->e, TLS_ABOUT_CURVES, 0, "memory is short");
}

static bool set_dhparam(struct making *m)
{
    const struct tls_text *text = &m->s->dhparam;

    if (!text->content.data)
        return true;
    BIO *bio = BIO_new_mem_buf(text->content.data, (int)text->content.len);
    bool good = bio && tls_version_set_dh(m->ctx, bio);
    BIO_free(bio);
    return good || refuse(m, TLS_ABOUT_DHPARAM, 0, "cannot use Diffie-Hellman parameters",
                          text->name);
}

/* ---- clients ---- */

static bool trust(struct making *m, const struct tls_text *text, enum tls_subject about,
                  STACK_OF(X509_NAME) *told)
{
    X509_STORE *store = SSL_CTX_get_cert_store(m->ctx);

    if (!text->content.data)
        return true;
    STACK_OF(X509) *all = tls_pem_certificates(text, m->e, about);
    if (!all)
        return false;
    for (int i = 0; i < sk_X509_num(all); i++) {
        X509 *one = sk_X509_value(all, i);
        X509_NAME *name = X509_get_subject_name(one);
        X509_STORE_add_cert(store, one);       /* one that is there already does no harm */
        if (told && sk_X509_NAME_find(told, name) < 0)
            sk_X509_NAME_push(told, X509_NAME_dup(name));
    }
    sk_X509_pop_free(all, X509_free);
    ERR_clear_error();
    return true;
}

static int compare_names(const X509_NAME *const *a, const X509_NAME *const *b)
{
    return X509_NAME_cmp(*a, *b);
}

static bool set_clients(struct making *m)
{
    const struct tls_settings *s = m->s;
    STACK_OF(X509_NAME) *told = sk_X509_NAME_new(compare_names);

    m->x->verify = s->verify;
    SSL_CTX_set_verify_depth(m->ctx, (int)s->verify_depth);
    if (!told || !trust(m, &s->client_ca, TLS_ABOUT_CLIENT_CA, told) ||
        !trust(m, &s->trusted, TLS_ABOUT_TRUSTED, NULL)) {
        sk_X509_NAME_pop_free(told, X509_NAME_free);
        return false;
    }
    SSL_CTX_set_client_CA_list(m->ctx, told);
    if (!s->crl.content.data)
        return true;
    X509_STORE *store = SSL_CTX_get_cert_store(m->ctx);
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return tls_pem_crl(&s->crl, store, m->e);
}

/* Of a client's: whom it trusts. */
static bool set_trusted(struct making *m)
{
    X509_STORE *store = SSL_CTX_get_cert_store(m->ctx);

    SSL_CTX_set_verify_depth(m->ctx, (int)m->s->verify_depth);
    if (!trust(m, &m->s->trusted, TLS_ABOUT_TRUSTED, NULL))
        return false;
    if (!m->s->crl.content.data)
        return true;
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return tls_pem_crl(&m->s->crl, store, m->e);
}

/* ---- sessions ---- */

static void digest_text(struct sha256 *h, struct str text)
{
    char space[8];
    struct out o = out_fixed(space, sizeof space);

    out_u64(&o, text.len);
    sha256_update(h, out_str_of(&o));
    sha256_update(h, text);
}

/* What sessions must not cross: a client that was let in under other rules, or was shown another
 * certificate, begins anew. */
static bool set_identity(struct making *m)
{
    const struct tls_settings *s = m->s;
    char rules[2] = { (char)s->verify, (char)s->verify_depth };
    unsigned char id[SHA256_SIZE];
    struct sha256 h;

    sha256_init(&h);
    digest_text(&h, s->client_ca.content);
    digest_text(&h, s->trusted.content);
    digest_text(&h, s->crl.content);
    digest_text(&h, s->client_rules);
    sha256_update(&h, (struct str){ rules + 1, 1 });
    struct sha256 all = h;
    sha256_final(&h, m->x->clients);

    sha256_update(&all, (struct str){ rules, 1 });
    for (unsigned i = 0; i < s->pair_count; i++) {
        const struct tls_text *t = &s->pairs[i].certificate;
        digest_text(&all, t->content.data ? t->content : t->name);
    }
    digest_text(&all, s->identity);
    sha256_final(&all, id);
    return SSL_CTX_set_session_id_context(m->ctx, id, sizeof id) == 1;
}

static bool set_sessions(struct making *m)
{
    tls_sessions_set(m->ctx, m->s);
    tls_tickets_set(m->ctx, m->s);
    return true;
}

void tls_log_key(const struct tls_context *x, const char *line)
{
    char space[1024];
    struct out o = out_fixed(space, sizeof space);

    out_str(&o, str_of(line));
    out_char(&o, '\n');
    if (!o.overflow && x->current && x->key_log && x->key_log->fd >= 0 &&
        write(x->key_log->fd, space, out_len(&o)) < 0)
        ERR_clear_error();             /* a full disk stops no handshake */
}

static void on_key_log(const SSL *ssl, const char *line)
{
    tls_log_key(((struct tls *)SSL_get_app_data(ssl))->context, line);
}

static bool set_key_log(struct making *m)
{
    if (!m->client)
        tls_takeover_set(m->ctx, m->s->key_log != NULL);
    else if (m->s->key_log)
        SSL_CTX_set_keylog_callback(m->ctx, on_key_log);
    return true;
}

/* ---- commands ---- */

static bool is_of_files(int type)
{
    return type != SSL_CONF_TYPE_STRING && type != SSL_CONF_TYPE_NONE;
}

static bool set_commands(struct making *m)
{
    SSL_CONF_CTX *conf = m->s->command_count ? SSL_CONF_CTX_new() : NULL;
    bool good = true;

    if (!conf)
        return m->s->command_count == 0;
    SSL_CONF_CTX_set_flags(conf, SSL_CONF_FLAG_FILE | SSL_CONF_FLAG_CERTIFICATE |
                                     SSL_CONF_FLAG_SHOW_ERRORS |
                                     (m->client ? SSL_CONF_FLAG_CLIENT : SSL_CONF_FLAG_SERVER));
    SSL_CONF_CTX_set_ssl_ctx(conf, m->ctx);
    for (unsigned i = 0; good && i < m->s->command_count; i++) {
        const struct tls_command *c = &m->s->commands[i];
        int result = SSL_CONF_cmd(conf, c->name.data, c->value.data);
        m->x->keeps_library |= str_eq_nocase(c->name, STR("RecordPadding"));
        m->x->reads_files |= is_of_files(SSL_CONF_cmd_value_type(conf, c->name.data));
        if (result == -2)
            good = tls_fail(m->e, TLS_ABOUT_COMMAND, i, "OpenSSL knows no command \"%.*s\"",
                            STR_ARG(c->name));
        else if (result <= 0)
            good = refuse(m, TLS_ABOUT_COMMAND, i, c->name.data, c->value);
    }
    if (good && SSL_CONF_CTX_finish(conf) != 1)
        good = refuse(m, TLS_ABOUT_COMMAND, 0, "commands cannot be carried out", STR(""));
    SSL_CONF_CTX_free(conf);
    return good;
}

/* Commands may have asked for it. */
static bool set_kernel(struct making *m)
{
    m->x->kernel = tls_version_wants_kernel(m->ctx);
    if (m->x->kernel)
        SSL_CTX_set_mode(m->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                     SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return true;
}

static bool set_callbacks(struct making *m)
{
    if (m->client)
        tls_client_set(m->x);
    else
        tls_handshake_set(m->x);
    return true;
}

/* In this order: commands may change all that was set before. */
static bool (*const server_steps[])(struct making *m) = {
    set_protocols, set_options, set_pairs, set_ciphers, set_curves, set_dhparam, set_clients,
    set_identity, set_sessions, set_key_log, set_callbacks, set_commands, set_kernel, NULL,
};
static bool (*const client_steps[])(struct making *m) = {
    set_protocols, set_options, set_pairs, set_ciphers, set_trusted, set_key_log, set_callbacks,
    set_commands, set_kernel, NULL,
};

/* What the library makes connections of. */
static bool build(struct making *m, const unsigned char *digest)
{
    bool (*const *steps)(struct making *m) = m->client ? client_steps : server_steps;

    m->ctx = m->x->ctx = SSL_CTX_new(m->client ? TLS_client_method() : TLS_server_method());
    bool good = m->ctx != NULL;
    for (unsigned i = 0; good && steps[i]; i++)
        good = steps[i](m);
    if (good && tls_shared_new(m->x, digest))
        return true;
    SSL_CTX_free(m->ctx);
    free(m->x->curves);
    free(m->x->ends);
    return false;
}

/* What its generation gives it. */
static bool own(struct making *m)
{
    struct tls_context *x = m->x;
    const struct tls_settings *s = m->s;

    x->references = 1;
    x->current = true;
    x->owner = s->owner;
    x->session_timeout = s->session_timeout;
    x->session_zone = s->session_zone;
    x->ticket_zone = s->ticket_zone;
    x->key_log = s->key_log;
    return m->client || tls_tickets_keys(x, s, m->e);
}

static struct tls_context *make(const struct tls_settings *s, bool client, struct tls_error *e)
{
    struct making m = { .s = s, .e = e, .x = calloc(1, sizeof *m.x), .client = client };
    unsigned char digest[SHA256_SIZE];

    ERR_clear_error();
    tls_fail(e, TLS_ABOUT_ALL, 0, "memory is short");
    if (!m.x || !tls_shared_digest(s, client, digest) ||
        (!tls_shared_join(m.x, digest) && !build(&m, digest))) {
        free(m.x);
        return NULL;
    }
    if (own(&m))
        return m.x;
    tls_context_free(m.x);
    return NULL;
}

struct tls_context *tls_context_new(const struct tls_settings *s, struct tls_error *e)
{
    return make(s, false, e);
}

struct tls_context *tls_client_new(const struct tls_settings *s, struct tls_error *e)
{
    return make(s, true, e);
}

const struct tls_context *tls_context_ref(const struct tls_context *x)
{
    ((struct tls_context *)(uintptr_t)x)->references++;
    return x;
}

void tls_context_free(struct tls_context *x)
{
    if (!x)
        return;
    x->current = false;
    tls_context_unref(x);
}

void tls_context_unref(const struct tls_context *shared)
{
    struct tls_context *x = (struct tls_context *)(uintptr_t)shared;

    if (--x->references > 0)
        return;
    tls_client_sessions_free(x->client_sessions);
    tls_staples_free(x);
    tls_shared_leave(x);
    free(x->keys);
    free(x);
}

/*
 * ssl_client: clients' handshakes, and what their certificates are worth.
 */
#include <errno.h>

#include "config/thread_pools.h"
#include "event/threads.h"
#include "http/core.h"
#include "http/host.h"
#include "http/http.h"
#include "http/modules/ssl/ssl_conf.h"
#include "http/modules/ssl/ssl_files.h"
#include "http/request.h"
#include "http/v1/v1.h"
#include "http/v2/v2.h"
#include "modules_enabled.h"
#include "upstream/ocsp/ocsp_check.h"

/* Of one listener in one generation. */
struct ssl_listen {
    struct tls_acceptor acceptor;      /* first: it is what handshakes hand back */
    const struct http_listen *listen;
};

static struct client *client_of_connection(struct connection *c)
{
    return (struct client *)(void *)c;
}

/* ---- which server ---- */

/* What ALPN offers: HTTP/2 where the server has it. */
static struct str protocols(const struct http_listen *l, const struct http_server *server)
{
    const struct str all = STR("\x02h2\x08http/1.1\x08http/1.0\x08http/0.9");

    IF_MODULE_v2(if (v2_enabled(server->root.conf, l))
        return all;)
    (void)l;
    (void)server;
    return str_from(all, 3);
}

static enum tls_choice choose(const struct tls_acceptor *a, struct connection *c, struct str name,
                              const struct tls_context **context)
{
    const struct http_listen *l = ((const struct ssl_listen *)a)->listen;
    const struct http_server *server = l->default_server;
    struct arena scratch;

    arena_init(&scratch);
    if (name.len)
        server = host_find_named(l, name, &scratch);
    tls_offer(c, protocols(l, server));
    const struct ssl_conf *conf = ssl_conf(server->root.conf);
    arena_fini(&scratch);
    if (conf->reject_handshake)
        return TLS_REJECT;
    *context = conf->context;
    return TLS_USE;
}

/* ---- certificates that have variables in their names ---- */

static bool certify_with(struct client *c, const struct ssl_conf *conf, struct request *r)
{
    struct tls_error e;

    for (unsigned i = 0; i < conf->certificates.count; i++) {
        const struct template *own = &conf->certificates.items[i], *key = &conf->keys.items[i];
        if (template_is_text(own) && template_is_text(key))
            continue;                          /* the context has it */
        struct str certificate = ssl_files_name(r, own), secret = ssl_files_name(r, key);
        if (certificate.len == 0 || secret.len == 0)
            continue;
        if (!tls_use_pair(&c->connection, certificate, secret, conf->passwords,
                          conf->password_count, conf->cache, &e)) {
            client_log(c, LOG_LEVEL_ERROR, 0, "%s while SSL handshaking", e.text);
            return false;
        }
    }
    return true;
}

/* Variables belong to requests, so there is one for as long as they are asked for. */
static bool certify(const struct tls_acceptor *a, struct connection *connection)
{
    struct client *c = client_of_connection(connection);
    const struct ssl_conf *conf = tls_context_owner(tls_context_of(connection));
    struct request *r = request_new(c, &v1_wire);

    (void)a;
    if (!r)
        return false;
    bool good = certify_with(c, conf, r) && !r->script.failed;
    struct arena arena = r->arena;
    struct generation *g = r->generation;
    arena_fini(&arena);
    generation_unref(g);
    return good;
}

/* ---- whether the client's certificates were taken back ---- */

static void on_checked(void *owner)
{
    client_wake(owner);
}

/* false: there is nothing to be checked. */
static bool begin_check(struct client *c)
{
    const struct ssl_conf *conf = tls_context_owner(tls_context_of(&c->connection));
    const char *reason;
    int code;

    if (!conf->check || tls_client(&c->connection, false, &reason, &code) != TLS_CLIENT_GOOD)
        return false;
    c->check = ocsp_check_start(conf->check, &c->connection, on_checked, c);
    if (!c->check)
        tls_set_client_fault(&c->connection, "certificate status request failed");
    return c->check != NULL;
}

/* false: the answer is still to come. */
static bool await_check(struct client *c)
{
    struct str trouble = ocsp_check_trouble(c->check);

    if (!ocsp_check_over(c->check))
        return false;
    if (trouble.len)
        client_log(c, LOG_LEVEL_ERROR, 0, "no OCSP answer about the client's certificate: %.*s",
                   STR_ARG(trouble));
    if (ocsp_check_fault(c->check))
        tls_set_client_fault(&c->connection, ocsp_check_fault(c->check));
    ssl_abandon(c);
    return true;
}

void ssl_abandon(struct client *c)
{
    ocsp_check_end(c->check);
    c->check = NULL;
}

/* ---- handshakes ---- */

/* The same threads that open files and hash passwords. */
static struct thread_pool *threads(const struct tls_acceptor *a)
{
    const struct http_listen *l = ((const struct ssl_listen *)a)->listen;
    const struct pool_conf *p = thread_pools_find(l->spec->generation, STR("default"));

    return threads_pool(p->name, p->threads, p->max_queue);
}

struct tls_acceptor *ssl_acceptor(struct arena *a, const struct http_listen *l,
                                  const struct tls_context *context)
{
    struct ssl_listen *s = ARENA_NEW(a, struct ssl_listen);

    s->listen = l;
    s->acceptor = (struct tls_acceptor){
        .context = context, .choose = choose, .certify = certify, .threads = threads,
        .alpn = protocols(l, l->default_server),
    };
    return &s->acceptor;
}

/* The generation whose acceptor is asked stays as long as the handshake takes. */
static void pin(struct client *c, struct generation *g)
{
    if (c->accepted == g)
        return;
    generation_ref(g);
    if (c->accepted)
        generation_unref(c->accepted);
    c->accepted = g;
}

/* Looks at the first byte: a handshake, or HTTP in clear. */
static enum ssl_progress begin(struct client *c)
{
    const struct http_listen *l = c->listener->spec->object;
    int first = tls_peek(&c->connection);

    if (first == IO_AGAIN)
        return SSL_WAIT;
    if (first == IO_ERROR) {
        client_log(c, LOG_LEVEL_INFO, errno, "client closed connection while SSL handshaking");
        return SSL_FAILED;
    }
    if (!first || !l->tls)
        return SSL_PLAIN;
    if (tls_accept(&c->connection, l->tls)) {
        pin(c, l->spec->generation);
        return SSL_READY;
    }
    client_log(c, LOG_LEVEL_CRIT, ENOMEM, "a connection of TLS could not be made");
    return SSL_FAILED;
}

static enum ssl_progress ready(const struct client *c)
{
    return str_eq(tls_alpn(&c->connection), STR("h2")) ? SSL_READY_V2 : SSL_READY;
}

enum ssl_progress ssl_handshake(struct client *c)
{
    struct tls_fault f;

    if (c->check)
        return await_check(c) ? ready(c) : SSL_WAIT;
    if (!tls_is(c->connection.transport)) {
        enum ssl_progress begun = begin(c);
        if (begun != SSL_READY)
            return begun;
    }
    switch (tls_handshake(&c->connection, &f)) {
    case TLS_DONE:
        return !begin_check(c) || await_check(c) ? ready(c) : SSL_WAIT;
    case TLS_AGAIN:
        return SSL_WAIT;
    case TLS_FAILED:
        break;
    }
    client_log(c, (int)f.level, f.error, "%s while SSL handshaking", f.text);
    return SSL_FAILED;
}

/* ---- what a request's server asks of its client ---- */

static int refuse(struct request *r, int status, const char *why)
{
    tls_forget_session(&r->client->connection);
    request_log(r, LOG_LEVEL_INFO, 0, "%s", why);
    return status;
}

/* The handshake was one of other rules than those of the server that the request asks for. */
static int check_rules(struct request *r, const struct ssl_conf *conf)
{
    const struct connection *c = &r->client->connection;
    const char *reason;
    int code;

    if (conf->context)
        return tls_context_same_clients(conf->context, tls_context_of(c))
                   ? STEP_NEXT
                   : refuse(r, STATUS_MISDIRECTED_REQUEST, "client attempted to request the server "
                            "name different from the one that was negotiated");
    /* A server without a certificate of its own has nothing to judge a client's by. */
    return tls_client(c, false, &reason, &code) == TLS_CLIENT_NONE ? STATUS_CERTIFICATE_REQUIRED
                                                                   : STATUS_CERTIFICATE_ERROR;
}

static int check_client(struct request *r)
{
    const struct ssl_conf *conf = ssl_conf(r->conf);
    const char *reason;
    int code;

    if (r->parent || !tls_is(r->client->connection.transport))
        return STEP_NEXT;
    int status = check_rules(r, conf);
    if (status != STEP_NEXT)
        return status;
    switch (tls_client(&r->client->connection, conf->verify == TLS_VERIFY_OPTIONAL_NO_CA, &reason,
                       &code)) {
    case TLS_CLIENT_NONE:
        return conf->verify == TLS_VERIFY_ON
                   ? refuse(r, STATUS_CERTIFICATE_REQUIRED,
                            "client sent no required SSL certificate")
                   : STEP_NEXT;
    case TLS_CLIENT_GOOD:
        return STEP_NEXT;
    case TLS_CLIENT_BAD:
        break;
    }
    request_log(r, LOG_LEVEL_INFO, 0, "client SSL certificate verify error: (%d:%s)", code, reason);
    tls_forget_session(&r->client->connection);
    return STATUS_CERTIFICATE_ERROR;
}

static bool enabled(void *const *conf)
{
    return ssl_conf(conf)->verify != TLS_VERIFY_OFF;
}

const struct http_step ssl_step = { "ssl", PHASE_POST_READ, enabled, check_client };

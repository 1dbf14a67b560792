/*
 * ssl_variables: $ssl_...: what a handshake agreed on, and what the client showed of itself.
 */
#include "http/escape.h"
#include "http/http.h"
#include "http/modules/ssl/ssl_conf.h"
#include "http/request.h"
#include "script/variable.h"

enum { TEXT_MAX = 1 << 20 };           /* bytes of an encoded certificate */

static const struct connection *connection_of(const struct script *s)
{
    const struct connection *c = &((const struct request *)s->object)->client->connection;

    return tls_is(c->transport) ? c : NULL;
}

static bool get_info(struct script *s, const struct variable *var, struct value *v)
{
    const struct connection *c = connection_of(s);

    return value_give(v, c ? tls_info(c, (enum tls_info)var->data, s->arena)
                           : (struct str){ NULL, 0 });
}

static bool get_escaped(struct script *s, const struct variable *var, struct value *v)
{
    const struct connection *c = connection_of(s);
    struct str raw = c ? tls_info(c, (enum tls_info)var->data, s->arena) : STR("");
    struct out o = out_growing(s->arena, TEXT_MAX);

    escape_component(&o, raw);
    return value_give(v, out_str_of(&o));
}

static bool get_verify(struct script *s, const struct variable *var, struct value *v)
{
    const struct connection *c = connection_of(s);
    const char *reason;
    int code;

    (void)var;
    if (!c)
        return value_give(v, (struct str){ NULL, 0 });
    switch (tls_client(c, false, &reason, &code)) {
    case TLS_CLIENT_NONE:
        return value_give(v, STR("NONE"));
    case TLS_CLIENT_GOOD:
        return value_give(v, STR("SUCCESS"));
    case TLS_CLIENT_BAD:
        break;
    }
    return value_give(v, arena_concat(s->arena, STR("FAILED:"), str_of(reason)));
}

/* What this OpenSSL does not have. */
static bool get_none(struct script *s, const struct variable *var, struct value *v)
{
    (void)s;
    (void)var;
    return value_give(v, (struct str){ NULL, 0 });
}

#define INFO(text, what, bits)                                                                     \
    { .name = STR_INIT(text), .get = get_info, .data = what, .flags = bits }

const struct variable ssl_variables[] = {
    INFO("ssl_protocol", TLS_INFO_PROTOCOL, 0),
    INFO("ssl_cipher", TLS_INFO_CIPHER, 0),
    INFO("ssl_ciphers", TLS_INFO_CIPHERS, 0),
    INFO("ssl_curve", TLS_INFO_CURVE, 0),
    INFO("ssl_curves", TLS_INFO_CURVES, 0),
    INFO("ssl_sigalg", TLS_INFO_SIGALG, 0),
    INFO("ssl_sigalgs", TLS_INFO_SIGALGS, 0),
    INFO("ssl_client_sigalg", TLS_INFO_CLIENT_SIGALG, 0),
    INFO("ssl_session_id", TLS_INFO_SESSION_ID, 0),
    INFO("ssl_session_reused", TLS_INFO_SESSION_REUSED, 0),
    INFO("ssl_early_data", TLS_INFO_EARLY_DATA, VARIABLE_VOLATILE),
    INFO("ssl_server_name", TLS_INFO_SERVER_NAME, 0),
    INFO("ssl_alpn_protocol", TLS_INFO_ALPN, 0),
    INFO("ssl_client_cert", TLS_INFO_CLIENT_CERT, 0),
    INFO("ssl_client_raw_cert", TLS_INFO_CLIENT_RAW_CERT, 0),
    { .name = STR_INIT("ssl_client_escaped_cert"), .get = get_escaped,
      .data = TLS_INFO_CLIENT_RAW_CERT },
    INFO("ssl_client_s_dn", TLS_INFO_CLIENT_SUBJECT, 0),
    INFO("ssl_client_i_dn", TLS_INFO_CLIENT_ISSUER, 0),
    INFO("ssl_client_s_dn_legacy", TLS_INFO_CLIENT_SUBJECT_LEGACY, 0),
    INFO("ssl_client_i_dn_legacy", TLS_INFO_CLIENT_ISSUER_LEGACY, 0),
    INFO("ssl_client_serial", TLS_INFO_CLIENT_SERIAL, 0),
    INFO("ssl_client_fingerprint", TLS_INFO_CLIENT_FINGERPRINT, 0),
    INFO("ssl_client_v_start", TLS_INFO_CLIENT_START, 0),
    INFO("ssl_client_v_end", TLS_INFO_CLIENT_END, 0),
    INFO("ssl_client_v_remain", TLS_INFO_CLIENT_REMAIN, 0),
    { .name = STR_INIT("ssl_client_verify"), .get = get_verify },
    { .name = STR_INIT("ssl_ech_status"), .get = get_none },
    { .name = STR_INIT("ssl_ech_outer_server_name"), .get = get_none },
    { .name = { NULL, 0 } },
};

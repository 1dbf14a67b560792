/*
 * ssl: see ssl.h.  The rows, and how their values are read.
 */
#include "http/modules/ssl/ssl.h"

#include "config/types.h"
#include "config/zone_words.h"
#include "http/http.h"
#include "http/modules/ssl/ssl_conf.h"
#include "http/modules/ssl/ssl_ocsp.h"

struct file_list {
    ARRAY(struct str) all;
};

static bool parse_files(struct setting *s, void *field)
{
    struct file_list *list = field;

    *ARRAY_PUSH(&list->all, setting_arena(s)) = setting_conf_path(s, setting_arg(s, 1));
    return true;
}

static void print_files(const struct directive *row, const void *field, struct out *o)
{
    const struct file_list *list = field;

    (void)row;
    for (unsigned i = 0; i < list->all.count; i++) {
        if (i)
            OUT_LITERAL(o, "; ");
        print_word(o, list->all.items[i]);
    }
}

static const struct type type_files = { "file", "a file", parse_files, print_files };

/* ---- sessions ---- */

static const char session_zone_tag;

/* shared:name:size */
static bool parse_shared(struct setting *s, unsigned word, struct str text, struct ssl_sessions *x)
{
    struct str name;
    size_t size;

    if (!zone_words_parse(s, word, text, &name, &size))
        return false;
    x->shared = zone_words_define(s, word, name, size, &session_zone_tag);
    if (!x->shared)
        return false;
    x->shared->init = tls_sessions_zone_init;
    return true;
}

static bool parse_builtin(struct setting *s, unsigned word, struct str text, struct ssl_sessions *x)
{
    unsigned n = 0;

    x->builtin = -1;
    if (text.len && (!str_starts(text, STR(":")) ||
                     !str_to_uint(str_from(text, 1), 1u << 30, &n) || n == 0))
        return setting_error(s, word, "invalid session cache \"builtin%.*s\"", STR_ARG(text));
    if (text.len)
        x->builtin = (long)n;
    return true;
}

/* off | none | [builtin[:size]] [shared:name:size] */
static bool parse_sessions(struct setting *s, void *field)
{
    struct ssl_sessions *x = field;

    *x = (struct ssl_sessions){ .kind = TLS_SESSIONS_KEPT };
    for (unsigned i = 1; i < s->node->count; i++) {
        struct str word = setting_arg(s, i);
        bool good = true;
        if (str_eq(word, STR("off")))
            x->kind = TLS_SESSIONS_OFF;
        else if (str_eq(word, STR("none")))
            x->kind = TLS_SESSIONS_NONE;
        else if (str_starts(word, STR("builtin")))
            good = parse_builtin(s, i, str_from(word, 7), x);
        else if (str_starts(word, STR("shared:")))
            good = parse_shared(s, i, str_from(word, 7), x);
        else
            good = setting_error(s, i, "invalid session cache \"%.*s\"", STR_ARG(word));
        if (!good)
            return false;
    }
    return true;
}

static void print_sessions(const struct directive *row, const void *field, struct out *o)
{
    const struct ssl_sessions *x = field;

    (void)row;
    if (x->kind != TLS_SESSIONS_KEPT)
        out_str(o, x->kind == TLS_SESSIONS_OFF ? STR("off") : STR("none"));
    else if (x->builtin < 0)
        OUT_LITERAL(o, "builtin");
    else if (x->builtin > 0)
        out_printf(o, "builtin:%ld", x->builtin);
    if (x->shared)
        out_printf(o, "%sshared:%.*s:%zu", x->builtin ? " " : "", STR_ARG(x->shared->name),
                   x->shared->size);
}

static const struct type type_sessions = {
    "off | none | [builtin[:size]] [shared:name:size]",
    "off, none, builtin, builtin:size or shared:name:size", parse_sessions, print_sessions,
};

/* ---- others ---- */

/* What OpenSSL 4 brings. */
static bool parse_ech(struct setting *s, void *field)
{
    setting_warn(s, 0, "\"ssl_ech_file\" is ignored: this OpenSSL has no Encrypted Client Hello");
    return parse_files(s, field);
}

static const struct type type_ech = { "file", "a file", parse_ech, print_files };

static bool parse_compression(struct setting *s, void *field)
{
    if (!type_flag.parse(s, field))
        return false;
    if (*(bool *)field && !tls_can_compress())
        setting_warn(s, 0, "\"ssl_certificate_compression\" is ignored: this OpenSSL has no "
                     "compression of certificates");
    return true;
}

static void print_compression(const struct directive *row, const void *field, struct out *o)
{
    type_flag.print(row, field, o);
}

static const struct type type_compression = {
    "on | off", "on or off", parse_compression, print_compression,
};

static const struct name_value verifications[] = {
    { "off", TLS_VERIFY_OFF }, { "on", TLS_VERIFY_ON }, { "optional", TLS_VERIFY_OPTIONAL },
    { "optional_no_ca", TLS_VERIFY_OPTIONAL_NO_CA }, { NULL, 0 },
};

/* ---- rows ---- */

#define PLACES (IN_HTTP | IN_SERVER)

static const struct directive rows[] = {
    { "ssl", PLACES, ARGS(1), &type_flag, FIELD(struct ssl_conf, on),
      .initial = "off", .flags = DEPRECATED,
      .help = "TLS on all addresses of a server; write \"listen ... ssl\" instead." },
    { "ssl_certificate", PLACES, ARGS(1), &type_ssl_certificate, FIELD(struct ssl_conf, certificates),
      .flags = REPEATS,
      .help = "The server's certificate, and behind it the chain to its CA, in PEM form.  Several "
              "of different kinds (ECDSA, RSA) may be given: each client gets the one it can use." },
    { "ssl_certificate_key", PLACES, ARGS(1), &type_ssl_certificate, FIELD(struct ssl_conf, keys),
      .flags = REPEATS,
      .help = "The secret key of the certificate that stands at the same place in order." },
    { "ssl_certificate_cache", PLACES, ARGS_RANGE(1, 3), &type_ssl_certificate_cache,
      FIELD(struct ssl_conf, certificate_cache), .initial = "off",
      .help = "How many certificates and keys that are named by variables are kept, how long those "
              "not used, and when they are read anew." },
    { "ssl_certificate_compression", PLACES, ARGS(1), &type_compression,
      FIELD(struct ssl_conf, certificate_compression),
      .initial = "off", .help = "Send certificates compressed (RFC 8879)." },
    { "ssl_password_file", PLACES, ARGS(1), &type_ssl_file, FIELD(struct ssl_conf, password_file),
      .help = "Passwords of secret keys, one in a line; each is tried." },
    { "ssl_dhparam", PLACES, ARGS(1), &type_ssl_file, FIELD(struct ssl_conf, dhparam),
      .help = "Diffie-Hellman parameters, for ciphers that need them." },
    { "ssl_ecdh_curve", PLACES, ARGS(1), &type_str, FIELD(struct ssl_conf, curves),
      .initial = "auto",
      .help = "Groups for the exchange of keys, the best first; auto: all of elliptic curves." },
    { "ssl_protocols", PLACES, ARGS_RANGE(1, ARGS_ANY), &type_bitmask,
      FIELD(struct ssl_conf, protocols),
      .initial = "TLSv1.2 TLSv1.3", .data = ssl_protocols, .help = "Versions that clients may speak." },
    { "ssl_ciphers", PLACES, ARGS(1), &type_str, FIELD(struct ssl_conf, ciphers),
      .initial = "ECDHE+AESGCM:ECDHE+CHACHA20",
      .help = "Ciphers of TLS 1.2 and before, as openssl-ciphers(1) has them.  Those that are on "
              "without this line are all that clients of today need; nginx has HIGH:!aNULL:!MD5." },
    { "ssl_prefer_server_ciphers", PLACES, ARGS(1), &type_flag,
      FIELD(struct ssl_conf, prefer_server_ciphers), .initial = "on",
      .help = "The server's order of ciphers counts, not the client's; but clients whose first is "
              "ChaCha20, for want of hardware, get that.  nginx has off." },
    { "ssl_buffer_size", PLACES, ARGS(1), &type_size, FIELD(struct ssl_conf, buffer_size),
      .initial = "16k",
      .help = "The largest record that is sent.  The first of a response are smaller by themselves, "
              "so that it begins early." },
    { "ssl_verify_client", PLACES, ARGS(1), &type_enum, FIELD(struct ssl_conf, verify),
      .initial = "off", .data = verifications,
      .help = "Whether clients must show a certificate; optional_no_ca: it need not be of a known "
              "CA." },
    { "ssl_verify_depth", PLACES, ARGS(1), &type_number, FIELD(struct ssl_conf, verify_depth),
      .initial = "1",
      .help = "How many certificates may stand between a client's and the CA's." },
    { "ssl_client_certificate", PLACES, ARGS(1), &type_ssl_file,
      FIELD(struct ssl_conf, client_certificate),
      .help = "Certificates of CAs that clients' may be of; their names are told to clients." },
    { "ssl_trusted_certificate", PLACES, ARGS(1), &type_ssl_file,
      FIELD(struct ssl_conf, trusted_certificate),
      .help = "The same, but not told to clients." },
    { "ssl_crl", PLACES, ARGS(1), &type_ssl_file, FIELD(struct ssl_conf, crl),
      .help = "Lists of certificates that were taken back, of every CA that is trusted." },
    { "ssl_ocsp", PLACES, ARGS(1), &type_enum, FIELD(struct ssl_conf, ocsp),
      .initial = "off", .data = ssl_ocsp_modes,
      .help = "Ask OCSP responders whether a client's certificates were taken back, before its first "
              "request is served; leaf: its own alone.  Each answer may take 10 seconds; without one "
              "the client is refused." },
    { "ssl_ocsp_cache", PLACES, ARGS(1), &type_ssl_ocsp_cache, FIELD(struct ssl_conf, ocsp_cache),
      .initial = "off",
      .help = "Where answers about clients' certificates are kept for all workers, until newer ones "
              "are due." },
    { "ssl_ocsp_responder", PLACES, ARGS(1), &type_ssl_ocsp_responder,
      FIELD(struct ssl_conf, ocsp_responder),
      .help = "The responder that is asked about clients' certificates, instead of those that they "
              "name." },
    { "ssl_stapling", PLACES, ARGS(1), &type_flag, FIELD(struct ssl_conf, stapling), .initial = "off",
      .help = "Show an OCSP responder's answer with the server's certificate, so that clients need not "
              "ask.  It is fetched and renewed in the background; no handshake waits for it." },
    { "ssl_stapling_file", PLACES, ARGS(1), &type_ssl_file, FIELD(struct ssl_conf, stapling_file),
      .help = "A file with that answer, in DER form; no responder is asked then." },
    { "ssl_stapling_responder", PLACES, ARGS(1), &type_str,
      FIELD(struct ssl_conf, stapling_responder),
      .help = "The responder that is asked, instead of the one that the certificate names." },
    { "ssl_stapling_verify", PLACES, ARGS(1), &type_flag, FIELD(struct ssl_conf, stapling_verify),
      .initial = "off",
      .help = "Answers must be signed by the certificate's CA, or whom it trusts with that; "
              "ssl_trusted_certificate may have to name that CA." },
    { "ssl_session_cache", PLACES, ARGS_RANGE(1, 2), &type_sessions,
      FIELD(struct ssl_conf, sessions),
      .initial = "none", .help = "Where sessions are kept that clients may resume." },
    { "ssl_session_tickets", PLACES, ARGS(1), &type_flag, FIELD(struct ssl_conf, tickets),
      .initial = "on",
      .help = "Clients keep their sessions themselves, encrypted for this server." },
    { "ssl_session_ticket_key", PLACES, ARGS(1), &type_files, FIELD(struct ssl_conf, ticket_keys),
      .flags = REPEATS,
      .help = "A file with a key of tickets (48 or 80 random bytes); the first closes tickets, all "
              "open them.  Without any the keys are made, changed each ssl_session_timeout, and "
              "shared by all workers." },
    { "ssl_session_timeout", PLACES, ARGS(1), &type_seconds,
      FIELD(struct ssl_conf, session_timeout), .initial = "5m",
      .help = "How long a session may be resumed." },
    { "ssl_early_data", PLACES, ARGS(1), &type_flag, FIELD(struct ssl_conf, early_data),
      .initial = "off",
      .help = "Requests may come with the first bytes of a resumed session.  Such a request can be "
              "sent again by a thief: pass $ssl_early_data on as the field Early-Data." },
    { "ssl_reject_handshake", PLACES, ARGS(1), &type_flag, FIELD(struct ssl_conf, reject_handshake),
      .initial = "off",
      .help = "Refuse the handshakes of clients that ask for this server." },
    { "ssl_conf_command", PLACES, ARGS(2), &type_ssl_command, FIELD(struct ssl_conf, commands),
      .flags = REPEATS,
      .help = "A setting of OpenSSL itself: SSL_CONF_cmd(3)." },
    { "ssl_key_log", PLACES, ARGS(1), &type_ssl_key_log, FIELD(struct ssl_conf, key_log),
      .help = "A file that gets the secrets of all connections, so that tools such as Wireshark can "
              "read what was recorded.  For tests alone." },
    { "ssl_ech_file", PLACES, ARGS(1), &type_ech, FIELD(struct ssl_conf, ech_files),
      .flags = REPEATS,
      .help = "Keys of Encrypted Client Hello, where OpenSSL has it." },
    { 0 },
};

static const struct http_module extra = { .variables = ssl_variables, .settle = ssl_settle };

struct module http_ssl_module = {
    .name = "ngx_http_ssl_module",
    .directives = rows,
    .conf_size = sizeof(struct ssl_conf),
    .extra = &extra,
};

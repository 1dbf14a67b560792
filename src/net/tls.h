/*
 * tls: TLS over connections.  All that others see of the library stands here, opaque: tls*.c does it
 * with OpenSSL, no_tls.c where there is none.  Nothing here knows http: a listener's owner is asked,
 * in the middle of a handshake, whose certificates count.
 *
 * A context is what a server (or a client) is known by: certificates, and rules.  It belongs to a
 * generation, and is as immutable as that.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/log.h"

struct connection;     /* event/connection.h */
struct transport;
struct zone;           /* base/zone.h */
struct thread_pool;    /* event/threads.h */
struct tls_context;
struct tls_cache;

/* "OpenSSL 3.0.11 19 Sep 2023", and the one it runs with where that differs; empty without TLS. */
struct str tls_library(struct arena *a);

/* Whether this library can compress certificates. */
bool tls_can_compress(void);

/* When the first certificate of a PEM text ends; -1: there is none. */
time_t tls_not_after(struct str pem);
/* Says of a certificate of that name that it is over, or will be within 14 days.  false: neither, nothing
 * is said; -1 is neither. */
bool tls_warn_of_end(struct out *o, struct str name, time_t not_after);
/* Whether it is an answer of an OCSP responder (net/tls_ocsp.h). */
bool tls_is_answer(struct str content);

/* ---- what a context is made of ---- */

/* Bits in the order of the versions. */
enum tls_protocol {
    TLS_SSL2 = 1, TLS_SSL3 = 2, TLS_1_0 = 4, TLS_1_1 = 8, TLS_1_2 = 16, TLS_1_3 = 32,
};

/* How clients are asked for certificates. */
enum tls_verify { TLS_VERIFY_OFF, TLS_VERIFY_ON, TLS_VERIFY_OPTIONAL, TLS_VERIFY_OPTIONAL_NO_CA };

/* Where sessions are kept besides tickets. */
enum tls_sessions {
    TLS_SESSIONS_OFF,                  /* clients are told that there is no reuse */
    TLS_SESSIONS_NONE,                 /* clients are not told, and yet there is none */
    TLS_SESSIONS_KEPT,                 /* in the process (`builtin`), or a zone, or both */
};

/* A PEM text, and its name for messages: a path. */
struct tls_text {
    struct str name;
    struct str content;                /* data NULL: there is none */
};

struct tls_pair {
    struct tls_text certificate;       /* the server's own first, then the chain; content NULL: it is
                                        * given in the handshake, by tls_use_pair() */
    struct tls_text key;
};

struct tls_command {
    struct str name, value;            /* both end in NUL */
};

/* Texts need to live only as long as the call that gets them, but for those marked "kept".  Contexts whose
 * settings are the same share what the library makes of them: what is not "kept", nor of tickets' keys, is
 * in the digest of tls_shared.c. */
struct tls_settings {
    unsigned protocols;                /* enum tls_protocol bits */
    struct str ciphers, curves;        /* empty or "auto": the library's own choice; end in NUL */
    bool prefer_server_ciphers, early_data, tickets, certificate_compression;
    size_t buffer_size;                /* the largest record, bytes */
    const struct tls_pair *pairs;
    unsigned pair_count;
    const struct str *passwords;       /* of keys: each is tried */
    unsigned password_count;
    struct tls_text client_ca;         /* whom clients are told of, and trusted */
    struct tls_text trusted;           /* trusted as well, but not told of */
    struct tls_text crl;
    struct tls_text dhparam;
    enum tls_verify verify;
    unsigned verify_depth;
    const struct tls_command *commands;        /* of SSL_CONF_cmd(3), in this order, the last of all */
    unsigned command_count;

    enum tls_sessions sessions;
    long builtin;                      /* sessions kept in the process; 0: none; -1: the usual number */
    struct zone *const *session_zone;  /* kept: where the zone is, once it is attached; NULL: none */
    long session_timeout;              /* seconds */
    struct zone *const *ticket_zone;   /* kept: of keys that this program makes and changes */
    const struct tls_text *ticket_keys;        /* 48 or 80 bytes each, the first encrypts; else made */
    unsigned ticket_key_count;
    struct str identity;               /* more that sessions must not cross: any text */
    struct str client_rules;           /* more that clients are judged by: any text */
    const void *owner;                 /* kept: tls_context_owner() */
    const struct log_file *key_log;    /* kept: of secrets in the format of NSS; NULL: none */
};

/* What a mistake in the settings is about, so that the directive can be pointed at. */
enum tls_subject {
    TLS_ABOUT_ALL, TLS_ABOUT_CERTIFICATE, TLS_ABOUT_KEY, TLS_ABOUT_CIPHERS, TLS_ABOUT_CURVES,
    TLS_ABOUT_DHPARAM, TLS_ABOUT_CLIENT_CA, TLS_ABOUT_TRUSTED, TLS_ABOUT_CRL, TLS_ABOUT_COMMAND,
    TLS_ABOUT_TICKET_KEY, TLS_ABOUT_PROTOCOLS,
};

struct tls_error {
    enum tls_subject about;
    unsigned index;                    /* of the pair, command or key */
    char text[480];                    /* what happened, in plain words */
    const char *advice;                /* what to do; NULL: nothing better than the text */
};

/* A server's.  NULL: *e says why. */
struct tls_context *tls_context_new(const struct tls_settings *s, struct tls_error *e);
/* When its generation ends; connections that use it may live on. */
void tls_context_free(struct tls_context *x);
/* Two contexts with the same rules for clients' certificates: a client let in by one may use what
 * the other guards. */
bool tls_context_same_clients(const struct tls_context *a, const struct tls_context *b);
/* Some bytes that stand for those rules. */
struct str tls_context_clients(const struct tls_context *x);

const void *tls_context_owner(const struct tls_context *x);
/* When the certificate of a pair ends; -1: that is not known. */
time_t tls_context_end(const struct tls_context *x, unsigned pair);

/* For zone_spec.init of the two kinds of zones. */
bool tls_sessions_zone_init(struct zone *z, void *unused);
bool tls_tickets_zone_init(struct zone *z, void *unused);
enum { TLS_TICKET_ZONE_SIZE = 32768 };

/* ---- a connection's server side ---- */

/* What to do with a client that has said which name it wants. */
enum tls_choice {
    TLS_USE,                           /* *context; where that is NULL the listener's own stays */
    TLS_REJECT,                        /* unrecognized_name */
    TLS_FAIL,                          /* internal_error */
};

/* What a listener's handshakes ask their owner.  Lives as long as the generation. */
struct tls_acceptor {
    const struct tls_context *context; /* before a name is known, and where no other is chosen */
    /* `name` as the client sent it in SNI, in lower case, without the dot at its end; empty without
     * SNI. */
    enum tls_choice (*choose)(const struct tls_acceptor *a, struct connection *c, struct str name,
                              const struct tls_context **context);
    /* Where the context in use has pairs without content: gives them by tls_use_pair().  false: the
     * handshake fails (logged). */
    bool (*certify)(const struct tls_acceptor *a, struct connection *c);
    /* Threads for full handshakes, when so many come that others would wait; NULL or a NULL pool: there
     * are none. */
    struct thread_pool *(*threads)(const struct tls_acceptor *a);
    /* Protocols of ALPN, the best first, each with its length in front (RFC 7301 section 3.1); outlives
     * the generation. */
    struct str alpn;
};

/* The connection (plain until now) will be one of TLS: false: memory is short.  `a` must live until
 * the handshake is over. */
bool tls_accept(struct connection *c, const struct tls_acceptor *a);

enum tls_result {
    TLS_DONE,                          /* the connection's transport is ready for use */
    TLS_AGAIN,                         /* an event will come */
    TLS_FAILED,                        /* *f says why */
};

struct tls_fault {
    bool ours;                         /* what we show is no good, whatever the other side does */
    enum log_level level;
    int error;                         /* errno, or 0 */
    char text[320];
};

/* Goes on with the handshake, of either side. */
enum tls_result tls_handshake(struct connection *c, struct tls_fault *f);
/* Whether what a plain connection has sent so far begins a handshake; IO_AGAIN: nothing has come; 0
 * or 1; IO_ERROR (errno, 0 for the end). */
int tls_peek(struct connection *c);

extern const struct transport transport_tls, transport_tls_kernel;
static inline bool tls_is(const struct transport *t)
{
    return t == &transport_tls || t == &transport_tls_kernel;
}

/* In choose(): these protocols are offered, not the acceptor's. */
void tls_offer(struct connection *c, struct str alpn);

/*
 * A certificate for the handshake under way, for certify(): names of files, or texts behind "data:".
 * `cache` keeps what was read (NULL: nothing is kept).  Blocks while it reads.
 */
bool tls_use_pair(struct connection *c, struct str certificate, struct str key,
                  const struct str *passwords, unsigned password_count, struct tls_cache *cache,
                  struct tls_error *e);
/* At most `max` certificates and keys; those not used for `inactive` seconds go, and each is read anew
 * when it is older than `valid` seconds.  NULL: memory is short. */
struct tls_cache *tls_cache_new(unsigned max, time_t inactive, time_t valid);
void tls_cache_free(struct tls_cache *cache);

/* ---- what became of a handshake ---- */

/* The protocol that ALPN chose; empty: none. */
struct str tls_alpn(const struct connection *c);
/* The context in use. */
const struct tls_context *tls_context_of(const struct connection *c);

/* What the client showed of itself. */
enum tls_client { TLS_CLIENT_NONE, TLS_CLIENT_GOOD, TLS_CLIENT_BAD };
/* `may_be_unknown`: a certificate of an unknown CA is good.  Where it is bad, *reason tells why (a
 * static text). */
enum tls_client tls_client(const struct connection *c, bool may_be_unknown, const char **reason,
                           int *code);
/* What was found out about it behind the handshake (a static text): it is bad, whatever else is said. */
void tls_set_client_fault(struct connection *c, const char *reason);
/* The session can't be resumed any more. */
void tls_forget_session(struct connection *c);

/* Texts about a connection, for variables. */
enum tls_info {
    TLS_INFO_PROTOCOL, TLS_INFO_CIPHER, TLS_INFO_CIPHERS, TLS_INFO_CURVE, TLS_INFO_CURVES,
    TLS_INFO_SIGALG, TLS_INFO_SIGALGS, TLS_INFO_CLIENT_SIGALG, TLS_INFO_SESSION_ID,
    TLS_INFO_SESSION_REUSED, TLS_INFO_EARLY_DATA, TLS_INFO_SERVER_NAME, TLS_INFO_ALPN,
    TLS_INFO_CLIENT_CERT, TLS_INFO_CLIENT_RAW_CERT, TLS_INFO_CLIENT_SUBJECT,
    TLS_INFO_CLIENT_ISSUER, TLS_INFO_CLIENT_SUBJECT_LEGACY, TLS_INFO_CLIENT_ISSUER_LEGACY,
    TLS_INFO_CLIENT_SERIAL, TLS_INFO_CLIENT_FINGERPRINT, TLS_INFO_CLIENT_START,
    TLS_INFO_CLIENT_END, TLS_INFO_CLIENT_REMAIN,
};
/* In the arena; data NULL: there is none. */
struct str tls_info(const struct connection *c, enum tls_info what, struct arena *a);

#endif

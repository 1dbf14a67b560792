/*
 * tls_private: what the files of TLS share among each other, and nobody else: OpenSSL's types stand
 * here and in tls*.c, nowhere else.
 */
#ifndef NET_TLS_PRIVATE_H
#define NET_TLS_PRIVATE_H

#include <openssl/ssl.h>

#include "base/digest/sha256.h"
#include "event/connection.h"
#include "net/tls.h"

enum {
    TLS_RECORD_MAX = 16384,
    TLS_TICKET_NAME = 16,
};

struct ticket_key {
    unsigned char name[TLS_TICKET_NAME];
    unsigned char cipher[32], mac[32];
    unsigned cipher_size, mac_size;    /* bytes of them in use */
};

struct tls_context {
    SSL_CTX *ctx;
    unsigned references;               /* the generation's, and one for each connection */
    bool current;                      /* its generation, and what that has, are still there */
    unsigned char clients[SHA256_SIZE];    /* digest of the rules for clients' certificates */
    enum tls_verify verify;
    size_t buffer_size;
    char *curves;                      /* NULL: the library's choice */
    bool early_data;
    bool kernel;                       /* connections are transport_tls_kernel's */
    bool dynamic;                      /* some certificates are given in the handshake */
    const void *owner;
    long session_timeout;              /* seconds */
    struct zone *const *session_zone, *const *ticket_zone;
    struct ticket_key *keys;           /* given ones; NULL: those of ticket_zone */
    unsigned key_count;
    const struct log_file *key_log;
    struct tls_client_sessions *client_sessions;   /* of a client's: those to be resumed; NULL: none */
};

struct tls_offload;

/* A connection's. */
struct tls {
    SSL *ssl;
    struct connection *connection;
    const struct tls_acceptor *acceptor;       /* of the server side, until the handshake is over */
    const struct tls_context *context;
    char *rest;                        /* records that the socket has not taken yet; NULL: none */
    size_t rest_at, rest_end;
    size_t accepted;                   /* bytes of the owner's that are in `rest`, and not told of */
    char accepted_first[16];           /* the first of them */
    size_t warm;                       /* bytes sent since the connection was last idle */
    uint64_t sent_ms;
    int error;                         /* errno of the socket's call that failed; 0: none has */
    struct str alpn;                   /* what is offered */
    struct tls_offload *offload;       /* a step that a thread does, or has done; NULL: none */
    bool threaded;                     /* a thread has it: nothing but this struct may be touched */
    bool certified;                    /* the server and its certificates are chosen */
    bool may_pause;                    /* behind that the handshake may go on in a thread */
    bool gather;                       /* records are put together and leave in one call */
    bool kernel;                       /* the library has the socket itself */
    bool eof;                          /* the peer's end was read from the socket */
    bool done;                         /* the handshake is over */
    bool broken;                       /* nothing more can be said, not even goodbye */
    bool closed;                       /* goodbye is said */
    bool named;                        /* a server was chosen by the client's wish */
    bool early;                        /* reading data that came before the handshake was over */
    uint32_t session_key;              /* of a client: what its session is kept by; 0: it is not */
    unsigned char early_size;          /* of it, in early_byte */
    char early_byte;
};

/* tls_context.c */
const struct tls_context *tls_context_ref(const struct tls_context *x);
void tls_context_unref(const struct tls_context *x);

static inline struct tls *tls_of(const struct connection *c)
{
    return c->transport_state;
}

/* tls_io.c: the BIO that moves a connection's records; NULL: memory is short. */
BIO *tls_io_new(struct tls *t);
/* Sends what was put together: 0, IO_AGAIN (kept as `rest`, READY_WRITE is cleared) or IO_ERROR. */
int tls_io_send(struct tls *t, bool more);

/* tls.c: the library's own words about the last mistake, and an empty queue of them. */
struct str tls_reason(char *space, size_t size);

/* tls_error.c */
bool tls_fail(struct tls_error *e, enum tls_subject about, unsigned index, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* tls_pem.c: each gives NULL or false after tls_fail(). */
struct tls_chain {
    X509 *own;
    STACK_OF(X509) *others;
};
bool tls_pem_chain(const struct tls_text *text, struct tls_chain *chain, struct tls_error *e,
                   unsigned index);
void tls_pem_chain_free(struct tls_chain *chain);
EVP_PKEY *tls_pem_key(const struct tls_text *text, const struct str *passwords, unsigned count,
                      struct tls_error *e, unsigned index);
/* All certificates of a text, at least one. */
STACK_OF(X509) *tls_pem_certificates(const struct tls_text *text, struct tls_error *e,
                                     enum tls_subject about);
bool tls_pem_crl(const struct tls_text *text, X509_STORE *store, struct tls_error *e);

/* tls_sessions.c */
void tls_sessions_set(struct tls_context *x, const struct tls_settings *s);
/* tls_tickets.c */
bool tls_tickets_set(struct tls_context *x, const struct tls_settings *s, struct tls_error *e);
/* For the library's callback, which then sets the key for the ticket's digest: 1: *k is that key, 2: and
 * the client gets a new ticket, 0: there is no such key, -1: an error. */
int tls_tickets_use(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                    bool closing, struct ticket_key *k);

/* tls_client.c */
struct tls_client_sessions;
void tls_client_set(struct tls_context *x);
void tls_client_sessions_free(struct tls_client_sessions *s);

/* tls_compress.c and tls_no_compress.c: when certificates are loaded. */
void tls_compress_set(SSL_CTX *ctx, bool on);

/* tls_since_3.c and tls_before_3.c */
void tls_version_set_tickets(SSL_CTX *ctx);
bool tls_version_set_dh(SSL_CTX *ctx, BIO *text);
const char *tls_version_curve(SSL *ssl);
/* AES in CBC mode, of a key of 16 or 32 bytes. */
const EVP_CIPHER *tls_version_aes(unsigned key_size);
/* Encryption by the kernel: whether it is asked for, and is at work; SSL_sendfile(3). */
bool tls_version_wants_kernel(const SSL_CTX *ctx);
bool tls_version_in_kernel(SSL *ssl);
ssize_t tls_version_sendfile(SSL *ssl, int file, off_t offset, size_t size);

/* tls_handshake.c: goes on as far as it can, 1: it is over; and what a step that failed means. */
int tls_step(struct tls *t);
void tls_step_failed(struct tls *t, struct tls_fault *f, int code);
void tls_free(struct tls *t);
/* The library's way to the socket. */
bool tls_attach(struct tls *t);
/* close_notify, where it can still be said. */
void tls_goodbye(struct tls *t);

/* tls_offload.c */
/* Whether so many full handshakes are under way that the next one should be a thread's. */
bool tls_offload_wanted(void);
/* The next step is a thread's.  false: it has to be done here. */
bool tls_offload_begin(struct tls *t);
/* A thread's step is over (TLS_AGAIN: it is not): TLS_DONE: *result is what tls_step() gave. */
enum tls_result tls_offload_end(struct tls *t, int *result, struct tls_fault *f);
/* The connection is closed before: all is freed when the thread is done. */
void tls_offload_abandon(struct tls *t);

/* tls_handshake.c: the context of an SSL_CTX, and what is set of each for handshakes. */
void tls_handshake_set(struct tls_context *x);

#endif

/*
 * tls_private: what the files of TLS share among each other, and nobody else: OpenSSL's types stand
 * here and in tls*.c, nowhere else.
 */
#ifndef NET_TLS_PRIVATE_H
#define NET_TLS_PRIVATE_H

#include <openssl/ssl.h>

#include "base/digest/sha256.h"
#include "base/list.h"
#include "event/connection.h"
#include "net/tls.h"
#include "net/tls_record.h"

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
    /* The same for all that share what the library has made (tls_shared.c). */
    SSL_CTX *ctx;
    unsigned char clients[SHA256_SIZE];    /* digest of the rules for clients' certificates */
    enum tls_verify verify;
    size_t buffer_size;
    char *curves;                      /* NULL: the library's choice */
    time_t *ends;                      /* of each pair's certificate; -1: not known yet */
    bool early_data;
    bool kernel;                       /* connections are transport_tls_kernel's */
    bool dynamic;                      /* some certificates are given in the handshake */
    bool keeps_library;                /* connections stay with it when their handshake is over */
    bool reads_files;                  /* those of commands: they may be others by the next time */

    struct tls_shared *shared;
    struct list link;                  /* in its users */
    unsigned references;               /* the generation's, and one for each connection */
    bool current;                      /* its generation, and what that has, are still there */
    const void *owner;
    long session_timeout;              /* seconds */
    struct zone *const *session_zone, *const *ticket_zone;
    struct ticket_key *keys;           /* given ones; NULL: those of ticket_zone */
    unsigned key_count;
    const struct log_file *key_log;
    struct tls_client_sessions *client_sessions;   /* of a client's: those to be resumed; NULL: none */
    struct tls_stapled *stapled;       /* answers of OCSP for its certificates; NULL: none */
};

/* What contexts of the same settings share; the library's object knows it as its app data. */
struct tls_shared {
    struct list link;
    struct list users;                 /* contexts, the newest first; freed with the last one */
    struct tls_context made;           /* what is the same for all; the rest is not set */
    unsigned char digest[SHA256_SIZE]; /* of the settings */
};

struct tls_offload;

/* What is spoken without the library, once the handshake is over. */
struct tls_taken {
    const struct record_suite *suite;
    struct record_half in, out;
    unsigned tickets;                  /* records that the handshake has sent with the keys of `out` */
    unsigned char message[5];          /* of a handshake, as much of it as has come */
    unsigned char message_size;
    unsigned char idle;                /* records in a row that brought nothing, while none was sent */
    bool in_known, out_known;          /* whether each secret is there */
    bool asked;                        /* the peer wants new keys of `out` */
    uint16_t plain;                    /* bytes of an opened record, which are held first */
    bool ended;                        /* the peer has said goodbye */
};

/* What variables may ask of a connection (tls_info.c). */
struct tls_facts;

/* A connection's. */
struct tls {
    SSL *ssl;                          /* NULL: it was taken over from the library */
    struct tls_taken *taken;           /* its keys, as soon as they are known */
    struct tls_facts *facts;           /* of one that was taken over */
    struct connection *connection;
    const struct tls_acceptor *acceptor;       /* of the server side, until the handshake is over */
    const struct tls_context *context;
    char *rest;                        /* records that the socket has not taken yet; NULL: none */
    size_t rest_at, rest_end;
    size_t accepted;                   /* bytes of the owner's that are in `rest`, and not told of */
    char accepted_first[16];           /* the first of them */
    unsigned received;                 /* times that data came */
    char *held;                        /* bytes received and not yet used; NULL: none */
    uint32_t held_at, held_end;
    size_t warm;                       /* bytes sent since the connection was last idle */
    uint64_t sent_ms;
    int error;                         /* errno of the socket's call that failed; 0: none has */
    struct str alpn;                   /* what is offered */
    struct str protocol;               /* what of it a server chose; empty: none */
    struct tls_offload *offload;       /* a step that a thread does, or has done; NULL: none */
    bool threaded;                     /* a thread has it: nothing but this struct may be touched */
    bool certified;                    /* the server and its certificates are chosen */
    bool may_pause;                    /* behind that the handshake may go on in a thread */
    bool server;                       /* it is of the server side */
    bool gather;                       /* records are put together and leave in one call */
    bool kernel;                       /* the library has the socket itself */
    bool eof;                          /* the peer's end was read from the socket */
    bool done;                         /* the handshake is over */
    bool broken;                       /* nothing more can be said, not even goodbye */
    bool closed;                       /* goodbye is said */
    bool named;                        /* a server was chosen by the client's wish */
    bool early;                        /* reading data that came before the handshake was over */
    const char *client_fault;          /* of the other side's certificate, found later; NULL: none */
    uint32_t session_key;              /* of a client: what its session is kept by; 0: it is not */
    unsigned char early_size;          /* of it, in early_byte */
    char early_byte;
};

/* tls_context.c */
const struct tls_context *tls_context_ref(const struct tls_context *x);
void tls_context_unref(const struct tls_context *x);

/* tls_shared.c */
/* What makes the difference between settings; false: memory is short. */
bool tls_shared_digest(const struct tls_settings *s, bool client, unsigned char *digest);
/* Makes x, which is empty, one of those with that digest; false: there are none. */
bool tls_shared_join(struct tls_context *x, const unsigned char *digest);
/* What x has becomes that of all who will join; false: memory is short. */
bool tls_shared_new(struct tls_context *x, const unsigned char *digest);
void tls_shared_leave(struct tls_context *x);

static inline struct tls *tls_of(const struct connection *c)
{
    return c->transport_state;
}

/* tls_io.c: the BIO that moves a connection's records; NULL: memory is short. */
BIO *tls_io_new(struct tls *t);
/* Sends what was put together: 0, IO_AGAIN (kept as `rest`, READY_WRITE is cleared) or IO_ERROR. */
int tls_io_send(struct tls *t, bool more);
/* A place for `size` bytes behind what is put together; NULL: the socket fails.  And: so many were
 * written there. */
char *tls_io_room(struct tls *t, size_t size);
void tls_io_add(size_t size);
/* Sends by itself; answers as tls_io_send(). */
int tls_io_put(struct tls *t, const char *data, size_t size);
/* As a transport's recv. */
ssize_t tls_io_recv(struct tls *t, char *space, size_t size);
/* Keeps bytes that came and are not used yet, where none are kept (false: memory is short); takes them
 * back. */
bool tls_io_hold(struct tls *t, const char *data, size_t size);
size_t tls_io_take(struct tls *t, char *space, size_t size);

/* tls.c: the library's own words about the last mistake, and an empty queue of them. */
struct str tls_reason(char *space, size_t size);

/* tls_expiry.c: until when a certificate is good; -1: it does not tell. */
time_t tls_end_of(const X509 *certificate);

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
void tls_sessions_set(SSL_CTX *ctx, const struct tls_settings *s);
/* tls_tickets.c: for the library, and for a context */
void tls_tickets_set(SSL_CTX *ctx, const struct tls_settings *s);
bool tls_tickets_keys(struct tls_context *x, const struct tls_settings *s, struct tls_error *e);
/* For the library's callback, which then sets the key for the ticket's digest: 1: *k is that key, 2: and
 * the client gets a new ticket, 0: there is no such key, -1: an error. */
int tls_tickets_use(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                    bool closing, struct ticket_key *k);

/* tls_client.c */
struct tls_client_sessions;
void tls_client_set(struct tls_context *x);
void tls_client_sessions_free(struct tls_client_sessions *s);

/* tls_staple.c */
void tls_staples_set(SSL_CTX *ctx);
void tls_staples_free(struct tls_context *x);

/* tls_compress.c and tls_no_compress.c: when certificates are loaded. */
void tls_compress_set(SSL_CTX *ctx, bool on);

/* tls_takeover.c: a server's side of TLS 1.3 is spoken without the library when the handshake is over. */
void tls_takeover_set(SSL_CTX *ctx, bool tells_keys);
/* A handshake with this context comes: decides whether it is to be taken over. */
void tls_takeover_prepare(const struct tls_context *x);
/* A connection comes; and one goes, which has `received` so often. */
void tls_takeover_opened(void);
void tls_takeover_closed(unsigned received);
/* The handshake is over: takes the connection over where that can be. */
void tls_takeover(struct tls *t);
/* Of one that was taken over: recv as a transport's; a record into what is put together; a goodbye. */
ssize_t tls_takeover_recv(struct tls *t, char *buffer, size_t size);
bool tls_takeover_record(struct tls *t, const char *data, size_t size);
void tls_takeover_goodbye(struct tls *t);
void tls_takeover_free(struct tls *t);

/* tls_info.c: what variables may ask for when there is no library object any more; NULL: memory is
 * short. */
struct tls_facts *tls_facts_new(SSL *ssl);

/* tls_context.c: a line for the key log of the context in use. */
void tls_log_key(const struct tls_context *x, const char *line);

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
/* Steps that threads have now. */
unsigned tls_offload_running(void);
/* The next step is a thread's.  false: it has to be done here. */
bool tls_offload_begin(struct tls *t);
/* A thread's step is over (TLS_AGAIN: it is not): TLS_DONE: *result is what tls_step() gave. */
enum tls_result tls_offload_end(struct tls *t, int *result, struct tls_fault *f);
/* The connection is closed before: all is freed when the thread is done. */
void tls_offload_abandon(struct tls *t);

/* tls_handshake.c: the context of an SSL_CTX, and what is set of each for handshakes. */
void tls_handshake_set(struct tls_context *x);

#endif

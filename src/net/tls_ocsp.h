/*
 * tls_ocsp: whether certificates were taken back, by the rules of OCSP (RFC 6960): what a responder is
 * asked, what its answer is worth, and answers that servers show with their certificates (stapling, RFC
 * 6066 section 8).  Who asks, where and when is decided above: nothing here goes over the net.
 */
#ifndef NET_TLS_OCSP_H
#define NET_TLS_OCSP_H

#include <time.h>

#include "base/out.h"
#include "net/tls.h"

/* What is to be known about one certificate, with all that asking and judging takes: it needs neither its
 * context nor its connection any more. */
struct tls_question;

/* About the certificate that such a text begins with, of a server's context.  NULL: *problem says why. */
struct tls_question *tls_question_new(const struct tls_context *x, const struct tls_text *certificate,
                                      const char **problem);
/*
 * About a client's certificate, and (unless `leaf`) those between it and the CA that is trusted; the
 * client was found to be good.  How many, in *list; 0: there is nothing to ask, as of a certificate
 * that is trusted itself; -1: the way to the CA is not known any more.
 */
enum { TLS_QUESTIONS_MAX = 16 };
int tls_questions_of_client(const struct connection *c, bool leaf,
                            struct tls_question *list[TLS_QUESTIONS_MAX]);
void tls_question_free(struct tls_question *q);        /* may be NULL */

/* The certificate and its issuer, in 32 bytes: the same in every process. */
struct str tls_question_key(const struct tls_question *q);
/* The first responder that the certificate names; empty: none. */
struct str tls_question_url(const struct tls_question *q);
/* What is to be sent (RFC 6960 section 4.1). */
void tls_question_put(const struct tls_question *q, struct out *o);

/* Whose signature under an answer counts. */
enum tls_signer {
    TLS_SIGNER_ANY,                    /* it must be right, whoever's it is */
    TLS_SIGNER_CHAIN,                  /* one of the certificates of the chain, or as below */
    TLS_SIGNER_TRUSTED,                /* the issuer, or who may sign for it (section 4.2.2.2) */
};

enum tls_status { TLS_STATUS_GOOD, TLS_STATUS_REVOKED, TLS_STATUS_UNKNOWN };

struct tls_verdict {
    enum tls_status status;
    time_t until;                      /* newer ones are there by then; -1: that is not said */
    char text[200];                    /* of an answer that is none */
};

/* Judges an answer.  false: it is of no use, v->text says why. */
bool tls_question_judge(const struct tls_question *q, struct str answer, enum tls_signer signer,
                        struct tls_verdict *v);

/* ---- stapling ---- */

/* The answer that goes with a certificate, for all contexts that have that; what it is may change while
 * handshakes go on, in whatever thread. */
struct tls_staple;

struct tls_staple *tls_staple_new(void);               /* one reference; NULL: memory is short */
struct tls_staple *tls_staple_ref(struct tls_staple *s);
void tls_staple_unref(struct tls_staple *s);           /* may be NULL */
/* It is shown until then (-1: on and on), and none after that.  false: memory is short. */
bool tls_staple_set(struct tls_staple *s, struct str answer, time_t until);

/* Handshakes in which the context shows that certificate show the answer with it to clients that ask for
 * it.  false: memory is short, or there is no certificate. */
bool tls_staple_use(struct tls_context *x, const struct tls_text *certificate, struct tls_staple *s);

/* What a text is, which a person wrote into a file. */
enum tls_answer {
    TLS_ANSWER_NONE,                   /* no answer of a responder */
    TLS_ANSWER_ERROR,                  /* the responder could not answer */
    TLS_ANSWER_OTHER,                  /* about other certificates */
    TLS_ANSWER_GOOD,                   /* about this one: *until as in struct tls_verdict */
};
enum tls_answer tls_answer_about(struct str answer, const struct tls_text *certificate, time_t *until);

#endif

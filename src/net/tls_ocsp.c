/*
 * tls_ocsp: see tls_ocsp.h.  Questions and answers.
 */
#include "net/tls_ocsp.h"

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "net/tls_private.h"

enum { SKEW = 300 };                   /* seconds that the responder's clock may differ from ours */

struct tls_question {
    X509 *certificate, *issuer;
    STACK_OF(X509) *chain;             /* others that the signer may be among, or be signed by */
    X509_STORE *store;
    OCSP_CERTID *id;
    unsigned char key[SHA256_SIZE];
    struct str url;
};

void tls_question_free(struct tls_question *q)
{
    if (!q)
        return;
    X509_free(q->certificate);
    X509_free(q->issuer);
    sk_X509_pop_free(q->chain, X509_free);
    X509_STORE_free(q->store);
    OCSP_CERTID_free(q->id);
    free((char *)(uintptr_t)q->url.data);
    free(q);
}

/* Extension AIA (RFC 5280 section 4.2.2.1).  false: memory is short. */
static bool take_url(struct tls_question *q)
{
    STACK_OF(OPENSSL_STRING) *all = X509_get1_ocsp(q->certificate);
    const char *first = all && sk_OPENSSL_STRING_num(all) > 0 ? sk_OPENSSL_STRING_value(all, 0) : "";

    q->url = str_of(first);
    q->url.data = strdup(first);
    X509_email_free(all);
    return q->url.data != NULL;
}

/* By the identity that goes into the question: hashes of the issuer's name and key, and a number. */
static bool take_key(struct tls_question *q)
{
    unsigned char *der = NULL;
    int len = i2d_OCSP_CERTID(q->id, &der);

    if (len > 0)
        sha256(str_range((char *)der, (char *)der + len), q->key);
    OPENSSL_free(der);
    return len > 0;
}

/* Takes the references to certificate and issuer over.  NULL: memory is short. */
static struct tls_question *make(X509 *certificate, X509 *issuer, STACK_OF(X509) *chain,
                                 X509_STORE *store)
{
    struct tls_question *q = calloc(1, sizeof *q);

    if (!q) {
        X509_free(certificate);
        X509_free(issuer);
        return NULL;
    }
    q->certificate = certificate;
    q->issuer = issuer;
    q->chain = X509_chain_up_ref(chain);
    q->id = OCSP_cert_to_id(NULL, certificate, issuer);
    q->store = X509_STORE_up_ref(store) ? store : NULL;
    if (q->chain && q->id && q->store && take_key(q) && take_url(q))
        return q;
    tls_question_free(q);
    ERR_clear_error();
    return NULL;
}

/* ---- whom a question is about ---- */

/* With a reference; NULL: neither the chain nor those that are trusted have it. */
static X509 *find_issuer(X509 *certificate, STACK_OF(X509) *chain, X509_STORE *store)
{
    X509_STORE_CTX *look = X509_STORE_CTX_new();
    X509 *issuer = NULL;

    for (int i = 0; i < sk_X509_num(chain) && !issuer; i++) {
        X509 *one = sk_X509_value(chain, i);
        if (X509_check_issued(one, certificate) == X509_V_OK && X509_up_ref(one))
            issuer = one;
    }
    if (!issuer && look && X509_STORE_CTX_init(look, store, NULL, NULL) == 1 &&
        X509_STORE_CTX_get1_issuer(&issuer, look, certificate) != 1)
        issuer = NULL;
    X509_STORE_CTX_free(look);
    ERR_clear_error();
    return issuer;
}

struct tls_question *tls_question_new(const struct tls_context *x, const struct tls_text *certificate,
                                      const char **problem)
{
    X509_STORE *store = SSL_CTX_get_cert_store(x->ctx);
    struct tls_question *q = NULL;
    struct tls_chain chain;
    struct tls_error e;

    *problem = "the certificate cannot be read";
    if (!tls_pem_chain(certificate, &chain, &e, 0))
        return NULL;
    X509 *issuer = find_issuer(chain.own, chain.others, store);
    *problem = issuer ? "memory is short" : "issuer certificate not found";
    if (issuer) {
        q = make(chain.own, issuer, chain.others, store);
        chain.own = NULL;              /* the question's, or gone */
    }
    tls_pem_chain_free(&chain);
    return q;
}

/* The way from a client's certificate to one that is trusted; of a session that was resumed it must be found
 * once more.  NULL: there is none. */
static STACK_OF(X509) *find_chain(SSL *ssl, X509_STORE *store)
{
    STACK_OF(X509) *known = SSL_get0_verified_chain(ssl), *found = NULL;
    X509_STORE_CTX *look;

    if (known)
        return X509_chain_up_ref(known);
    X509 *certificate = SSL_get_peer_certificate(ssl);
    look = X509_STORE_CTX_new();
    if (certificate && look &&
        X509_STORE_CTX_init(look, store, certificate, SSL_get_peer_cert_chain(ssl)) == 1) {
        X509_STORE_CTX_set_default(look, "ssl_client");
        X509_STORE_CTX_set_depth(look, SSL_get_verify_depth(ssl));
        if (X509_verify_cert(look) == 1)
            found = X509_STORE_CTX_get1_chain(look);
    }
    X509_STORE_CTX_free(look);
    X509_free(certificate);
    ERR_clear_error();
    return found;
}

static struct tls_question *of_chain(STACK_OF(X509) *chain, int i, X509_STORE *store)
{
    X509 *certificate = sk_X509_value(chain, i), *issuer = sk_X509_value(chain, i + 1);

    X509_up_ref(certificate);
    X509_up_ref(issuer);
    return make(certificate, issuer, chain, store);
}

int tls_questions_of_client(const struct connection *c, bool leaf,
                            struct tls_question *list[TLS_QUESTIONS_MAX])
{
    const struct tls *t = tls_of(c);
    X509_STORE *store = SSL_CTX_get_cert_store(t->context->ctx);
    STACK_OF(X509) *chain = find_chain(t->ssl, store);
    int count = chain ? sk_X509_num(chain) - 1 : -1, made = 0;

    if (count > 1 && leaf)
        count = 1;
    if (count > TLS_QUESTIONS_MAX)
        count = -1;
    while (made < count && (list[made] = of_chain(chain, made, store)))
        made++;
    sk_X509_pop_free(chain, X509_free);
    if (made >= count)
        return count;
    while (made > 0)
        tls_question_free(list[--made]);
    return -1;
}

/* ---- asking ---- */

struct str tls_question_key(const struct tls_question *q)
{
    return (struct str){ (const char *)q->key, sizeof q->key };
}

struct str tls_question_url(const struct tls_question *q)
{
    return q->url;
}

void tls_question_put(const struct tls_question *q, struct out *o)
{
    OCSP_REQUEST *request = OCSP_REQUEST_new();
    OCSP_CERTID *id = OCSP_CERTID_dup(q->id);
    unsigned char *der = NULL;

    if (!request || !id || !OCSP_request_add0_id(request, id))
        OCSP_CERTID_free(id);          /* otherwise it is the request's */
    int len = request ? i2d_OCSP_REQUEST(request, &der) : -1;
    if (len > 0)
        out_bytes(o, der, (size_t)len);
    OPENSSL_free(der);
    OCSP_REQUEST_free(request);
    ERR_clear_error();
}

/* ---- judging ---- */

static bool refuse(struct tls_verdict *v, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool refuse(struct tls_verdict *v, const char *format, ...)
{
    struct out o = out_fixed(v->text, sizeof v->text - 1);
    va_list args;

    va_start(args, format);
    out_vprintf(&o, format, args);
    va_end(args);
    *o.at = '\0';
    ERR_clear_error();
    return false;
}

static OCSP_RESPONSE *parse(struct str answer)
{
    const unsigned char *at = (const unsigned char *)answer.data, *end = at + answer.len;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)answer.len);

    if (response && at == end)
        return response;
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    return NULL;
}

static time_t time_of(const ASN1_GENERALIZEDTIME *when)
{
    int days, seconds;

    if (!when || !ASN1_TIME_diff(&days, &seconds, NULL, when))
        return -1;
    return time(NULL) + (time_t)days * 86400 + seconds;
}

static bool check_signer(const struct tls_question *q, OCSP_BASICRESP *basic, enum tls_signer signer,
                         struct tls_verdict *v)
{
    static const unsigned long flags[] = {
        [TLS_SIGNER_ANY] = OCSP_NOVERIFY, [TLS_SIGNER_CHAIN] = OCSP_TRUSTOTHER,
        [TLS_SIGNER_TRUSTED] = 0,
    };
    char space[120];

    if (OCSP_basic_verify(basic, q->chain, q->store, flags[signer]) == 1)
        return true;
    struct str reason = tls_reason(space, sizeof space);
    return refuse(v, "its signature is not to be trusted: %.*s", STR_ARG(reason));
}

static bool take_status(const struct tls_question *q, OCSP_BASICRESP *basic, struct tls_verdict *v)
{
    static const enum tls_status meanings[] = {
        [V_OCSP_CERTSTATUS_GOOD] = TLS_STATUS_GOOD,
        [V_OCSP_CERTSTATUS_REVOKED] = TLS_STATUS_REVOKED,
        [V_OCSP_CERTSTATUS_UNKNOWN] = TLS_STATUS_UNKNOWN,
    };
    ASN1_GENERALIZEDTIME *from, *until;
    int status;
    char space[120];

    if (OCSP_resp_find_status(basic, q->id, &status, NULL, NULL, &from, &until) != 1)
        return refuse(v, "it is about other certificates");
    if (OCSP_check_validity(from, until, SKEW, -1) != 1) {
        struct str reason = tls_reason(space, sizeof space);
        return refuse(v, "it is not good at this time: %.*s", STR_ARG(reason));
    }
    v->status = status >= 0 && status <= V_OCSP_CERTSTATUS_UNKNOWN ? meanings[status]
                                                                   : TLS_STATUS_UNKNOWN;
    v->until = time_of(until);
    return true;
}

static bool judge(const struct tls_question *q, OCSP_RESPONSE *response, enum tls_signer signer,
                  struct tls_verdict *v)
{
    int code = OCSP_response_status(response);

    if (code != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        return refuse(v, "the responder could not answer: %s (%d)", OCSP_response_status_str(code), code);
    OCSP_BASICRESP *basic = OCSP_response_get1_basic(response);
    bool good = basic ? check_signer(q, basic, signer, v) && take_status(q, basic, v)
                      : refuse(v, "it is of an unknown kind");
    OCSP_BASICRESP_free(basic);
    return good;
}

bool tls_question_judge(const struct tls_question *q, struct str answer, enum tls_signer signer,
                        struct tls_verdict *v)
{
    OCSP_RESPONSE *response = parse(answer);

    if (!response)
        return refuse(v, "it is no answer of OCSP");
    bool good = judge(q, response, signer, v);
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    return good;
}

/* ---- answers of files ---- */

static X509 *first_certificate(const struct tls_text *text)
{
    struct tls_chain chain;
    struct tls_error e;

    if (!tls_pem_chain(text, &chain, &e, 0))
        return NULL;
    X509 *own = chain.own;
    chain.own = NULL;
    tls_pem_chain_free(&chain);
    return own;
}

/* Its number has to do: the issuer may be unknown here. */
static bool find_number(OCSP_BASICRESP *basic, const ASN1_INTEGER *number, time_t *until)
{
    ASN1_GENERALIZEDTIME *next = NULL;
    ASN1_INTEGER *other;

    for (int i = 0; i < OCSP_resp_count(basic); i++) {
        OCSP_SINGLERESP *one = OCSP_resp_get0(basic, i);
        const OCSP_CERTID *id = OCSP_SINGLERESP_get0_id(one);
        if (!OCSP_id_get0_info(NULL, NULL, NULL, &other, (OCSP_CERTID *)(uintptr_t)id) ||
            ASN1_INTEGER_cmp(other, number) != 0)
            continue;
        OCSP_single_get0_status(one, NULL, NULL, NULL, &next);
        *until = time_of(next);
        return true;
    }
    return false;
}

bool tls_is_answer(struct str content)
{
    OCSP_RESPONSE *response = parse(content);

    OCSP_RESPONSE_free(response);
    return response != NULL;
}

enum tls_answer tls_answer_about(struct str answer, const struct tls_text *certificate, time_t *until)
{
    OCSP_RESPONSE *response = parse(answer);
    enum tls_answer kind = TLS_ANSWER_ERROR;

    if (!response)
        return TLS_ANSWER_NONE;
    OCSP_BASICRESP *basic = OCSP_response_get1_basic(response);
    X509 *own = first_certificate(certificate);
    if (basic)
        kind = own && find_number(basic, X509_get0_serialNumber(own), until) ? TLS_ANSWER_GOOD
                                                                             : TLS_ANSWER_OTHER;
    X509_free(own);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    return kind;
}

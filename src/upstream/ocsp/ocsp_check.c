/*
 * ocsp_check: see ocsp_check.h.  The certificates are asked about one by one, the client's own first; the
 * first that is not good ends it.
 */
#include "upstream/ocsp/ocsp_check.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/zone_table.h"

enum { UNLIMITED = 3600 };             /* seconds that a verdict is kept that names no end */

struct ocsp_check {
    const struct ocsp_check_conf *conf;
    struct tls_question *questions[TLS_QUESTIONS_MAX];
    int count, at;                     /* of questions: all, and the one that is being asked */
    struct responder responder;        /* of that one */
    struct fetch *fetch;               /* NULL: nothing is being asked */
    bool over;
    const char *fault;
    char trouble[400];
    size_t trouble_len;
    void (*wake)(void *owner);
    void *owner;
};

/* ---- verdicts that are kept ---- */

struct kept {
    int64_t until;                     /* calendar seconds */
    enum tls_status status;
};

bool ocsp_check_zone_init(struct zone *z, void *unused)
{
    (void)unused;
    return zone_table_init(z, sizeof(struct kept));
}

static struct zone *zone_of(const struct ocsp_check *k)
{
    return k->conf->zone ? *k->conf->zone : NULL;
}

static bool look_up(const struct ocsp_check *k, enum tls_status *status)
{
    struct zone *z = zone_of(k);
    bool found = false;

    if (!z)
        return false;
    zone_lock(z);
    const struct kept *known = zone_table_find(z, tls_question_key(k->questions[k->at]));
    if (known && known->until > clock_seconds()) {
        *status = known->status;
        found = true;
    }
    zone_unlock(z);
    return found;
}

static void keep(const struct ocsp_check *k, const struct tls_verdict *v)
{
    struct zone *z = zone_of(k);
    struct str key = tls_question_key(k->questions[k->at]);
    time_t until = v->until == -1 ? clock_seconds() + UNLIMITED : v->until;

    if (!z || until <= clock_seconds())
        return;
    zone_lock(z);
    struct kept *known = zone_table_find(z, key);
    if (!known)
        known = zone_table_add(z, key, NULL);
    if (known)
        *known = (struct kept){ until, v->status };
    zone_unlock(z);
}

/* ---- one after the other ---- */

static void finish(struct ocsp_check *k, const char *fault)
{
    k->over = true;
    k->fault = fault;
}

static void fail(struct ocsp_check *k, const char *text)
{
    struct str url = k->responder.text;
    struct out o = out_fixed(k->trouble, sizeof k->trouble);

    out_str(&o, str_of(text));
    if (url.len) {
        OUT_LITERAL(&o, ", responder: ");
        out_str(&o, url);
    }
    k->trouble_len = out_len(&o);
    finish(k, "certificate status request failed");
}

/* true: on to the next. */
static bool take_status(struct ocsp_check *k, enum tls_status status)
{
    if (status == TLS_STATUS_GOOD)
        k->at++;
    else
        finish(k, status == TLS_STATUS_REVOKED ? "certificate revoked" : "certificate status unknown");
    return !k->over;
}

static void use_answer(struct ocsp_check *k)
{
    const struct tls_question *q = k->questions[k->at];
    struct tls_verdict v;

    if (!responder_answer(k->fetch, q, TLS_SIGNER_TRUSTED, &v)) {
        fail(k, v.text);
    } else {
        keep(k, &v);
        take_status(k, v.status);
    }
    fetch_end(k->fetch);
    k->fetch = NULL;
}

static void on_answer(void *owner);

static void ask(struct ocsp_check *k)
{
    const struct tls_question *q = k->questions[k->at];
    struct str url = tls_question_url(q);
    struct responder_way way = {
        .http = k->conf->http, .resolver = resolver_rows_engine(k->conf->resolver),
        .resolve_timeout = k->conf->resolver->timeout,
    };
    const char *problem = NULL;

    if (k->conf->responder)
        k->responder = *k->conf->responder;
    else
        problem = url.len ? responder_parse(url, &k->responder)
                          : "no OCSP responder URL in the certificate: name one by ssl_ocsp_responder";
    if (!problem && way.resolver)
        k->fetch = responder_ask(&k->responder, q, &way, on_answer, k);
    resolver_unref(way.resolver);
    if (!k->fetch)
        fail(k, problem ? problem : "memory is short");
}

static void run(struct ocsp_check *k)
{
    enum tls_status status;

    while (!k->over) {
        if (k->fetch && fetch_state(k->fetch) == FETCH_WAIT)
            return;
        if (k->fetch)
            use_answer(k);
        else if (k->at >= k->count)
            finish(k, NULL);
        else if (look_up(k, &status))
            take_status(k, status);
        else
            ask(k);
    }
}

static void on_answer(void *owner)
{
    struct ocsp_check *k = owner;

    run(k);
    if (k->over)
        k->wake(k->owner);             /* who may end it */
}

struct ocsp_check *ocsp_check_start(const struct ocsp_check_conf *conf, const struct connection *c,
                                    void (*wake)(void *owner), void *owner)
{
    struct ocsp_check *k = calloc(1, sizeof *k);

    if (!k)
        return NULL;
    k->conf = conf;
    k->wake = wake;
    k->owner = owner;
    k->count = tls_questions_of_client(c, conf->leaf, k->questions);
    if (k->count < 0) {
        k->count = 0;
        fail(k, "the certificates between the client's and its CA's are not known");
    }
    run(k);
    return k;
}

bool ocsp_check_over(const struct ocsp_check *k)
{
    return k->over;
}

const char *ocsp_check_fault(const struct ocsp_check *k)
{
    return k->fault;
}

struct str ocsp_check_trouble(const struct ocsp_check *k)
{
    return (struct str){ k->trouble, k->trouble_len };
}

void ocsp_check_end(struct ocsp_check *k)
{
    if (!k)
        return;
    fetch_end(k->fetch);
    for (int i = 0; i < k->count; i++)
        tls_question_free(k->questions[i]);
    free(k);
}

/*
 * stapling: see stapling.h.  What is known about a certificate stands beside the generations; each
 * generation that has the certificate holds it.
 */
#include "upstream/ocsp/stapling.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/digest/sha256.h"
#include "event/connection.h"

enum {
    MOST_AT_ONCE = 16,                 /* questions under way: thousands of certificates are no storm */
    FIRST_RETRY_MS = 500, LAST_RETRY_MS = 300 * 1000,
    REFUSED_MS = 300 * 1000,           /* after an answer that is one, and yet can't be shown */
    SOONEST_MS = 1000, LATEST_MS = 3600 * 1000,
    UNLIMITED = 86400,                 /* seconds that an answer is shown that names no end */
};

struct stapled {
    struct list link;
    struct list place;                 /* among those that wait for others' questions to end */
    unsigned references;
    unsigned char key[SHA256_SIZE];
    struct tls_question *question;
    struct tls_staple *staple;
    struct responder responder;
    char *texts;                       /* of the responder, and the certificate's name */
    struct str name;
    enum tls_signer signer;
    struct responder_way way;          /* of the generation that used it last; resolver NULL: of none */
    struct timer timer;
    struct fetch *fetch;               /* NULL: nothing is being asked */
    time_t until;                      /* of the answer that is shown; 0: there is none */
    unsigned failures;                 /* in a row */
    char told[sizeof((struct tls_verdict *)0)->text];      /* the trouble that was logged last */
    bool told_none;                    /* and that there was no answer to be shown */
};

/* What a generation holds. */
struct line {
    struct stapled *stapled;
    struct responder_way way;
    const struct resolver_rows *resolver;
};

static struct list all = { &all, &all }, waiting = { &waiting, &waiting };
static unsigned under_way;

/* ---- when ---- */

uint64_t stapling_refresh(time_t left)
{
    uint64_t wait = left < 0 ? LATEST_MS : (uint64_t)left * 1000 / 2;

    return wait < SOONEST_MS ? SOONEST_MS : wait > LATEST_MS ? LATEST_MS : wait;
}

uint64_t stapling_retry(unsigned failures)
{
    uint64_t wait = FIRST_RETRY_MS;

    while (failures-- > 1 && wait < LAST_RETRY_MS)
        wait *= 2;
    return wait < LAST_RETRY_MS ? wait : LAST_RETRY_MS;
}

/* ---- what came of it ---- */

/* Which of the responder's addresses it was is not another trouble. */
static bool same_trouble(const char *text, const char *other)
{
    const char *peer = strstr(text, ", peer: ");
    size_t len = peer ? (size_t)(peer - text) : strlen(text);

    return strncmp(text, other, len) == 0 && (other[len] == '\0' || other[len] == ',');
}

/* Each trouble once, until it is another one or over, or the former answer ends. */
static void tell(struct stapled *k, const char *text)
{
    char shown[80];
    struct out o = out_fixed(shown, sizeof shown), told = out_fixed(k->told, sizeof k->told - 1);
    bool none = k->until <= clock_seconds();

    if (same_trouble(text, k->told) && k->told_none == none)
        return;
    k->told_none = none;
    out_str(&told, str_of(text));
    *told.at = '\0';
    if (!none) {
        OUT_LITERAL(&o, "the former answer is shown until ");
        clock_put_http_date(&o, k->until);
    } else {
        OUT_LITERAL(&o, "clients get none meanwhile");
    }
    log_note(LOG_LEVEL_ERROR, 0,
             "no OCSP answer to be stapled: %s, responder: %.*s, certificate: \"%.*s\"; %.*s, and it is "
             "asked for again by itself: see to it that the responder can be reached from here", text,
             STR_ARG(k->responder.text), STR_ARG(k->name), STR_ARG(out_str_of(&o)));
}

static void fail(struct stapled *k, const char *text, uint64_t wait)
{
    tell(k, text);
    timer_set(&k->timer, wait);
}

static void take_good(struct stapled *k, struct str answer, const struct tls_verdict *v)
{
    time_t now = clock_seconds(), until = v->until == -1 ? now + UNLIMITED : v->until;

    if (until <= now) {
        fail(k, "the answer is out of date", stapling_retry(++k->failures));
        return;
    }
    if (!tls_staple_set(k->staple, answer, until)) {
        fail(k, "memory is short", stapling_retry(++k->failures));
        return;
    }
    if (k->told[0])
        log_note(LOG_LEVEL_NOTICE, 0, "an OCSP answer is stapled again, certificate: \"%.*s\"",
                 STR_ARG(k->name));
    k->told[0] = '\0';
    k->failures = 0;
    k->until = until;
    timer_set(&k->timer, stapling_refresh(v->until == -1 ? -1 : until - now));
}

static void end_fetch(struct stapled *k)
{
    if (!k->fetch)
        return;
    fetch_end(k->fetch);
    k->fetch = NULL;
    under_way--;
    struct list *next = list_pop(&waiting);
    if (next)
        timer_set(&CONTAINER(next, struct stapled, place)->timer, 0);
}

/* What was good so far is so no more. */
static void take_revoked(struct stapled *k)
{
    tls_staple_set(k->staple, STR(""), 0);
    k->until = 0;
    fail(k, "certificate status \"revoked\": the certificate must be replaced", REFUSED_MS);
}

static void use_answer(struct stapled *k)
{
    struct tls_verdict v;

    if (!responder_answer(k->fetch, k->question, k->signer, &v))
        fail(k, v.text, stapling_retry(++k->failures));
    else if (v.status == TLS_STATUS_GOOD)
        take_good(k, fetch_content(k->fetch), &v);
    else if (v.status == TLS_STATUS_REVOKED)
        take_revoked(k);
    else
        fail(k, "certificate status \"unknown\": the responder is another CA's", REFUSED_MS);
    end_fetch(k);
}

/* ---- asking ---- */

static void on_answer(void *owner)
{
    use_answer(owner);
}

static void ask(struct stapled *k)
{
    if (connection_draining())
        return;
    if (under_way >= MOST_AT_ONCE) {
        list_remove(&k->place);
        list_push(&waiting, &k->place);
        return;
    }
    k->fetch = responder_ask(&k->responder, k->question, &k->way, on_answer, k);
    if (!k->fetch) {
        fail(k, "memory is short", stapling_retry(++k->failures));
        return;
    }
    under_way++;
    if (fetch_state(k->fetch) != FETCH_WAIT)
        use_answer(k);
}

static void on_timer(struct timer *t)
{
    ask(CONTAINER(t, struct stapled, timer));
}

/* ---- what is known ---- */

static void unref(struct stapled *k)
{
    if (--k->references > 0)
        return;
    end_fetch(k);
    timer_cancel(&k->timer);
    list_remove(&k->place);
    list_remove(&k->link);
    resolver_unref(k->way.resolver);
    tls_question_free(k->question);
    tls_staple_unref(k->staple);
    free(k->texts);
    free(k);
}

static struct stapled *find(const unsigned char *key)
{
    LIST_EACH(node, &all) {
        struct stapled *k = CONTAINER(node, struct stapled, link);
        if (memcmp(k->key, key, sizeof k->key) == 0)
            return k;
    }
    return NULL;
}

/* Its own copies of what the configuration gave. */
static bool copy_texts(struct stapled *k, const struct responder *r, struct str name)
{
    k->texts = malloc(r->text.len + name.len + 1);
    if (!k->texts)
        return false;
    memcpy(k->texts, r->text.data, r->text.len);
    memcpy(k->texts + r->text.len, name.data, name.len);
    k->name = (struct str){ k->texts + r->text.len, name.len };
    responder_parse((struct str){ k->texts, r->text.len }, &k->responder);
    return true;
}

/* Takes the question over.  NULL: memory is short. */
static struct stapled *stapled_new(struct tls_question *q, const struct responder *r, struct str name)
{
    struct stapled *k = calloc(1, sizeof *k);

    if (!k) {
        tls_question_free(q);
        return NULL;
    }
    k->references = 1;
    k->question = q;
    k->staple = tls_staple_new();
    list_init(&k->link);
    list_init(&k->place);
    timer_init(&k->timer, on_timer);
    if (k->staple && copy_texts(k, r, name))
        return k;
    unref(k);
    return NULL;
}

/* ---- generations ---- */

static void begin(void *data)
{
    struct line *line = data;
    struct stapled *k = line->stapled;
    bool fresh = !k->way.resolver;
    struct resolver *resolver = resolver_rows_engine(line->resolver);

    if (!resolver)
        return;
    resolver_unref(k->way.resolver);
    k->way = line->way;
    k->way.resolver = resolver;
    if (fresh)
        ask(k);
}

static void end(void *data)
{
    unref(((struct line *)data)->stapled);
}

/* All that an answer's worth depends on. */
static void key_of(const struct tls_context *x, const struct tls_question *q,
                   const struct tls_text *certificate, const struct responder *r,
                   enum tls_signer signer, unsigned char *key)
{
    char rule = (char)signer;
    struct sha256 h;

    sha256_init(&h);
    sha256_update(&h, tls_question_key(q));
    sha256_update(&h, (struct str){ &rule, 1 });
    if (signer != TLS_SIGNER_ANY)
        sha256_update(&h, tls_context_clients(x));
    sha256_update(&h, certificate->content);       /* with its chain */
    sha256_update(&h, r->text);
    sha256_final(&h, key);
}

static void ignore(struct setting *s, const char *why, struct str name)
{
    setting_warn(s, 0, "\"ssl_stapling\" ignored, %s for certificate \"%.*s\"", why, STR_ARG(name));
}

/* Known or new, with a reference for the generation; takes the question over. */
static struct stapled *get(struct tls_question *q, const unsigned char *key, const struct responder *r,
                           struct str name, enum tls_signer signer)
{
    struct stapled *k = find(key);

    if (k) {
        tls_question_free(q);
        k->references++;
        return k;
    }
    k = stapled_new(q, r, name);
    if (!k)
        return NULL;
    memcpy(k->key, key, sizeof k->key);
    k->signer = signer;
    list_push(&all, &k->link);
    return k;
}

static void hold(struct setting *s, struct stapled *k, const struct stapling_conf *conf)
{
    struct line *line = ARENA_NEW(setting_arena(s), struct line);

    *line = (struct line){
        .stapled = k, .resolver = conf->resolver,
        .way = { conf->http, NULL, conf->resolver->timeout, true },
    };
    generation_on_use(s->config->generation, begin, line);
    generation_cleanup(s->config->generation, end, line);
}

void stapling_add(struct setting *s, struct tls_context *x, const struct tls_text *certificate,
                  const struct stapling_conf *conf)
{
    enum tls_signer signer = conf->verify ? TLS_SIGNER_CHAIN : TLS_SIGNER_ANY;
    unsigned char key[SHA256_SIZE];
    struct responder r;
    const char *problem;
    struct tls_question *q = tls_question_new(x, certificate, &problem);

    if (!q) {
        ignore(s, problem, certificate->name);
        return;
    }
    struct str url = conf->responder.len ? conf->responder : tls_question_url(q);
    problem = url.len ? responder_parse(url, &r) : "no OCSP responder URL";
    if (problem) {
        ignore(s, problem, certificate->name);
        tls_question_free(q);
        return;
    }
    key_of(x, q, certificate, &r, signer, key);
    struct stapled *k = get(q, key, &r, certificate->name, signer);
    if (!k || !tls_staple_use(x, certificate, k->staple))
        ignore(s, "memory is short", certificate->name);
    if (k)
        hold(s, k, conf);
}

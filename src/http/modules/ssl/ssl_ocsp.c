/*
 * ssl_ocsp: see ssl_ocsp.h.
 */
#include "http/modules/ssl/ssl_ocsp.h"

#include <time.h>

#include "config/zone_words.h"
#include "http/http.h"
#include "http/modules/ssl/ssl_conf.h"
#include "http/modules/ssl/ssl_files.h"
#include "http/proxy/http1_answer.h"
#include "http/status.h"
#include "upstream/ocsp/ocsp_check.h"
#include "upstream/ocsp/stapling.h"

/* ---- what responders answer ---- */

/* RFC 6960 appendix A.2. */
static const char *check_head(const struct http1_answer *a)
{
    const struct str wanted = STR("application/ocsp-response");
    struct str type = http1_answer_field(a, STR("Content-Type"));

    if (a->status.status != STATUS_OK)
        return "it answered with another status than 200";
    type = str_trim(str_split(&type, ';'));
    return str_eq_nocase(type, wanted) ? NULL : "its answer is not of type application/ocsp-response";
}

static const enum fetch_state states[] = {
    [HTTP1_ANSWER_MORE] = FETCH_WAIT, [HTTP1_ANSWER_GOOD] = FETCH_DONE,
    [HTTP1_ANSWER_BAD] = FETCH_FAILED,
};

static enum fetch_state judge(struct str in, bool end, struct out *content, const char **why)
{
    struct http1_answer a;
    bool extra;
    enum fetch_state head = states[http1_answer_head(in, &a)];

    *why = "its answer is no HTTP";
    if (head != FETCH_DONE)
        return head;
    *why = check_head(&a);
    if (*why)
        return FETCH_FAILED;
    *why = "its answer is no HTTP, or too large";
    return out_need(content, a.body.len + 1) ? states[http1_answer_body(&a, end, content, &extra)]
                                             : FETCH_FAILED;
}

const struct fetch_kind ssl_ocsp_http = { judge };

/* ---- types ---- */

const struct name_value ssl_ocsp_modes[] = {
    { "off", SSL_OCSP_OFF }, { "on", SSL_OCSP_ON }, { "leaf", SSL_OCSP_LEAF }, { NULL, 0 },
};

static const char cache_tag;

/* off | shared:name:size */
static bool parse_cache(struct setting *s, void *field)
{
    const struct str shared = STR("shared:");
    struct zone_spec **zone = field;
    struct str word = setting_arg(s, 1), name;
    size_t size;

    *zone = NULL;
    if (str_eq(word, STR("off")))
        return true;
    if (!str_starts(word, shared))
        return setting_error(s, 1, "invalid OCSP cache \"%.*s\"", STR_ARG(word));
    if (!zone_words_parse(s, 1, str_from(word, shared.len), &name, &size))
        return false;
    *zone = zone_words_define(s, 1, name, size, &cache_tag);
    if (*zone)
        (*zone)->init = ocsp_check_zone_init;
    return *zone != NULL;
}

static void print_cache(const struct directive *row, const void *field, struct out *o)
{
    const struct zone_spec *zone = *(struct zone_spec *const *)field;

    (void)row;
    if (zone)
        out_printf(o, "shared:%.*s:%zu", STR_ARG(zone->name), zone->size);
    else
        OUT_LITERAL(o, "off");
}

const struct type type_ssl_ocsp_cache = {
    "off | shared:name:size", "off or shared:name:size", parse_cache, print_cache,
};

static bool parse_responder(struct setting *s, void *field)
{
    struct responder *r = ARENA_NEW(setting_arena(s), struct responder);
    const char *problem = responder_parse(arena_str(setting_arena(s), setting_arg(s, 1)), r);

    *(struct responder **)field = r;
    return !problem || setting_error_hint(s, 1, STR("write http://host, and perhaps :port and /path"),
                                          "%s in OCSP responder \"%.*s\"", problem,
                                          STR_ARG(setting_arg(s, 1)));
}

static void print_responder(const struct directive *row, const void *field, struct out *o)
{
    const struct responder *r = *(struct responder *const *)field;

    (void)row;
    if (r)
        print_word(o, r->text);
}

const struct type type_ssl_ocsp_responder = {
    "url", "an address such as http://ocsp.example.com/", parse_responder, print_responder,
};

/* ---- clients ---- */

bool ssl_ocsp_prepare(const struct setting *s, struct ssl_conf *c, struct tls_settings *to)
{
    struct arena *a = setting_arena(s);

    if (c->ocsp == SSL_OCSP_OFF)
        return true;
    struct setting place = ssl_files_line(s, "ssl_ocsp", 0);
    if (c->verify == TLS_VERIFY_OPTIONAL_NO_CA)
        return setting_error_hint(&place, 0, STR("who is to ask about a certificate whose CA is unknown? "
                                                 "Write \"ssl_verify_client on\" or \"optional\""),
                                  "\"ssl_ocsp\" is incompatible with \"ssl_verify_client "
                                  "optional_no_ca\"");
    if (c->verify == TLS_VERIFY_OFF)
        setting_advise(&place, 0, "\"ssl_ocsp\" has nothing to check: clients show a certificate only "
                       "where \"ssl_verify_client\" is on or optional");
    c->check = ARENA_NEW(a, struct ocsp_check_conf);
    *c->check = (struct ocsp_check_conf){
        .leaf = c->ocsp == SSL_OCSP_LEAF, .responder = c->ocsp_responder,
        .zone = c->ocsp_cache ? &c->ocsp_cache->zone : NULL,
        .resolver = resolver_rows_of(s->block), .http = &ssl_ocsp_http,
    };
    struct str url = c->ocsp_responder ? c->ocsp_responder->text : STR("");
    to->client_rules = arena_printf(a, "OCSP %u %.*s", c->ocsp, STR_ARG(url));
    return true;
}

/* ---- the server's own certificates ---- */

/* What a file's answer is worth for one of them.  false: for this one, nothing. */
static bool use_file(struct setting *place, struct tls_context *x, const struct tls_text *certificate,
                     const struct tls_text *file, enum tls_answer *kind)
{
    struct tls_staple *staple = tls_staple_new();
    time_t until = -1;

    *kind = tls_answer_about(file->content, certificate, &until);
    if (*kind == TLS_ANSWER_GOOD && until != -1 && until <= time(NULL))
        setting_warn(place, 0, "the answer in \"%.*s\" is out of date, and not stapled: renew it",
                     STR_ARG(file->name));
    else if (*kind == TLS_ANSWER_GOOD &&
             (!staple || !tls_staple_set(staple, file->content, until) ||
              !tls_staple_use(x, certificate, staple)))
        setting_warn(place, 0, "\"ssl_stapling_file\" ignored: memory is short");
    tls_staple_unref(staple);
    return *kind == TLS_ANSWER_GOOD;
}

static bool staple_file(const struct setting *s, struct ssl_conf *c, const struct tls_settings *of)
{
    struct setting place = ssl_files_line(s, "ssl_stapling_file", 0);
    enum tls_answer kind = TLS_ANSWER_OTHER;
    struct tls_text file = { 0 };
    bool used = false;

    if (!ssl_files_read(s, "ssl_stapling_file", 0, c->stapling_file, &file))
        return false;
    for (unsigned i = 0; i < of->pair_count && kind != TLS_ANSWER_NONE; i++) {
        if (of->pairs[i].certificate.content.data)
            used |= use_file(&place, c->context, &of->pairs[i].certificate, &file, &kind);
    }
    if (kind == TLS_ANSWER_NONE)
        return setting_error_hint(&place, 0, STR("openssl ocsp -respout FILE writes one"),
                                  "there is no OCSP answer in DER form in \"%.*s\"", STR_ARG(file.name));
    if (!used)
        setting_warn(&place, 0, "\"ssl_stapling_file\" ignored: \"%.*s\" %s", STR_ARG(file.name),
                     kind == TLS_ANSWER_ERROR ? "says only that the responder could not answer"
                                              : "is about other certificates than this server's");
    return true;
}

bool ssl_ocsp_staple(const struct setting *s, struct ssl_conf *c, const struct tls_settings *of)
{
    struct stapling_conf conf = {
        .responder = c->stapling_responder, .verify = c->stapling_verify,
        .resolver = resolver_rows_of(s->block), .http = &ssl_ocsp_http,
    };

    if (!c->stapling)
        return true;
    if (c->stapling_file.data)
        return staple_file(s, c, of);
    struct setting place = ssl_files_line(s, "ssl_stapling", 0);
    for (unsigned i = 0; i < of->pair_count; i++) {
        if (of->pairs[i].certificate.content.data)
            stapling_add(&place, c->context, &of->pairs[i].certificate, &conf);
        else
            setting_warn(&place, 0, "\"ssl_stapling\" ignored for certificate \"%.*s\": it is known only "
                         "in handshakes", STR_ARG(of->pairs[i].certificate.name));
    }
    return true;
}

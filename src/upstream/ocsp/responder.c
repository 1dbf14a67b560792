/*
 * responder: see responder.h.
 */
#include "upstream/ocsp/responder.h"

#include "base/digest/base64.h"

enum {
    HTTP_PORT = 80,
    GET_MAX = 255,                     /* bytes of a question in a path: RFC 6960 appendix A.1 */
    QUESTION_MAX = 4096,
    REQUEST_MAX = 12288,
};

/* ---- where it is ---- */

/* What goes into a line of a request must not be able to end it. */
static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c <= ' ' || c >= 127)
            return false;
    }
    return true;
}

static bool split_port(struct responder *r)
{
    ptrdiff_t colon = str_rindex(r->authority, ':'), bracket = str_rindex(r->authority, ']');

    r->host = r->authority;
    r->port = HTTP_PORT;
    if (colon > bracket) {
        r->host = str_first(r->authority, (size_t)colon);
        if (!str_to_uint(str_from(r->authority, (size_t)colon + 1), 65535, &r->port) || r->port == 0)
            return false;
    }
    if (r->host.len > 2 && r->host.data[0] == '[' && r->host.data[r->host.len - 1] == ']')
        r->host = str_first(str_from(r->host, 1), r->host.len - 2);
    return true;
}

const char *responder_parse(struct str url, struct responder *r)
{
    const struct str scheme = STR("http://");
    struct str rest = str_from(url, url.len < scheme.len ? url.len : scheme.len);
    size_t end = 0;

    *r = (struct responder){ .text = url };
    if (!str_starts_nocase(url, scheme))
        return "invalid URL prefix";
    while (end < rest.len && rest.data[end] != '/' && rest.data[end] != '?' && rest.data[end] != '#')
        end++;
    r->authority = str_first(rest, end);
    r->path = str_from(rest, end);
    if (!is_plain(rest) || str_index(r->authority, '@') >= 0)
        return "invalid character";
    if (r->path.len && r->path.data[0] != '/')
        return "no path";
    if (!split_port(r))
        return "invalid port";
    return r->host.len ? NULL : "no host";
}

/* ---- how it is asked ---- */

/* Characters of base64 that mean something else in a path. */
static void put_escaped(struct out *o, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '+' || c == '/' || c == '=')
            out_printf(o, "%%%02X", (unsigned)c);
        else
            out_char(o, c);
    }
}

/* In the path, where caches on the way can know it again: if it is short, and the path is only that. */
static bool put_get(const struct responder *r, struct str question, struct out *o)
{
    char plain[GET_MAX * 2], escaped[GET_MAX];
    struct out text = out_fixed(plain, sizeof plain), in_path = out_fixed(escaped, sizeof escaped);

    base64_encode(&text, question);
    put_escaped(&in_path, out_str_of(&text));
    if (text.overflow || in_path.overflow || str_index(r->path, '?') >= 0)
        return false;
    OUT_LITERAL(o, "GET ");
    out_str(o, r->path);
    if (!str_ends(r->path, STR("/")))
        out_char(o, '/');
    out_str(o, out_str_of(&in_path));
    return true;
}

static void put_post(const struct responder *r, struct out *o)
{
    OUT_LITERAL(o, "POST ");
    out_str(o, r->path.len ? r->path : STR("/"));
}

void responder_put_request(const struct responder *r, struct str question, struct out *o)
{
    bool get = put_get(r, question, o);

    if (!get)
        put_post(r, o);
    OUT_LITERAL(o, " HTTP/1.0\r\nHost: ");
    out_str(o, r->authority);
    OUT_LITERAL(o, "\r\nAccept: application/ocsp-response\r\nConnection: close\r\n");
    if (!get)
        out_printf(o, "Content-Type: application/ocsp-request\r\nContent-Length: %zu\r\n", question.len);
    OUT_LITERAL(o, "\r\n");
    if (!get)
        out_str(o, question);
}

struct fetch *responder_ask(const struct responder *r, const struct tls_question *q,
                            const struct responder_way *way, void (*wake)(void *owner), void *owner)
{
    struct fetch_conf conf = {
        .kind = way->http, .host = r->host, .port = r->port, .resolver = way->resolver,
        .resolve_timeout = way->resolve_timeout, .timeout = RESPONDER_MS,
        .background = way->background,
    };
    char question_space[QUESTION_MAX], space[REQUEST_MAX];
    struct out question = out_fixed(question_space, sizeof question_space);
    struct out request = out_fixed(space, sizeof space);

    tls_question_put(q, &question);
    responder_put_request(r, out_str_of(&question), &request);
    if (question.overflow || request.overflow || out_len(&question) == 0)
        return NULL;
    return fetch_start(&conf, out_str_of(&request), wake, owner);
}

bool responder_answer(const struct fetch *f, const struct tls_question *q, enum tls_signer signer,
                      struct tls_verdict *v)
{
    struct out o = out_fixed(v->text, sizeof v->text - 1);

    if (fetch_state(f) == FETCH_DONE)
        return tls_question_judge(q, fetch_content(f), signer, v);
    fetch_put_trouble(f, &o);
    *o.at = '\0';
    return false;
}

/*
 * sub: see sub.h.  The body goes through a window in which texts are looked for; what stands between
 * them is sent from there.
 */
#include "http/modules/sub.h"

#include "http/core.h"
#include "http/media_types.h"
#include "http/modules/scratch.h"
#include "http/modules/sub_match.h"
#include "http/reader.h"
#include "http/request.h"
#include "http/response.h"

enum { WINDOW = 32768 };               /* bytes; more where a text is long */

struct sub_pair {
    struct template text, replacement;
};

struct sub_conf {
    struct {
        ARRAY(struct sub_pair) list;
    } pairs;
    struct media_types types;
    bool once, last_modified;
};

/* ---- directives ---- */

static bool parse_pair(struct setting *s, void *field)
{
    struct variables *names = config_variables(s);
    struct sub_pair pair = { 0 };

    (void)field;
    if (setting_arg(s, 1).len == 0)
        return setting_error(s, 1, "empty search pattern");
    if (!template_compile(s, 1, names, &pair.text) ||
        !template_compile(s, 2, names, &pair.replacement))
        return false;
    struct sub_conf *c = s->conf;
    *ARRAY_PUSH(&c->pairs.list, setting_arena(s)) = pair;
    return true;
}

static void print_pair(const struct directive *row, const void *field, struct out *o)
{
    const struct sub_conf *c = (const void *)((const char *)field - row->offset);

    for (unsigned i = 0; i < c->pairs.list.count; i++) {
        if (i)
            OUT_LITERAL(o, "; ");
        print_word(o, c->pairs.list.items[i].text.text);
        out_char(o, ' ');
        print_word(o, c->pairs.list.items[i].replacement.text);
    }
}

static const struct type type_pair = {
    "string replacement", "a text and what takes its place", parse_pair, print_pair,
};

#define PLACES (IN_HTTP | IN_SERVER | IN_LOCATION)

static const struct directive rows[] = {
    { "sub_filter", PLACES, ARGS(2), &type_pair, FIELD(struct sub_conf, pairs), .flags = REPEATS,
      .help = "Replace a text of responses, in any case of its letters, by another. Lines here "
              "take the place of those of the outer block." },
    { "sub_filter_types", PLACES, ARGS_RANGE(1, ARGS_ANY), &type_media_types,
      FIELD(struct sub_conf, types), .flags = REPEATS, .initial = "text/html",
      .help = "Types of content in which texts are replaced, besides text/html; \"*\" is any." },
    { "sub_filter_once", PLACES, ARGS(1), &type_flag, FIELD(struct sub_conf, once),
      .initial = "on", .help = "Replace only the first of each text." },
    { "sub_filter_last_modified", PLACES, ARGS(1), &type_flag,
      FIELD(struct sub_conf, last_modified), .initial = "off",
      .help = "Keep Last-Modified of the original." },
    { 0 },
};

struct module http_sub_module = {
    .name = "ngx_http_sub_module",
    .directives = rows,
    .conf_size = sizeof(struct sub_conf),
};

static const struct sub_conf *conf_of(void *const *conf)
{
    return CONF(conf, http_sub_module);
}

/* ---- the source ---- */

struct sub_source {
    struct source source;
    struct reader in;
    struct str piece;                  /* of the input: what is not in the window yet */
    const struct sub_conf *conf;
    struct sub_texts texts;
    struct str *replacements;          /* data NULL: not computed yet */
    char *window;
    size_t size;                       /* of the window */
    size_t at, end;                    /* what is in it and not sent */
    size_t settled;                    /* up to there nothing is to be replaced */
    struct str replacement;            /* what is due at `settled`; data NULL: nothing */
    size_t skip;                       /* bytes that it stands for */
    bool last;                         /* the input is at its end */
    bool failed;                       /* it can't go on: once what came before has been sent */
};

/* Fills the window anew; what was sent is forgotten.  PULL_DATA: there is something new in it. */
static enum pull fill(struct sub_source *s)
{
    size_t held = s->end - s->at;

    memmove(s->window, s->window + s->at, held);
    s->end = held;
    s->at = s->settled = 0;
    while (s->end < s->size && !s->failed) {
        if (s->piece.len == 0) {
            enum pull result = reader_next(&s->in, &s->piece);
            if (result == PULL_LAST)
                s->last = true;
            s->failed = result == PULL_ERROR;
            if (result == PULL_WAIT && s->end == held)
                return PULL_WAIT;
            if (result != PULL_DATA)
                break;
        }
        size_t n = s->size - s->end < s->piece.len ? s->size - s->end : s->piece.len;
        memcpy(s->window + s->end, s->piece.data, n);
        s->end += n;
        s->piece = str_from(s->piece, n);
    }
    return s->failed && s->end == held ? PULL_ERROR : PULL_DATA;
}

static struct str replacement_of(struct sub_source *s, unsigned i)
{
    struct str *value = &s->replacements[i];

    if (!value->data) {
        *value = template_value(&s->conf->pairs.list.items[i].replacement,
                                request_script(s->source.request));
        if (!value->data)
            *value = STR("");
    }
    return *value;
}

/* Finds out how far the window can be sent, and what comes then. */
static void search(struct sub_source *s)
{
    struct str subject = { s->window + s->settled, s->end - s->settled };
    size_t at = 0;
    unsigned which = 0;

    switch (sub_match(&s->texts, subject, s->last, &at, &which)) {
    case SUB_NONE:
        s->settled = s->end;
        return;
    case SUB_MORE:
        s->settled += at;
        return;
    case SUB_FOUND:
        s->settled += at;
        s->skip = s->texts.items[which].text.len;
        s->replacement = replacement_of(s, which);
        if (s->conf->once)
            sub_texts_drop(&s->texts, which);
        return;
    }
}

/* Gives what can be given of the window.  false: the batch is full. */
static bool give(struct sub_source *s, struct batch *out, size_t *budget)
{
    for (;;) {
        if (batch_full(out) || *budget == 0)
            return false;
        size_t n = s->settled - s->at;
        if (n > 0) {
            n = n < *budget ? n : *budget;
            batch_memory(out, s->window + s->at, n);
            s->at += n;
        } else if (s->replacement.data) {
            n = s->replacement.len < *budget ? s->replacement.len : *budget;
            if (n)
                batch_memory(out, s->replacement.data, n);
            s->replacement = str_from(s->replacement, n);
            if (s->replacement.len == 0) {
                s->replacement.data = NULL;
                s->at = s->settled += s->skip;
            }
        } else {
            search(s);
            if (s->settled == s->at && !s->replacement.data)
                return true;
        }
        *budget -= n;
    }
}

static bool start(struct sub_source *s)
{
    s->size = 2 * s->texts.longest > WINDOW ? 2 * s->texts.longest : WINDOW;
    s->window = scratch_take(s->size);
    if (!s->window)
        request_log(s->source.request, LOG_LEVEL_ERROR, 0,
                    "memory is short: texts of a response can't be replaced");
    return s->window != NULL;
}

static enum pull sub_pull(struct source *source, struct batch *out, size_t budget)
{
    struct sub_source *s = (struct sub_source *)source;

    if (!s->window && !start(s))
        return PULL_ERROR;
    while (give(s, out, &budget)) {
        if (s->last)
            return PULL_LAST;
        if (out->count > 0)                    /* what it holds lies in the window */
            return PULL_DATA;
        enum pull result = fill(s);
        if (result != PULL_DATA)
            return result;
    }
    return PULL_DATA;
}

static void sub_close(struct source *source)
{
    struct sub_source *s = (struct sub_source *)source;

    source_close(s->in.source);
    scratch_give(s->window);
    s->window = NULL;
}

static const struct source_ops sub_ops = { "sub", sub_pull, sub_close, NULL };

/* ---- the filter ---- */

static bool enabled(void *const *conf)
{
    return conf_of(conf)->pairs.list.count > 0;
}

static struct sub_source *wrap(struct request *r, const struct sub_conf *c)
{
    struct sub_source *s = ARENA_NEW(&r->arena, struct sub_source);
    unsigned count = c->pairs.list.count;
    struct str *texts = ARENA_NEW_ARRAY(&r->arena, struct str, count);

    for (unsigned i = 0; i < count; i++)
        texts[i] = template_value(&c->pairs.list.items[i].text, request_script(r));
    s->source = (struct source){ &sub_ops, r };
    s->conf = c;
    s->piece = STR("");
    s->replacements = ARENA_NEW_ARRAY(&r->arena, struct str, count);
    sub_texts_init(&s->texts, &r->arena, texts, count);
    reader_init(&s->in, r->response.body);
    return s;
}

static int apply(struct request *r)
{
    const struct sub_conf *c = conf_of(r->conf);
    struct response *res = &r->response;

    if (res->length == 0 || !media_types_have(&c->types, res->content_type))
        return 0;
    struct sub_source *s = wrap(r, c);
    if (!sub_texts_left(&s->texts))
        return 0;
    response_body_changes(r, c->last_modified);
    if (res->body)
        res->body = &s->source;
    return 0;
}

const struct http_filter sub_filter = { .name = "sub", .enabled = enabled, .apply = apply };

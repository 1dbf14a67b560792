/*
 * ssi: see ssi.h.  The page goes through a window.  Its commands are run ahead of what is sent, as far
 * as the window reaches, so that the subrequests of a page's includes run side by side; what they stand
 * for is kept in a queue of parts, and sent in order.
 */
#include "http/modules/ssi/ssi.h"

#include "http/core.h"
#include "http/media_types.h"
#include "http/modules/scratch.h"
#include "http/modules/ssi/ssi_command.h"
#include "http/reader.h"
#include "http/response.h"
#include "http/subrequest.h"

enum { WINDOW = 32768, PARTS = 64 };

struct ssi_conf {
    bool on, last_modified, silent_errors;
    struct media_types types;
    size_t value_length;
};

/* ---- directives and variables ---- */

#define PLACES (IN_HTTP | IN_SERVER | IN_LOCATION)

static const struct directive rows[] = {
    { "ssi", PLACES | IN_LOCATION_IF, ARGS(1), &type_flag, FIELD(struct ssi_conf, on),
      .initial = "off", .help = "Run the commands of server side includes in responses." },
    { "ssi_last_modified", PLACES, ARGS(1), &type_flag, FIELD(struct ssi_conf, last_modified),
      .initial = "off", .help = "Keep Last-Modified of the page." },
    { "ssi_min_file_chunk", PLACES, ARGS(1), &type_accepted, .syntax = "size",
      .help = "Without effect: pages are read through memory.", .default_text = "1k" },
    { "ssi_silent_errors", PLACES, ARGS(1), &type_flag, FIELD(struct ssi_conf, silent_errors),
      .initial = "off", .help = "Put nothing in the place of a command that failed." },
    { "ssi_types", PLACES, ARGS_RANGE(1, ARGS_ANY), &type_media_types,
      FIELD(struct ssi_conf, types), .flags = REPEATS, .initial = "text/html",
      .help = "Types of content in which commands are run, besides text/html; \"*\" is any." },
    { "ssi_value_length", PLACES, ARGS(1), &type_size, FIELD(struct ssi_conf, value_length),
      .initial = "256", .syntax = "length",
      .help = "The longest value of a command's parameter." },
    { 0 },
};

static bool get_date(struct script *s, const struct variable *var, struct value *v)
{
    struct str text = ssi_time(s->object, var->data != 0);

    *v = (struct value){ .data = text.data, .len = (uint32_t)text.len, .state = VALUE_FOUND };
    return true;
}

static const struct variable variables[] = {
    { .name = STR_INIT("date_local"), .get = get_date, .flags = VARIABLE_VOLATILE },
    { .name = STR_INIT("date_gmt"), .get = get_date, .data = 1, .flags = VARIABLE_VOLATILE },
    { .name = { NULL, 0 } },
};

static const struct http_module extra = { .variables = variables };

struct module http_ssi_module = {
    .name = "ngx_http_ssi_module",
    .directives = rows,
    .conf_size = sizeof(struct ssi_conf),
    .extra = &extra,
};

static const struct ssi_conf *conf_of(void *const *conf)
{
    return CONF(conf, http_ssi_module);
}

/* ---- parts ---- */

/* A text, or the response to a subrequest. */
struct part {
    struct str text;
    struct request *sub;               /* NULL: a text */
    struct ssi_block *stub;
    struct str set;                    /* data NULL: the response is sent */
    struct out value;                  /* otherwise: what has come of it */
    bool wait;                         /* the commands behind it run when it is done */
    bool gave;                         /* some of it was sent */
};

struct ssi_source {
    struct source source;
    struct reader in;
    struct str piece;                  /* of the page: what is not in the window yet */
    char *window;
    size_t end;                        /* bytes in it */
    size_t parsed;                     /* of which commands were looked for */
    bool stuck;                        /* the rest may be a command, if more comes */
    bool skipping;                     /* in a command that is too long, up to its end */
    bool last;                         /* the page is at its end */
    bool failed;                       /* it can't go on: once what came before has been sent */
    struct part *parts;                /* PARTS of them */
    unsigned first, count;             /* of the queue: parts[first..count-1] */
    struct request *done;              /* its last bytes were given by the last pull */
};

static struct part *add_part(struct ssi_source *s)
{
    struct part *p = &s->parts[s->count++];

    *p = (struct part){ .text = STR("") };
    return p;
}

/* A text goes to the client, into the block that is open, or nowhere. */
static void add_text(struct ssi_source *s, struct str text)
{
    struct ssi_page *page = ssi_page_of(s->source.request);

    if (!page->shown || text.len == 0)
        return;
    if (page->block)
        out_str(&page->block->text, text);
    else
        add_part(s)->text = text;
}

static void add_error(struct ssi_source *s)
{
    struct request *r = s->source.request;

    if (!conf_of(r->conf)->silent_errors)
        add_text(s, ssi_page_of(r)->errmsg);
}

static void add_include(struct ssi_source *s, const struct ssi_result *result)
{
    struct part *p = add_part(s);

    p->sub = result->include;
    p->stub = result->stub;
    p->set = result->set;
    p->wait = result->wait;
    if (p->set.data)
        p->value = out_growing(&p->sub->main->arena, 0);
}

/* A mistake in an `if` shows where the `if` does. */
static void run_condition(struct ssi_source *s, const struct ssi_command *c)
{
    struct ssi_page *page = ssi_page_of(s->source.request);
    bool before = page->shown, good = ssi_condition(s->source.request, c), after = page->shown;

    page->shown = before;
    if (!good)
        add_error(s);
    page->shown = after;
}

static void run_command(struct ssi_source *s, const struct ssi_command *c)
{
    struct request *r = s->source.request;
    struct ssi_result result;

    if (ssi_is_condition(c->name)) {
        run_condition(s, c);
    } else if (ssi_page_of(r)->shown) {
        if (!ssi_command_run(r, c, &result))
            add_error(s);
        else if (result.include)
            add_include(s, &result);
        else
            add_text(s, result.text);
    }
}

/* ---- the window ---- */

/* A command is larger than the window: its rest is dropped. */
static void skip(struct ssi_source *s)
{
    struct str rest = { s->window + s->parsed, s->end - s->parsed };
    ptrdiff_t close = str_find(rest, STR("-->"));

    s->skipping = close < 0;
    if (close >= 0)
        s->parsed += (size_t)close + 3;
    else if (s->last || rest.len > 2)          /* two bytes of the end may be there */
        s->parsed = s->last ? s->end : s->end - 2;
    s->stuck = close < 0;
}

static void parse_next(struct ssi_source *s)
{
    struct request *r = s->source.request;
    struct str text = { s->window + s->parsed, s->end - s->parsed };
    struct ssi_command c;
    size_t start, end;
    const char *why;

    enum ssi_found found =
        ssi_parse(text, s->last, conf_of(r->conf)->value_length, &c, &start, &end, &why);
    add_text(s, str_first(text, start));
    s->parsed += found == SSI_MORE ? start : end;
    switch (found) {
    case SSI_NONE:
        break;
    case SSI_MORE:
        s->stuck = true;
        if (s->parsed > 0 || s->end < WINDOW)
            break;
        request_log(r, LOG_LEVEL_ERROR, 0, "an SSI command is too long");
        add_error(s);
        skip(s);
        break;
    case SSI_BAD:
        request_log(r, LOG_LEVEL_ERROR, 0, "SSI: %s", why);
        add_error(s);
        break;
    case SSI_COMMAND:
        run_command(s, &c);
        break;
    }
}

static bool waits_for_part(const struct ssi_source *s)
{
    return s->count > s->first && s->parts[s->count - 1].wait;
}

/* Commands run ahead of what is sent, unless one must be waited for. */
static void parse_ahead(struct ssi_source *s)
{
    if (s->first == s->count)
        s->first = s->count = 0;
    while (s->parsed < s->end && !s->stuck && s->count + 2 <= PARTS && !waits_for_part(s)) {
        if (s->skipping)
            skip(s);
        else
            parse_next(s);
    }
}

/* More of the page; nothing of the window is in use any more. */
static enum pull fill(struct ssi_source *s)
{
    size_t held = s->end - s->parsed;

    memmove(s->window, s->window + s->parsed, held);
    s->end = held;
    s->parsed = 0;
    while (s->end < WINDOW && !s->last && !s->failed) {
        if (s->piece.len == 0) {
            enum pull result = reader_next(&s->in, &s->piece);
            s->last = result == PULL_LAST;
            s->failed = result == PULL_ERROR;
            if (result == PULL_WAIT && s->end == held)
                return PULL_WAIT;
            if (result != PULL_DATA)
                break;
        }
        size_t n = WINDOW - s->end < s->piece.len ? WINDOW - s->end : s->piece.len;
        memcpy(s->window + s->end, s->piece.data, n);
        s->end += n;
        s->piece = str_from(s->piece, n);
    }
    s->stuck = false;
    return s->failed && s->end == held ? PULL_ERROR : PULL_DATA;
}

/* ---- sending ---- */

enum given { GAVE_ALL, GAVE_FULL, GAVE_WAIT, GAVE_ERROR };

static void end_done(struct ssi_source *s)
{
    if (s->done)
        subrequest_end(s->done);
    s->done = NULL;
}

/* The response has been used up: the stub takes its place, if there was nothing. */
static void end_include(struct ssi_source *s, struct part *p)
{
    s->done = p->sub;
    p->sub = NULL;
    p->wait = false;
    if (p->set.data)
        ssi_set_variable(s->source.request, p->set,
                         p->value.start ? out_str_of(&p->value) : STR(""));
    else if (!p->gave && p->stub)
        p->text = out_str_of(&p->stub->text);
}

/* The response becomes a variable's value: it is kept as it comes. */
static enum given keep_value(struct ssi_source *s, struct part *p, struct source *body)
{
    struct reader in;
    struct str piece = { NULL, 0 };
    enum pull result;

    p->value.max = core_conf(p->sub->conf)->subrequest_output_buffer_size;
    reader_init(&in, body);
    do {
        result = reader_next(&in, &piece);
        if (result == PULL_DATA)
            out_str(&p->value, piece);
    } while (result == PULL_DATA && !p->value.overflow);
    if (p->value.overflow)
        request_log(s->source.request, LOG_LEVEL_ERROR, 0, "too big subrequest response");
    if (p->value.overflow || result == PULL_ERROR)
        return GAVE_ERROR;
    return result == PULL_WAIT ? GAVE_WAIT : GAVE_ALL;
}

/* As much of the response as there is.  GAVE_ALL: the part is a text now. */
static enum given give_include(struct ssi_source *s, struct part *p, struct batch *out,
                               size_t budget)
{
    int state = subrequest_run(p->sub);
    struct source *body = state == STEP_RESPOND ? p->sub->response.body : NULL;
    size_t before = out->bytes;
    enum pull result = PULL_LAST;

    if (state == STEP_WAIT)
        return GAVE_WAIT;
    if ((p->stub || p->set.data) && p->sub->response.status >= STATUS_MULTIPLE_CHOICES)
        body = NULL;
    if (body && p->set.data) {
        enum given kept = keep_value(s, p, body);
        if (kept != GAVE_ALL)
            return kept;
    } else if (body)
        result = source_pull(body, out, budget);
    if (out->bytes > before)
        p->gave = true;
    if (result == PULL_LAST) {
        end_include(s, p);
        return GAVE_ALL;
    }
    return result == PULL_WAIT ? GAVE_WAIT : result == PULL_ERROR ? GAVE_ERROR : GAVE_FULL;
}

static void give_text(struct part *p, struct batch *out, size_t budget)
{
    size_t n = p->text.len < budget ? p->text.len : budget;

    if (n)
        batch_memory(out, p->text.data, n);
    p->text = str_from(p->text, n);
}

/* What is due, in order.  A response's bytes are the last of a batch: they hold until the next pull. */
static enum given give(struct ssi_source *s, struct batch *out, size_t budget)
{
    size_t before = out->bytes;

    while (s->first < s->count) {
        struct part *p = &s->parts[s->first];
        size_t left = budget - (out->bytes - before);
        if (batch_full(out) || left == 0 || s->done)
            return GAVE_FULL;
        if (p->sub) {
            enum given given = give_include(s, p, out, left);
            if (given != GAVE_ALL)
                return given;
            if (!p->gave)
                end_done(s);
        } else
            give_text(p, out, left);
        if (!p->sub && p->text.len == 0)
            s->first++;
    }
    return GAVE_ALL;
}

/* All includes that are known run side by side. */
static void run_includes(struct ssi_source *s)
{
    for (unsigned i = s->first; i < s->count; i++) {
        if (s->parts[i].sub)
            subrequest_run(s->parts[i].sub);
    }
}

static bool at_end(const struct ssi_source *s)
{
    return s->last && s->parsed == s->end && s->first == s->count;
}

static bool start(struct ssi_source *s)
{
    s->window = scratch_take(WINDOW);
    s->parts = scratch_take(PARTS * sizeof(struct part));
    if (!s->window || !s->parts)
        request_log(s->source.request, LOG_LEVEL_ERROR, 0,
                    "memory is short: a page's commands can't be run");
    return s->window && s->parts;
}

static enum pull ssi_pull(struct source *source, struct batch *out, size_t budget)
{
    struct ssi_source *s = (struct ssi_source *)source;
    size_t before = out->bytes;

    end_done(s);
    if (!s->window && !start(s))
        return PULL_ERROR;
    for (;;) {
        parse_ahead(s);
        run_includes(s);
        size_t given = out->bytes - before;
        switch (given < budget ? give(s, out, budget - given) : GAVE_FULL) {
        case GAVE_FULL:
            return PULL_DATA;
        case GAVE_WAIT:
            return out->bytes > before ? PULL_DATA : PULL_WAIT;
        case GAVE_ERROR:
            return PULL_ERROR;
        case GAVE_ALL:
            break;
        }
        if (at_end(s))
            return PULL_LAST;
        if (s->parsed < s->end && !s->stuck)
            continue;
        if (out->bytes > before)               /* its spans lie in the window */
            return PULL_DATA;
        enum pull result = fill(s);
        if (result != PULL_DATA)
            return result;
    }
}

static void ssi_close(struct source *source)
{
    struct ssi_source *s = (struct ssi_source *)source;

    end_done(s);
    for (unsigned i = s->first; i < s->count; i++) {
        if (s->parts[i].sub)
            subrequest_end(s->parts[i].sub);
    }
    s->first = s->count;
    source_close(s->in.source);
    scratch_give(s->window);
    scratch_give(s->parts);
    s->window = NULL;
    s->parts = NULL;
}

static const struct source_ops ssi_ops = { "ssi", ssi_pull, ssi_close, NULL };

/* ---- the filter ---- */

static bool enabled(void *const *conf)
{
    return conf_of(conf)->on;
}

static int apply(struct request *r)
{
    const struct ssi_conf *c = conf_of(r->conf);
    struct response *res = &r->response;

    if (res->length == 0 || !media_types_have(&c->types, res->content_type))
        return 0;
    response_body_changes(r, c->last_modified);
    if (!res->body)
        return 0;
    struct ssi_source *s = ARENA_NEW(&r->arena, struct ssi_source);
    s->source = (struct source){ &ssi_ops, r };
    s->piece = STR("");
    reader_init(&s->in, res->body);
    res->body = &s->source;
    return 0;
}

const struct http_filter ssi_filter = { .name = "ssi", .enabled = enabled, .apply = apply };

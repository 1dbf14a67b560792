/*
 * gzip: see gzip.h.  Whether the client may have it is gzip_client's affair, compression itself
 * base/deflate's.
 */
#include "http/modules/gzip.h"

#include "base/deflate/deflate.h"
#include "http/core.h"
#include "http/media_types.h"
#include "http/modules/gzip_client.h"
#include "http/modules/scratch.h"
#include "http/reader.h"
#include "http/http.h"
#include "http/request.h"
#include "http/response.h"

enum {
    OUT_MOST = 32768,                  /* bytes of output at a time */
    OUT_LEAST = 256,
};

struct gzip_conf {
    bool on, no_buffer;
    struct bufs buffers;
    unsigned level, window_bits, mem_level;
    size_t min_length;
    struct media_types types;
};

/* ---- directives ---- */

/* A size that is a power of two, kept as a number: `first` for the smallest, and so on. */
static bool parse_power(struct setting *s, void *field, size_t smallest, unsigned first,
                        unsigned last)
{
    size_t size, power = smallest;

    if (!parse_size(setting_arg(s, 1), &size))
        return setting_invalid(s, 1);
    for (unsigned value = first; value <= last; value++, power *= 2) {
        if (size == power) {
            *(unsigned *)field = value;
            return true;
        }
    }
    return setting_invalid(s, 1);
}

static bool parse_window(struct setting *s, void *field)
{
    return parse_power(s, field, 512, 9, 15);
}

static void print_window(const struct directive *row, const void *field, struct out *o)
{
    (void)row;
    print_size(o, (uint64_t)1 << *(const unsigned *)field);
}

static bool parse_hash(struct setting *s, void *field)
{
    return parse_power(s, field, 512, 1, 9);
}

static void print_hash(const struct directive *row, const void *field, struct out *o)
{
    (void)row;
    print_size(o, (uint64_t)256 << *(const unsigned *)field);
}

static const struct type type_window = {
    "size", "512, 1k, 2k, 4k, 8k, 16k or 32k", parse_window, print_window,
};
static const struct type type_hash = {
    "size", "512, 1k, 2k, 4k, 8k, 16k, 32k, 64k or 128k", parse_hash, print_hash,
};

static const struct number_range levels = { 1, 9 };

#define PLACES (IN_HTTP | IN_SERVER | IN_LOCATION)

static const struct directive rows[] = {
    { "gzip", PLACES | IN_LOCATION_IF, ARGS(1), &type_flag, FIELD(struct gzip_conf, on),
      .initial = "off", .help = "Compress responses for clients that accept it." },
    { "gzip_buffers", PLACES, ARGS(2), &type_bufs, FIELD(struct gzip_conf, buffers),
      .initial = "32 4k",
      .help = "How much compressed output is put together before it is sent, 32k at most." },
    { "gzip_types", PLACES, ARGS_RANGE(1, ARGS_ANY), &type_media_types,
      FIELD(struct gzip_conf, types), .flags = REPEATS, .initial = "text/html",
      .help = "Types of content that are compressed, besides text/html; \"*\" is any." },
    { "gzip_comp_level", PLACES, ARGS(1), &type_number, FIELD(struct gzip_conf, level),
      .initial = "1", .data = &levels, .syntax = "level",
      .help = "From 1, the quickest, to 9, the smallest." },
    { "gzip_min_length", PLACES, ARGS(1), &type_size, FIELD(struct gzip_conf, min_length),
      .initial = "20", .syntax = "length",
      .help = "Responses known to be shorter are not compressed." },
    { "gzip_window", PLACES, ARGS(1), &type_window, FIELD(struct gzip_conf, window_bits),
      .initial = "32k", .help = "How far back repetitions are looked for." },
    { "gzip_hash", PLACES, ARGS(1), &type_hash, FIELD(struct gzip_conf, mem_level),
      .initial = "64k", .help = "Memory of the table in which repetitions are found." },
    { "postpone_gzipping", PLACES, ARGS(1), &type_accepted,
      .help = "Without effect: small pieces of a response are put together anyway." },
    { "gzip_no_buffer", PLACES, ARGS(1), &type_flag, FIELD(struct gzip_conf, no_buffer),
      .initial = "off",
      .help = "Send what has been compressed after every piece of the response." },
    { 0 },
};

/* ---- the source ---- */

struct gzip_source {
    struct source source;
    struct reader in;
    struct str piece;                  /* of the input: what is not compressed yet */
    struct deflate *deflate;           /* NULL: not begun, or ended */
    void *memory;                      /* of it */
    char *space;                       /* of the output */
    size_t space_size;
    enum deflate_flush flush;          /* what the last call was for */
    bool unfinished;                   /* and it is to be called again for that */
    bool unflushed;                    /* input was taken since the last flush */
    bool ended;
    uint64_t taken, made;              /* bytes of input and output */
    uint64_t length;                   /* of the whole input; 0: not known */
};

static bool gzip_get_ratio(struct script *s, const struct variable *var, struct value *v)
{
    struct request *r = s->object;
    const struct gzip_source *g = *REQUEST_CONTEXT(r, http_gzip_module);

    (void)var;
    if (!g || g->made == 0)
        return true;
    uint64_t hundredths = (g->taken * 1000 / g->made + 5) / 10;
    struct str text = arena_printf(s->arena, "%llu.%02u", (unsigned long long)(hundredths / 100),
                                   (unsigned)(hundredths % 100));
    *v = (struct value){ .data = text.data, .len = (uint32_t)text.len, .state = VALUE_FOUND };
    return true;
}

static const struct variable variables[] = {
    { .name = STR_INIT("gzip_ratio"), .get = gzip_get_ratio, .flags = VARIABLE_VOLATILE },
    { .name = { NULL, 0 } },
};

static const struct http_module extra = { .variables = variables };

struct module http_gzip_module = {
    .name = "ngx_http_gzip_module",
    .directives = rows,
    .conf_size = sizeof(struct gzip_conf),
    .extra = &extra,
};

static const struct gzip_conf *conf_of(const struct request *r)
{
    return CONF(r->conf, http_gzip_module);
}

/* Memory is taken when the first byte is wanted, and the state is given back with the last. */
static bool start(struct gzip_source *g)
{
    const struct request *r = g->source.request;
    const struct gzip_conf *c = conf_of(r);
    struct deflate_params params = {
        DEFLATE_GZIP, c->level, c->window_bits, c->mem_level, g->length,
    };
    size_t room = c->buffers.size * c->buffers.count;

    if (room > OUT_MOST)
        room = OUT_MOST;
    g->space_size = room < OUT_LEAST ? OUT_LEAST : room;
    g->space = scratch_take(g->space_size);
    g->memory = scratch_take(deflate_memory(&params));
    if (!g->space || !g->memory) {
        request_log(r, LOG_LEVEL_ERROR, 0, "memory is short: a response can't be compressed");
        return false;
    }
    g->deflate = deflate_init(g->memory, &params);
    return true;
}

/* Chooses what the next call of deflate is for.  PULL_DATA: call it. */
static enum pull next_input(struct gzip_source *g)
{
    enum pull result;

    if (g->unfinished || g->piece.len)
        return PULL_DATA;
    result = reader_next(&g->in, &g->piece);
    switch (result) {
    case PULL_DATA:
        g->flush = conf_of(g->source.request)->no_buffer ? DEFLATE_SYNC : DEFLATE_NO_FLUSH;
        g->unflushed = true;
        return PULL_DATA;
    case PULL_LAST:
        g->flush = DEFLATE_FINISH;
        return PULL_DATA;
    case PULL_WAIT:                            /* what has come so far must not wait, too */
        if (!g->unflushed)
            return PULL_WAIT;
        g->flush = DEFLATE_SYNC;
        return PULL_DATA;
    case PULL_ERROR:
        break;
    }
    return result;
}

static enum deflate_status compress(struct gzip_source *g, struct deflate_io *io)
{
    io->in = (const unsigned char *)g->piece.data;
    io->in_len = g->piece.len;
    enum deflate_status status = deflate_run(g->deflate, io, g->flush);
    g->taken += g->piece.len - io->in_len;
    g->piece = str_from(g->piece, g->piece.len - io->in_len);
    g->unfinished = status == DEFLATE_NEED_OUTPUT;
    if (status == DEFLATE_OK && g->flush == DEFLATE_SYNC)
        g->unflushed = false;
    return status;
}

static void end(struct gzip_source *g)
{
    scratch_give(g->memory);
    g->memory = NULL;
    g->deflate = NULL;
}

static enum pull gzip_pull(struct source *s, struct batch *out, size_t budget)
{
    struct gzip_source *g = (struct gzip_source *)s;
    enum pull result = PULL_DATA;

    if (g->ended)
        return PULL_LAST;
    if (!g->deflate && !start(g))
        return PULL_ERROR;
    size_t room = g->space_size < budget ? g->space_size : budget;
    struct deflate_io io = { .out = (unsigned char *)g->space, .out_len = room };
    while (result == PULL_DATA) {
        result = next_input(g);
        if (result != PULL_DATA)
            break;
        enum deflate_status status = compress(g, &io);
        g->ended = status == DEFLATE_END;
        if (g->ended || status == DEFLATE_NEED_OUTPUT || io.out_len == 0 ||
            g->flush == DEFLATE_SYNC)
            break;
    }
    size_t made = room - io.out_len;
    if (made)
        batch_memory(out, g->space, made);
    g->made += made;
    if (g->ended) {
        end(g);
        return PULL_LAST;
    }
    return result == PULL_WAIT && made ? PULL_DATA : result;
}

static void gzip_close(struct source *s)
{
    struct gzip_source *g = (struct gzip_source *)s;

    source_close(g->in.source);
    end(g);
    scratch_give(g->space);
    g->space = NULL;
}

static const struct source_ops gzip_ops = { "gzip", gzip_pull, gzip_close, NULL };

/* ---- the filter ---- */

static bool enabled(void *const *conf)
{
    return ((const struct gzip_conf *)CONF(conf, http_gzip_module))->on;
}

static bool is_candidate(const struct request *r, const struct gzip_conf *c)
{
    const struct response *res = &r->response;

    if (res->status != STATUS_OK && res->status != STATUS_FORBIDDEN &&
        res->status != STATUS_NOT_FOUND)
        return false;
    return res->content_encoding.len == 0 && !r->flags.header_only && res->body &&
           (res->length < 0 || (uint64_t)res->length >= c->min_length) &&
           media_types_have(&c->types, res->content_type);
}

static int apply(struct request *r)
{
    struct response *res = &r->response;

    if (!is_candidate(r, conf_of(r)))
        return 0;
    gzip_client_vary(r);
    if (!gzip_client_accepts(r))
        return 0;
    struct gzip_source *g = ARENA_NEW(&r->arena, struct gzip_source);
    g->source = (struct source){ &gzip_ops, r };
    g->piece = STR("");
    reader_init(&g->in, res->body);
    *REQUEST_CONTEXT(r, http_gzip_module) = g;
    g->length = res->length > 0 ? (uint64_t)res->length : 0;
    response_forget_length(r);
    response_weaken_etag(r);
    res->content_encoding = STR("gzip");
    res->body = &g->source;
    return 0;
}

const struct http_filter gzip_filter = {
    .name = "gzip", .enabled = enabled, .main_only = true, .apply = apply,
};

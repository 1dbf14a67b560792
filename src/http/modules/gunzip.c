/*
 * gunzip: see gunzip.h.
 */
#include "http/modules/gunzip.h"

#include "base/deflate/inflate.h"
#include "http/core.h"
#include "http/modules/gzip_client.h"
#include "http/modules/scratch.h"
#include "http/reader.h"
#include "http/request.h"
#include "http/response.h"

enum { OUT_MOST = 32768, OUT_LEAST = 256 };

struct gunzip_conf {
    bool on;
    struct bufs buffers;
};

#define PLACES (IN_HTTP | IN_SERVER | IN_LOCATION)

static const struct directive rows[] = {
    { "gunzip", PLACES, ARGS(1), &type_flag, FIELD(struct gunzip_conf, on), .initial = "off",
      .help = "Decompress responses in gzip for clients that don't accept it." },
    { "gunzip_buffers", PLACES, ARGS(2), &type_bufs, FIELD(struct gunzip_conf, buffers),
      .initial = "32 4k",
      .help = "How much is decompressed at a time, 32k at most." },
    { 0 },
};

struct module http_gunzip_module = {
    .name = "ngx_http_gunzip_module",
    .directives = rows,
    .conf_size = sizeof(struct gunzip_conf),
};

static const struct gunzip_conf *conf_of(void *const *conf)
{
    return CONF(conf, http_gunzip_module);
}

struct gunzip_source {
    struct source source;
    struct reader in;
    struct str piece;                  /* of the input: what is not decompressed yet */
    struct inflate *inflate;           /* NULL: not begun, or ended */
    char *space;
    size_t space_size;
    bool more;                         /* output that is due did not fit the last time */
    bool complete;                     /* a member of the stream has come to its end */
    bool ended;
};

static bool start(struct gunzip_source *g)
{
    const struct bufs *bufs = &conf_of(g->source.request->conf)->buffers;
    struct inflate_params params = { INFLATE_GZIP, 15 };
    size_t room = bufs->size * bufs->count;

    if (room > OUT_MOST)
        room = OUT_MOST;
    g->space_size = room < OUT_LEAST ? OUT_LEAST : room;
    g->space = scratch_take(g->space_size);
    void *memory = scratch_take(inflate_memory(&params));
    if (!g->space || !memory) {
        scratch_give(memory);
        request_log(g->source.request, LOG_LEVEL_ERROR, 0,
                    "memory is short: a response can't be decompressed");
        return false;
    }
    g->inflate = inflate_init(memory, &params);
    return true;
}

static enum pull bad(struct gunzip_source *g, const char *why)
{
    request_log(g->source.request, LOG_LEVEL_ERROR, 0, "gunzip: %s", why);
    return PULL_ERROR;
}

/* One step: PULL_DATA to go on, PULL_LAST at the end. */
static enum pull step(struct gunzip_source *g, struct inflate_io *io)
{
    if (!g->more && g->piece.len == 0) {
        enum pull result = reader_next(&g->in, &g->piece);
        if (result == PULL_LAST)
            return g->complete ? PULL_LAST : bad(g, "the compressed response is cut off");
        if (result != PULL_DATA)
            return result;
    }
    io->in = (const unsigned char *)g->piece.data;
    io->in_len = g->piece.len;
    enum inflate_status status = inflate_run(g->inflate, io);
    g->piece = str_from(g->piece, g->piece.len - io->in_len);
    g->more = status == INFLATE_NEED_OUTPUT;
    g->complete = status == INFLATE_END;
    return status == INFLATE_BAD ? bad(g, inflate_error(g->inflate)) : PULL_DATA;
}

static enum pull gunzip_pull(struct source *s, struct batch *out, size_t budget)
{
    struct gunzip_source *g = (struct gunzip_source *)s;
    enum pull result = PULL_DATA;

    if (!g->inflate && !start(g))
        return PULL_ERROR;
    size_t room = g->space_size < budget ? g->space_size : budget;
    struct inflate_io io = { .out = (unsigned char *)g->space, .out_len = room };
    while (result == PULL_DATA && io.out_len > 0)
        result = step(g, &io);
    size_t made = room - io.out_len;
    if (made)
        batch_memory(out, g->space, made);
    return result == PULL_WAIT && made ? PULL_DATA : result;
}

static void gunzip_close(struct source *s)
{
    struct gunzip_source *g = (struct gunzip_source *)s;

    source_close(g->in.source);
    scratch_give(g->inflate);
    scratch_give(g->space);
    g->inflate = NULL;
    g->space = NULL;
}

static const struct source_ops gunzip_ops = { "gunzip", gunzip_pull, gunzip_close, NULL };

static bool enabled(void *const *conf)
{
    return conf_of(conf)->on;
}

static int apply(struct request *r)
{
    struct response *res = &r->response;

    if (!str_eq_nocase(res->content_encoding, STR("gzip")))
        return 0;
    gzip_client_vary(r);
    if (gzip_client_accepts(r))
        return 0;
    response_forget_length(r);
    response_weaken_etag(r);
    res->content_encoding = (struct str){ NULL, 0 };
    if (!res->body)
        return 0;
    struct gunzip_source *g = ARENA_NEW(&r->arena, struct gunzip_source);
    g->source = (struct source){ &gunzip_ops, r };
    g->piece = STR("");
    reader_init(&g->in, res->body);
    res->body = &g->source;
    return 0;
}

const struct http_filter gunzip_filter = { .name = "gunzip", .enabled = enabled, .apply = apply };

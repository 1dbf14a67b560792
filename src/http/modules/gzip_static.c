/*
 * gzip_static: see gzip_static.h.  Of the files that are there the client gets the one whose coding it
 * prefers; the original is static.c's affair.
 */
#include "http/modules/gzip_static.h"

#include <errno.h>

#include "config/types.h"
#include "http/files.h"
#include "http/modules/accept_encoding.h"
#include "http/modules/gzip_client.h"
#include "http/request.h"
#include "http/response.h"

enum kept { KEPT_OFF, KEPT_ON, KEPT_ALWAYS };
/* The order counts where the client likes several as well. */
enum coding { CODING_BROTLI, CODING_ZSTD, CODING_GZIP, CODINGS };

static const struct {
    struct str name, suffix;
} codings[CODINGS] = {
    [CODING_BROTLI] = { STR_INIT("br"), STR_INIT(".br") },
    [CODING_ZSTD] = { STR_INIT("zstd"), STR_INIT(".zst") },
    [CODING_GZIP] = { STR_INIT("gzip"), STR_INIT(".gz") },
};

enum { LONGEST_SUFFIX = 5 };           /* with its NUL */

struct gzip_static_conf {
    unsigned kept[CODINGS];            /* enum kept */
};

static const struct name_value kept_names[] = {
    { "off", KEPT_OFF }, { "on", KEPT_ON }, { "always", KEPT_ALWAYS }, { NULL, 0 },
};

#define PLACES (IN_HTTP | IN_SERVER | IN_LOCATION)
#define ROW(name_, coding, text)                                                                   \
    { name_, PLACES, ARGS(1), &type_enum, FIELD(struct gzip_static_conf, kept[coding]),            \
      .initial = "off", .data = kept_names, .help = text }

static const struct directive rows[] = {
    ROW("gzip_static", CODING_GZIP,
        "Send the file \"name.gz\" in the place of \"name\", where it is there: to clients that "
        "accept it (on), or to all (always)."),
    ROW("brotli_static", CODING_BROTLI,
        "The same for \"name.br\"; \"Vary: Accept-Encoding\" is added in any case."),
    ROW("zstd_static", CODING_ZSTD,
        "The same for \"name.zst\"; \"Vary: Accept-Encoding\" is added in any case."),
    { 0 },
};

struct module http_gzip_static_module = {
    .name = "ngx_http_gzip_static_module",
    .directives = rows,
    .conf_size = sizeof(struct gzip_static_conf),
};

static const struct gzip_static_conf *conf_of(void *const *conf)
{
    return CONF(conf, http_gzip_static_module);
}

/* A file that may be sent, and how much the client likes it. */
struct candidate {
    enum coding coding;
    unsigned weight;                   /* thousandths; 0: it is not to get it */
};

static unsigned weight_of(struct request *r, enum coding coding, enum kept kept)
{
    if (kept == KEPT_ALWAYS)
        return 1;                              /* what it asks for comes first */
    if (r->parent || (coding == CODING_GZIP && !gzip_client_accepts(r)))
        return 0;
    return accept_encoding_weight(gzip_client_codings(r), codings[coding].name);
}

/* Those that are on, what the client likes best first. */
static unsigned rank(struct request *r, struct candidate *list)
{
    const struct gzip_static_conf *c = conf_of(r->conf);
    unsigned count = 0;

    for (unsigned i = 0; i < CODINGS; i++) {
        if (c->kept[i] == KEPT_OFF)
            continue;
        struct candidate one = { (enum coding)i, weight_of(r, (enum coding)i, c->kept[i]) };
        unsigned at = count++;
        for (; at > 0 && list[at - 1].weight < one.weight; at--)
            list[at] = list[at - 1];
        list[at] = one;
    }
    return count;
}

/* Where several codings are on, a file in gzip does not depend on gzip_vary either. */
static bool always_varies(const struct gzip_static_conf *c, enum coding coding)
{
    return coding != CODING_GZIP || c->kept[CODING_BROTLI] == KEPT_ON ||
           c->kept[CODING_ZSTD] == KEPT_ON;
}

/* That there is such a file makes the response to this path depend on what a client accepts. */
static void vary(struct request *r, enum coding coding)
{
    const struct gzip_static_conf *c = conf_of(r->conf);

    if (c->kept[coding] == KEPT_ALWAYS)
        return;
    if (always_varies(c, coding))
        gzip_client_add_vary(r);
    else
        gzip_client_vary(r);
}

static int respond(struct request *r, struct file *f, struct str path, enum coding coding)
{
    int result = files_respond(r, f, path);

    response_unprepare(r);
    r->response.content_encoding = codings[coding].name;
    r->response.allow_ranges = false;
    return result;
}

/* STEP_NEXT: it is not there, or not for this client. */
static int try_coding(struct request *r, struct str path, const struct candidate *c)
{
    struct str suffix = codings[c->coding].suffix;
    struct str name = { path.data, path.len + suffix.len };
    struct file *f;

    /* Without a word about Vary, a file that the client can't take is of no interest. */
    if (c->weight == 0 && !always_varies(conf_of(r->conf), c->coding) && !gzip_client_varies(r))
        return STEP_NEXT;
    memcpy((char *)(uintptr_t)path.data + path.len, suffix.data, suffix.len + 1);
    if (files_open(r, name, &f) == FILES_WAIT)
        return STEP_WAIT;
    if (f->error || f->kind != FILE_REGULAR) {
        if (f->error && f->error != ENOENT && f->error != ENOTDIR && f->error != ENAMETOOLONG)
            request_log(r, f->error == EACCES ? LOG_LEVEL_ERROR : LOG_LEVEL_CRIT, f->error,
                        "%s \"%.*s\" failed", f->failed, STR_ARG(name));
        file_release(f);
        return STEP_NEXT;
    }
    vary(r, c->coding);
    if (c->weight == 0) {
        file_release(f);
        return STEP_NEXT;
    }
    return respond(r, f, path, c->coding);
}

static int run(struct request *r)
{
    struct candidate list[CODINGS];

    if ((r->method != METHOD_GET && r->method != METHOD_HEAD) ||
        r->uri.data[r->uri.len - 1] == '/')
        return STEP_NEXT;
    struct str path = files_map_uri(r, LONGEST_SUFFIX, NULL);
    if (!path.data)
        return STATUS_INTERNAL_SERVER_ERROR;
    unsigned count = rank(r, list);
    for (unsigned i = 0; i < count; i++) {
        int result = try_coding(r, path, &list[i]);
        if (result != STEP_NEXT)
            return result;
    }
    return STEP_NEXT;
}

static bool enabled(void *const *conf)
{
    const struct gzip_static_conf *c = conf_of(conf);

    return c->kept[CODING_GZIP] || c->kept[CODING_BROTLI] || c->kept[CODING_ZSTD];
}

const struct http_step gzip_static_step = { "gzip_static", PHASE_CONTENT, enabled, run };

/*
 * random_index: see random_index.h.
 */
#include "http/modules/random_index.h"

#include "base/random.h"
#include "config/resolve.h"
#include "config/types.h"
#include "http/modules/folder.h"
#include "http/request.h"

struct random_index_conf {
    bool enabled;
};

static const struct directive rows[] = {
    { "random_index", IN_LOCATION, ARGS(1), &type_flag, FIELD(struct random_index_conf, enabled),
      .initial = "off", .help = "Serve one of a folder's files, chosen by chance, for the folder." },
    { 0 },
};

struct module http_random_index_module = {
    .name = "ngx_http_random_index_module",
    .directives = rows,
    .conf_size = sizeof(struct random_index_conf),
};

/* One of the files; an empty name: there is none. */
static struct str choose(const struct folder *folder)
{
    struct str chosen = STR("");
    uint32_t seen = 0;

    for (unsigned i = 0; i < folder_count(folder); i++) {
        struct folder_entry e = folder_entry_at(folder, i);
        if (e.kind == ENTRY_FILE && random_below(++seen) == 0)
            chosen = e.name;
    }
    return chosen;
}

static int run(struct request *r)
{
    void **context = REQUEST_CONTEXT(r, http_random_index_module);

    if (r->uri.data[r->uri.len - 1] != '/' ||
        (r->method != METHOD_GET && r->method != METHOD_HEAD && r->method != METHOD_POST))
        return STEP_NEXT;
    int result = folder_read(r, context);
    if (result != STEP_NEXT)
        return result;
    struct str name = choose(*context);
    return name.len ? request_redirect(r, arena_concat(&r->arena, r->uri, name), r->args)
                    : STEP_NEXT;
}

static bool enabled(void *const *conf)
{
    return ((const struct random_index_conf *)CONF(conf, http_random_index_module))->enabled;
}

const struct http_step random_index_step = { "random_index", PHASE_CONTENT, enabled, run };

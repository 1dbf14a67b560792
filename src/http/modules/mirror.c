/*
 * mirror: see mirror.h.  A copy is a subrequest in the background: the response does not wait for it,
 * the end of the request does.
 */
#include "http/modules/mirror.h"

#include "config/resolve.h"
#include "config/types.h"
#include "http/body.h"
#include "http/subrequest.h"

struct mirror_paths {
    ARRAY(struct str) list;
    bool off;                          /* said in this block */
};

struct mirror_conf {
    struct mirror_paths paths;
    bool request_body;
};

static bool parse_mirror(struct setting *s, void *field)
{
    struct mirror_paths *m = field;
    bool off = str_eq(setting_arg(s, 1), STR("off"));

    if (m->off || (off && m->list.count))
        return setting_error(s, 0, "\"mirror\" directive is duplicate: off and a path exclude each "
                                   "other");
    m->off = off;
    if (!off)
        *ARRAY_PUSH(&m->list, setting_arena(s)) = arena_str(setting_arena(s), setting_arg(s, 1));
    return true;
}

static void print_mirror(const struct directive *row, const void *field, struct out *o)
{
    const struct mirror_paths *m = field;

    (void)row;
    if (m->list.count == 0)
        OUT_LITERAL(o, "off");
    for (unsigned i = 0; i < m->list.count; i++) {
        if (i)
            OUT_LITERAL(o, "; ");
        print_word(o, m->list.items[i]);
    }
}

static const struct type type_mirror = {
    "uri | off", "a path, or off", parse_mirror, print_mirror,
};

#define PLACES (IN_HTTP | IN_SERVER | IN_LOCATION)

static const struct directive rows[] = {
    { "mirror", PLACES, ARGS(1), &type_mirror, FIELD(struct mirror_conf, paths), .flags = REPEATS,
      .default_text = "off",
      .help = "Make a copy of each request to that path; its response is thrown away." },
    { "mirror_request_body", PLACES, ARGS(1), &type_flag, FIELD(struct mirror_conf, request_body),
      .initial = "on",
      .help = "Read the request's body first, so that the copy has it, too." },
    { 0 },
};

struct module http_mirror_module = {
    .name = "ngx_http_mirror_module",
    .directives = rows,
    .conf_size = sizeof(struct mirror_conf),
};

static const struct mirror_conf *conf_of(void *const *conf)
{
    return CONF(conf, http_mirror_module);
}

static void send_copy(struct request *r, struct str path, bool with_body)
{
    struct request *sub = subrequest_new(r, path, r->args);

    if (!sub)
        return;
    sub->method = r->method;
    sub->method_name = r->method_name;
    if (with_body && r->body)
        sub->content_length = (int64_t)r->body->length;
    subrequest_in_background(sub);
}

static int run(struct request *r)
{
    const struct mirror_conf *c = conf_of(r->conf);

    if (r->parent)
        return STEP_NEXT;
    if (c->request_body) {
        int result = body_read(r, false);
        if (result != STEP_NEXT)
            return result;
    }
    for (unsigned i = 0; i < c->paths.list.count; i++)
        send_copy(r, c->paths.list.items[i], c->request_body);
    return STEP_NEXT;
}

static bool enabled(void *const *conf)
{
    return conf_of(conf)->paths.list.count > 0;
}

const struct http_step mirror_step = { "mirror", PHASE_PRECONTENT, enabled, run };

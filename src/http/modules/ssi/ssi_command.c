/*
 * ssi_command: see ssi_command.h.
 */
#include "http/modules/ssi/ssi_command.h"

#include "http/escape.h"
#include "http/subrequest.h"
#include "http/v1/v1_parse.h"

struct command {
    struct str name;
    const char *const *params;         /* that it knows, ended by NULL */
    const char *mandatory;             /* one that must be there; NULL: none */
    bool (*run)(struct request *r, const struct ssi_command *c, struct ssi_result *result);
};

static bool fail(struct request *r, const char *what, struct str text)
{
    request_log(r, LOG_LEVEL_ERROR, 0, "%s \"%.*s\" in SSI command", what, STR_ARG(text));
    return false;
}

static bool run_config(struct request *r, const struct ssi_command *c, struct ssi_result *result)
{
    struct ssi_page *p = ssi_page_of(r);
    const struct str *timefmt = ssi_param(c, "timefmt"), *errmsg = ssi_param(c, "errmsg");

    (void)result;
    if (timefmt)
        p->timefmt = arena_str(&r->arena, *timefmt);
    if (errmsg)
        p->errmsg = arena_str(&r->arena, *errmsg);
    return true;
}

/* What may not stand in an attribute of HTML that is a URL; "/", "?" and "&" stay. */
static void put_url(struct out *o, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c > 0x20 && c < 0x7f && c != '"' && c != '%' && c != '\'')
            out_char(o, (char)c);
        else
            out_printf(o, "%%%02X", c);
    }
}

static bool run_echo(struct request *r, const struct ssi_command *c, struct ssi_result *result)
{
    const struct str *encoding = ssi_param(c, "encoding"), *other = ssi_param(c, "default");
    struct str value = ssi_variable(r, *ssi_param(c, "var"));
    struct out o = out_growing(&r->arena, SIZE_MAX / 2);

    if (!value.data)
        value = other ? *other : STR("(none)");
    if (!encoding || str_eq(*encoding, STR("entity")))
        escape_html(&o, value);
    else if (str_eq(*encoding, STR("url")))
        put_url(&o, value);
    else if (str_eq(*encoding, STR("none")))
        out_str(&o, value);
    else
        return fail(r, "unknown encoding", *encoding);
    result->text = out_str_of(&o);
    return true;
}

static bool run_set(struct request *r, const struct ssi_command *c, struct ssi_result *result)
{
    const struct str *text = ssi_param(c, "value");
    struct str value;

    (void)result;
    if (!text)
        return fail(r, "mandatory parameter \"value\" is absent, variable", *ssi_param(c, "var"));
    if (!ssi_expand(r, *text, &value))
        return false;
    ssi_set_variable(r, *ssi_param(c, "var"), value);
    return true;
}

static bool run_block(struct request *r, const struct ssi_command *c, struct ssi_result *result)
{
    struct ssi_page *p = ssi_page_of(r);
    struct arena *a = &r->main->arena;
    struct str name = *ssi_param(c, "name");
    struct ssi_shared *shared = ssi_shared_of(r);

    (void)result;
    if (p->block)
        return fail(r, "a block inside another:", name);
    struct ssi_block *b = ssi_find_block(r, name);
    if (!b) {
        b = *ARRAY_PUSH(&shared->blocks, a) = ARENA_NEW(a, struct ssi_block);
        b->name = arena_str(a, name);
    }
    b->text = out_growing(a, SSI_BLOCK_MAX);
    p->block = b;
    return true;
}

static bool run_endblock(struct request *r, const struct ssi_command *c, struct ssi_result *result)
{
    struct ssi_page *p = ssi_page_of(r);

    (void)result;
    if (!p->block)
        return fail(r, "there is no block to end:", c->name);
    p->block = NULL;
    return true;
}

/* A path as the page wrote it, made absolute, split and decoded. */
static bool read_path(struct request *r, struct str text, struct v1_path *path)
{
    struct out o = out_growing(&r->arena, 65536);

    if (text.len == 0 || text.data[0] != '/') {
        ptrdiff_t slash = str_rindex(r->uri, '/');
        escape_path(&o, str_first(r->uri, (size_t)slash + 1));
    }
    out_str(&o, text);
    char *space = o.overflow ? NULL : arena_try_alloc(&r->arena, out_len(&o) + 1);
    return space && v1_parse_path(out_str_of(&o), true, space, path);
}

static bool check_include(struct request *r, const struct ssi_command *c, struct ssi_result *result)
{
    const struct str *uri = ssi_param(c, "virtual"), *file = ssi_param(c, "file");
    const struct str *wait = ssi_param(c, "wait"), *set = ssi_param(c, "set");
    const struct str *stub = ssi_param(c, "stub");

    if (!uri == !file)
        return fail(r, "either virtual or file is wanted:", c->name);
    if (set && stub)
        return fail(r, "set and stub can't be used together:", *set);
    if (ssi_page_of(r)->block)
        return fail(r, "a block can't include:", uri ? *uri : *file);
    if (wait && !str_eq(*wait, STR("yes")) && !str_eq(*wait, STR("no")))
        return fail(r, "invalid value of wait", *wait);
    result->wait = set || (wait && str_eq(*wait, STR("yes")));
    if (set)
        result->set = arena_str(&r->main->arena, *set);
    if (stub)
        result->stub = ssi_find_block(r, *stub);
    if (stub && !result->stub)
        return fail(r, "there is no block", *stub);
    return true;
}

static bool run_include(struct request *r, const struct ssi_command *c, struct ssi_result *result)
{
    const struct str *uri = ssi_param(c, "virtual");
    struct v1_path path;
    struct str text;

    if (!check_include(r, c, result) ||
        !ssi_expand(r, uri ? *uri : *ssi_param(c, "file"), &text))
        return false;
    if (!read_path(r, text, &path))
        return fail(r, "unsafe URI", text);
    result->include = subrequest_new(r, path.path, path.args);
    return result->include != NULL;
}

static const char *const config_params[] = { "errmsg", "timefmt", NULL };
static const char *const echo_params[] = { "var", "default", "encoding", NULL };
static const char *const set_params[] = { "var", "value", NULL };
static const char *const include_params[] = { "virtual", "file", "wait", "set", "stub", NULL };
static const char *const block_params[] = { "name", NULL };
static const char *const no_params[] = { NULL };

static const struct command commands[] = {
    { STR_INIT("include"), include_params, NULL, run_include },
    { STR_INIT("echo"), echo_params, "var", run_echo },
    { STR_INIT("config"), config_params, NULL, run_config },
    { STR_INIT("set"), set_params, "var", run_set },
    { STR_INIT("block"), block_params, "name", run_block },
    { STR_INIT("endblock"), no_params, NULL, run_endblock },
};

static bool check_params(struct request *r, const struct ssi_command *c, const struct command *known)
{
    for (unsigned i = 0; i < c->count; i++) {
        unsigned k = 0;
        while (known->params[k] && !str_eq(c->params[i].name, str_of(known->params[k])))
            k++;
        if (!known->params[k])
            return fail(r, "unknown parameter", c->params[i].name);
    }
    if (known->mandatory && !ssi_param(c, known->mandatory))
        return fail(r, "mandatory parameter is absent:", str_of(known->mandatory));
    return true;
}

bool ssi_command_run(struct request *r, const struct ssi_command *c, struct ssi_result *result)
{
    *result = (struct ssi_result){ .text = STR("") };
    for (unsigned i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (str_eq(commands[i].name, c->name))
            return check_params(r, c, &commands[i]) && commands[i].run(r, c, result);
    }
    return fail(r, "unknown command", c->name);
}

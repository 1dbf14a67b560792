/*
 * core_types: see core_types.h.
 */
#include "http/core_types.h"

#include "http/core.h"

/* Whether the block that a line stands in has a line of another name, too. */
static bool stands_beside(const struct setting *s, struct str name)
{
    const struct node *first = s->node->parent ? s->node->parent->children : NULL;

    return tree_find(first, name) != NULL;
}

static bool parse_folder(struct setting *s, struct template *t, bool alias)
{
    struct core_conf *conf = s->conf;
    struct str path = setting_arg(s, 1);

    if (stands_beside(s, alias ? STR("root") : STR("alias")) && alias)
        return setting_error(s, 0, "\"alias\" directive is duplicate, \"root\" directive was "
                                   "specified earlier");
    conf->is_alias = alias;
    conf->alias_location = s->block ? s->block->object : NULL;
    if (path.len == 0 || path.data[0] != '$')
        path = setting_path(s, path);
    if (!alias) {
        while (path.len > 1 && path.data[path.len - 1] == '/')
            path.len--;
    }
    return template_compile_text(s, 1, path, config_variables(s), t);
}

static bool parse_root(struct setting *s, void *field)
{
    return parse_folder(s, field, false);
}

static bool parse_alias(struct setting *s, void *field)
{
    return parse_folder(s, field, true);
}

static void print_template(const struct directive *row, const void *field, struct out *o)
{
    (void)row;
    out_str(o, ((const struct template *)field)->text);
}

const struct type type_root = { "path", "a path", parse_root, print_template };
const struct type type_alias = { "path", "a path", parse_alias, print_template };

/* ---- error_page code ... [=[response]] uri ---- */

struct page_list {
    ARRAY(struct error_page) pages;
};

static bool add_pages(struct setting *s, struct page_list *list, unsigned codes, int response,
                      const struct template *uri)
{
    for (unsigned i = 1; i <= codes; i++) {
        unsigned code;
        if (!str_to_uint(setting_arg(s, i), 599, &code) || code < 300 || code == 499)
            return setting_error(s, i, "value \"%.*s\" must be between 300 and 599, and not 499",
                                 STR_ARG(setting_arg(s, i)));
        *ARRAY_PUSH(&list->pages, setting_arena(s)) =
            (struct error_page){ .status = code, .response = response, .uri = *uri };
    }
    return true;
}

static bool parse_error_page(struct setting *s, void *field)
{
    unsigned last = s->node->count - 1, codes = last - 1;
    struct str equal = setting_arg(s, codes);
    struct template uri;
    int response = -1;

    if (equal.len && equal.data[0] == '=') {
        unsigned code = 0;
        if (equal.len > 1 && !str_to_uint(str_from(equal, 1), 999, &code))
            return setting_invalid(s, codes);
        response = (int)code;
        codes--;
    }
    if (codes == 0)
        return setting_error(s, 0, "\"error_page\" needs at least one code");
    return template_compile(s, last, config_variables(s), &uri) &&
           add_pages(s, field, codes, response, &uri);
}

static void print_error_page(const struct directive *row, const void *field, struct out *o)
{
    const struct page_list *list = field;

    (void)row;
    for (unsigned i = 0; i < list->pages.count; i++) {
        const struct error_page *p = &list->pages.items[i];
        out_printf(o, i ? "; %u" : "%u", p->status);
        if (p->response >= 0)
            out_printf(o, p->response ? " =%d" : " =", p->response);
        out_printf(o, " %.*s", STR_ARG(p->uri.text));
    }
}

const struct type type_error_page = {
    "code ... [=[response]] uri", "codes, an optional =code, and a path, URL or @name",
    parse_error_page, print_error_page,
};

/* ---- aio ---- */

static bool parse_aio(struct setting *s, void *field)
{
    struct core_conf *conf = s->conf;
    struct str value = setting_arg(s, 1);

    conf->aio_pool = STR("default");
    if (str_eq(value, STR("off")))
        *(enum aio *)field = AIO_OFF;
    else if (str_eq(value, STR("on")))
        *(enum aio *)field = AIO_ON;
    else if (str_eq(value, STR("threads")))
        *(enum aio *)field = AIO_THREADS;
    else if (str_starts(value, STR("threads=")) && value.len > 8) {
        if (str_index(value, '$') >= 0)
            return setting_error(s, 1, "the name of a thread pool can't have variables in it");
        *(enum aio *)field = AIO_THREADS;
        conf->aio_pool = arena_str(setting_arena(s), str_from(value, 8));
    } else
        return setting_invalid(s, 1);
    return true;
}

static void print_aio(const struct directive *row, const void *field, struct out *o)
{
    static const char *const names[] = { "off", "on", "threads" };
    (void)row;
    out_str(o, str_of(names[*(const enum aio *)field]));
}

const struct type type_aio = { "aio", "on, off or threads[=pool]", parse_aio, print_aio };

static bool parse_directio(struct setting *s, void *field)
{
    if (str_eq(setting_arg(s, 1), STR("off"))) {
        *(int64_t *)field = -1;
        return true;
    }
    return parse_offset(setting_arg(s, 1), field) || setting_invalid(s, 1);
}

static void print_directio(const struct directive *row, const void *field, struct out *o)
{
    int64_t value = *(const int64_t *)field;

    (void)row;
    if (value < 0)
        OUT_LITERAL(o, "off");
    else
        print_size(o, (uint64_t)value);
}

const struct type type_directio = { "size", "a size, or off", parse_directio, print_directio };

/* A size that may be made of variables. */
static bool parse_rate(struct setting *s, void *field)
{
    struct template *t = field;
    size_t size;

    if (!template_compile(s, 1, config_variables(s), t))
        return false;
    return !template_is_text(t) || parse_size(t->text, &size) || setting_invalid(s, 1);
}

const struct type type_rate = { "size", "a size such as 100k", parse_rate, print_template };

/* ---- keepalive_timeout timeout [header] ---- */

static bool parse_keepalive_timeout(struct setting *s, void *field)
{
    struct keepalive_timeouts *k = field;

    *k = (struct keepalive_timeouts){ 0 };
    if (!parse_time(setting_arg(s, 1), &k->timeout))
        return setting_invalid(s, 1);
    return s->node->count < 3 || parse_seconds(setting_arg(s, 2), &k->header) ||
           setting_invalid(s, 2);
}

static void print_keepalive_timeout(const struct directive *row, const void *field, struct out *o)
{
    const struct keepalive_timeouts *k = field;

    (void)row;
    print_time(o, k->timeout);
    if (k->header) {
        out_char(o, ' ');
        print_time(o, (uint64_t)k->header * 1000);
    }
}

const struct type type_keepalive_timeout = {
    "timeout [header_timeout]", "a time, and perhaps the time that is told to the client",
    parse_keepalive_timeout, print_keepalive_timeout,
};

/* ---- server_tokens on | off | build | text ---- */

static const struct name_value token_names[] = {
    { "off", TOKENS_OFF }, { "on", TOKENS_ON }, { "build", TOKENS_BUILD }, { NULL, 0 },
};

static bool parse_server_tokens(struct setting *s, void *field)
{
    struct server_tokens *t = field;

    *t = (struct server_tokens){ 0 };
    if (parse_enum(setting_arg(s, 1), token_names, &t->kind))
        return true;
    t->kind = TOKENS_TEXT;
    if (!template_safe(setting_arg(s, 1)))
        return setting_invalid(s, 1);
    return template_compile(s, 1, config_variables(s), &t->text);
}

static void print_server_tokens(const struct directive *row, const void *field, struct out *o)
{
    const struct server_tokens *t = field;

    (void)row;
    out_str(o, t->kind == TOKENS_TEXT ? t->text.text : str_of(token_names[t->kind].name));
}

const struct type type_server_tokens = {
    "on | off | build | string", "on, off, build or a text", parse_server_tokens,
    print_server_tokens,
};

/* ---- open_file_cache off | max=N [inactive=time] ---- */

static bool parse_open_file_cache(struct setting *s, void *field)
{
    struct open_cache_conf *c = field;

    *c = (struct open_cache_conf){ .inactive = 60 };
    if (s->node->count == 2 && str_eq(setting_arg(s, 1), STR("off")))
        return true;
    for (unsigned i = 1; i < s->node->count; i++) {
        struct str word = setting_arg(s, i);
        bool good = false;
        if (str_starts(word, STR("max=")))
            good = str_to_uint(str_from(word, 4), 100000000, &c->max) && c->max > 0;
        else if (str_starts(word, STR("inactive=")))
            good = parse_seconds(str_from(word, 9), &c->inactive);
        if (!good)
            return setting_error(s, i, "invalid \"open_file_cache\" parameter \"%.*s\"",
                                 STR_ARG(word));
    }
    return c->max > 0 ||
           setting_error(s, 0, "\"open_file_cache\" must have the \"max\" parameter");
}

static void print_open_file_cache(const struct directive *row, const void *field, struct out *o)
{
    const struct open_cache_conf *c = field;

    (void)row;
    print_cache_limits(o, c->max, c->inactive);
}

const struct type type_open_file_cache = {
    "off | max=N [inactive=time]", "off, or max=N and perhaps inactive=time",
    parse_open_file_cache, print_open_file_cache,
};

/* ---- disable_symlinks off | on | if_not_owner [from=part] ---- */

static const struct name_value symlink_names[] = {
    { "off", SYMLINKS_FOLLOW }, { "on", SYMLINKS_REFUSE }, { "if_not_owner", SYMLINKS_IF_OWNER },
    { NULL, 0 },
};

static bool parse_disable_symlinks(struct setting *s, void *field)
{
    struct symlinks_conf *c = field;
    unsigned mode = SYMLINKS_FOLLOW;
    bool have_mode = false;

    *c = (struct symlinks_conf){ 0 };
    for (unsigned i = 1; i < s->node->count; i++) {
        struct str word = setting_arg(s, i);
        if (str_starts(word, STR("from="))) {
            if (!template_compile_text(s, i, str_from(word, 5), config_variables(s), &c->from))
                return false;
        } else if (!parse_enum(word, symlink_names, &mode))
            return setting_invalid(s, i);
        else
            have_mode = true;
    }
    c->mode = (enum symlinks)mode;
    if (!have_mode)
        return setting_error(s, 0, "\"disable_symlinks\" must have \"off\", \"on\" or "
                                   "\"if_not_owner\" parameter");
    return s->node->count == 2 || mode != SYMLINKS_FOLLOW ||
           setting_error(s, 0, "duplicate parameters of \"disable_symlinks off\"");
}

static void print_disable_symlinks(const struct directive *row, const void *field, struct out *o)
{
    const struct symlinks_conf *c = field;

    (void)row;
    out_str(o, str_of(symlink_names[c->mode].name));
    if (c->from.text.len)
        out_printf(o, " from=%.*s", STR_ARG(c->from.text));
}

const struct type type_disable_symlinks = {
    "off | on | if_not_owner [from=part]", "off, on or if_not_owner, and perhaps from=part",
    parse_disable_symlinks, print_disable_symlinks,
};

/* ---- internal ---- */

static bool parse_internal(struct setting *s, void *field)
{
    (void)s;
    *(bool *)field = true;
    return true;
}

const struct type type_internal = { "", "no arguments", parse_internal, print_nothing };

static bool parse_post_action(struct setting *s, void *field)
{
    struct str word = setting_arg(s, 1);

    *(struct str *)field = str_eq(word, STR("off")) ? STR("") : arena_str(setting_arena(s), word);
    return true;
}

static void print_post_action(const struct directive *row, const void *field, struct out *o)
{
    struct str action = *(const struct str *)field;

    (void)row;
    if (action.len)
        print_word(o, action);
    else
        OUT_LITERAL(o, "off");
}

const struct type type_post_action = {
    "uri | off", "a path, @name or off", parse_post_action, print_post_action,
};

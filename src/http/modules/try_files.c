/*
 * try_files: see try_files.h.
 */
#include "http/modules/try_files.h"

#include <errno.h>

#include "config/resolve.h"
#include "http/files.h"
#include "http/files_denied.h"
#include "http/request.h"
#include "script/template.h"

struct try_file {
    struct template path;              /* a folder's without the slash at its end */
    bool folder;
};

struct try_files {
    ARRAY(struct try_file) files;
    struct template fallback;          /* a path or "@name"; counts if `code` is 0 */
    unsigned code;                     /* "=404" */
    struct str text;                   /* the arguments as they stand */
};

struct try_files_conf {
    struct try_files try;
};

/* ---- the directive ---- */

static bool parse_fallback(struct setting *s, struct try_files *conf, unsigned word)
{
    struct str text = setting_arg(s, word);

    conf->code = 0;
    if (text.len == 0 || text.data[0] != '=')
        return template_compile(s, word, config_variables(s), &conf->fallback);
    if (!str_to_uint(str_from(text, 1), 999, &conf->code) || conf->code == 0)
        return setting_error(s, word, "invalid code \"%.*s\"", STR_ARG(text));
    return true;
}

static bool parse_file(struct setting *s, struct try_files *conf, unsigned word)
{
    struct str text = setting_arg(s, word);
    struct try_file *file = ARRAY_PUSH(&conf->files, setting_arena(s));

    file->folder = text.len && text.data[text.len - 1] == '/';
    if (file->folder)
        text.len--;
    return template_compile_text(s, word, text, config_variables(s), &file->path);
}

static bool parse_try_files(struct setting *s, void *field)
{
    struct try_files *conf = field;
    struct out o = out_growing(setting_arena(s), 1 << 20);
    unsigned last = s->node->count - 1;

    *conf = (struct try_files){ 0 };
    for (unsigned i = 1; i <= last; i++) {
        if (i > 1)
            out_char(&o, ' ');
        out_str(&o, setting_arg(s, i));
    }
    conf->text = out_str_of(&o);
    for (unsigned i = 1; i < last; i++) {
        if (!parse_file(s, conf, i))
            return false;
    }
    return parse_fallback(s, conf, last);
}

static void print_try_files(const struct directive *row, const void *field, struct out *o)
{
    const struct try_files *conf = field;

    (void)row;
    out_str(o, conf->text);
}

static const struct type type_try_files = {
    "file ... uri", "files, and then a URI, \"@name\" or \"=code\"", parse_try_files, print_try_files,
};

static const struct directive rows[] = {
    { "try_files", IN_SERVER | IN_LOCATION, ARGS_RANGE(2, ARGS_ANY), &type_try_files,
      FIELD(struct try_files_conf, try), .syntax = "file ... uri | file ... =code",
      .flags = NOT_INHERITED,
      .help = "Serves the first of the files (with a slash at the end: folders) that is there; if "
              "there is none, goes on with the last argument: a URI, a named location or a status." },
    { 0 },
};

struct module http_try_files_module = {
    .name = "ngx_http_try_files_module",
    .directives = rows,
    .conf_size = sizeof(struct try_files_conf),
};

/* ---- requests ---- */

static const struct try_files *conf_of(void *const *conf)
{
    return &((const struct try_files_conf *)CONF(conf, http_try_files_module))->try;
}

/* None of the files was there. */
static int go_on(struct request *r, const struct try_files *conf)
{
    if (conf->code)
        return (int)conf->code;

    struct str uri = template_value(&conf->fallback, request_script(r)), args = STR("");
    if (r->script.failed || uri.len == 0)
        return STATUS_INTERNAL_SERVER_ERROR;
    if (uri.data[0] == '@')
        return request_redirect_named(r, uri);
    uri = arena_str(&r->arena, uri);
    ptrdiff_t query = str_index(uri, '?');
    if (query >= 0) {
        args = str_from(uri, (size_t)query + 1);
        uri = str_first(uri, (size_t)query);
    }
    return request_redirect(r, uri, args);
}

/* The file is there: the request's path becomes its path, seen from root or alias. */
static void take(struct request *r, struct str below_root, bool folder)
{
    size_t alias = files_alias_length(r);

    r->flags.rewritten = true;
    if (alias == ALIAS_WHOLE) {
        if (!folder) {
            r->uri = below_root;
            r->flags.add_uri_to_alias = true;
        }
    } else if (alias)
        r->uri = arena_concat(&r->arena, str_first(r->uri, alias), below_root);
    else
        r->uri = below_root;
    if (r->uri.len == 0)
        r->uri = STR("/");
}

enum { TRY_NEXT_FILE = -100 };         /* beside the results of a step */

/* STEP_NEXT if the file is there and taken. */
static int try_one(struct request *r, const struct try_file *file)
{
    struct str name = template_value(&file->path, request_script(r));
    size_t root_len;
    struct file *f;

    if (r->script.failed)
        return STATUS_INTERNAL_SERVER_ERROR;
    struct str path = files_map_name(r, name, 0, &root_len);
    if (!path.data)
        return STATUS_INTERNAL_SERVER_ERROR;
    if (files_stat(r, path, &f) == FILES_WAIT)
        return STEP_WAIT;
    bool folder = f->kind == FILE_DIRECTORY;
    bool found = f->kind != FILE_ABSENT && folder == file->folder;
    if (f->kind == FILE_ABSENT && f->error != ENOENT && f->error != ENOTDIR &&
        f->error != ENAMETOOLONG)
        files_failed(r, f, path);
    file_release(f);
    if (found)
        take(r, str_from(path, root_len), folder);
    return found ? STEP_NEXT : TRY_NEXT_FILE;
}

static int try_files_run(struct request *r)
{
    const struct try_files *conf = conf_of(r->conf);

    for (unsigned i = 0; i < conf->files.count; i++) {
        int result = try_one(r, &conf->files.items[i]);
        if (result != TRY_NEXT_FILE)
            return result;
    }
    return go_on(r, conf);
}

static bool try_files_enabled(void *const *conf)
{
    return conf_of(conf)->files.count > 0;
}

const struct http_step try_files_step = {
    "try_files", PHASE_PRECONTENT, try_files_enabled, try_files_run,
};

/*
 * index: see index.h.  A path that ends in "/" is redirected, internally, to the first index file that
 * is there; without one the next content step has its turn.
 */
#include "http/modules/index.h"

#include <errno.h>

#include "config/resolve.h"
#include "http/files.h"
#include "http/files_denied.h"
#include "http/request.h"
#include "script/template.h"

struct index_conf {
    ARRAY(struct template) files;
};

/* ---- the directive ---- */

/* Lines of one block add up; the first takes the place of what was inherited. */
static bool parse_index(struct setting *s, void *field)
{
    struct index_conf *conf = s->conf;

    (void)field;
    for (unsigned i = 1; i < s->node->count; i++) {
        struct str file = setting_arg(s, i);
        if (file.len == 0)
            return setting_error(s, i, "index \"\" in \"index\" directive is invalid");
        if (file.data[0] == '/' && i + 1 < s->node->count)
            setting_warn(s, i, "only the last index in \"index\" directive should be absolute");
        struct template t;
        if (!template_compile(s, i, config_variables(s), &t))
            return false;
        *ARRAY_PUSH(&conf->files, setting_arena(s)) = t;
    }
    return true;
}

static void print_index(const struct directive *row, const void *field, struct out *o)
{
    const struct index_conf *conf = field;

    (void)row;
    for (unsigned i = 0; i < conf->files.count; i++) {
        if (i > 0)
            out_char(o, ' ');
        out_str(o, conf->files.items[i].text);
    }
}

static const struct type type_index = {
    "file ...", "names of files", parse_index, print_index,
};

static const struct directive rows[] = {
    { "index", IN_HTTP | IN_SERVER | IN_LOCATION, ARGS_RANGE(1, ARGS_ANY), &type_index,
      FIELD(struct index_conf, files), .initial = "index.html", .syntax = "file ...",
      .flags = REPEATS,
      .help = "Files that stand for a folder: the first that is there is served. The last one may be "
              "an absolute path." },
    { 0 },
};

struct module http_index_module = {
    .name = "ngx_http_index_module",
    .directives = rows,
    .conf_size = sizeof(struct index_conf),
};

/* ---- requests ---- */

static int redirect(struct request *r, struct str file)
{
    struct str uri = file.data[0] == '/' ? arena_str(&r->arena, file)
                                         : arena_concat(&r->arena, r->uri, file);

    return request_redirect(r, uri, r->args);
}

/* After a file that is not there: whether its folder is. */
static int check_folder(struct request *r, struct str folder)
{
    struct file *f;
    int status = STEP_NEXT;

    if (files_stat(r, folder, &f) == FILES_WAIT)
        return STEP_WAIT;
    if (f->error == EACCES)
        ;                              /* it could be searched just now, if not read */
    else if (f->error)
        status = files_failed(r, f, folder);
    else if (f->kind != FILE_DIRECTORY) {
        request_log(r, LOG_LEVEL_ALERT, 0, "\"%.*s\" is not a directory", STR_ARG(folder));
        status = STATUS_INTERNAL_SERVER_ERROR;
    }
    file_release(f);
    return status;
}

/* Looks for one file in the folder: STEP_AGAIN after a redirect to it, STEP_NEXT if it is not there. */
static int try_file(struct request *r, struct str folder, struct str name)
{
    struct out o = out_growing(&r->arena, folder.len + name.len + 1);
    struct file *f;

    out_str(&o, folder);
    out_str(&o, name);
    out_char(&o, '\0');
    if (o.overflow)
        return STATUS_INTERNAL_SERVER_ERROR;
    struct str path = str_first(out_str_of(&o), folder.len + name.len);
    if (files_stat(r, path, &f) == FILES_WAIT)
        return STEP_WAIT;
    int result = f->kind != FILE_ABSENT ? redirect(r, name)
                 : f->error == ENOENT ? STEP_NEXT : files_failed(r, f, path);
    file_release(f);
    return result;
}

static int index_run(struct request *r)
{
    const struct index_conf *conf = CONF(r->conf, http_index_module);
    struct str folder = { NULL, 0 };
    bool checked = false;

    if (r->uri.data[r->uri.len - 1] != '/' ||
        (r->method != METHOD_GET && r->method != METHOD_HEAD && r->method != METHOD_POST))
        return STEP_NEXT;
    for (unsigned i = 0; i < conf->files.count; i++) {
        struct script *script = request_script(r);
        struct str name = template_value(&conf->files.items[i], script);
        if (script->failed)
            return STATUS_INTERNAL_SERVER_ERROR;
        if (name.len == 0)
            continue;
        if (name.data[0] == '/')
            return redirect(r, name);
        if (!folder.data)
            folder = files_map_uri(r, 0, NULL);
        if (!folder.data)
            return STATUS_INTERNAL_SERVER_ERROR;
        int result = try_file(r, folder, name);
        if (result == STEP_NEXT && !checked) {
            result = check_folder(r, folder);
            checked = true;
        }
        if (result != STEP_NEXT)
            return result;
    }
    return STEP_NEXT;
}

const struct http_step index_step = { "index", PHASE_CONTENT, NULL, index_run };

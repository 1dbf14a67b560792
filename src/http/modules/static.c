/*
 * static: see static.h.  Answers GET and HEAD; all about opening and sending is in files.
 */
#include "http/modules/static.h"

#include "http/escape.h"
#include "http/files.h"
#include "http/files_denied.h"
#include "http/location.h"
#include "http/request.h"
#include "http/response.h"

/* A folder asked for without the slash at its end: the client is sent to the name with one. */
static int redirect_to_folder(struct request *r)
{
    struct out o = out_growing(&r->arena, 3 * r->uri.len + r->args.len + 2);
    struct str path = r->uri;

    while (str_starts(path, STR("//")))        /* "//name" would lead to another host */
        path = str_from(path, 1);
    escape_path(&o, path);
    out_char(&o, '/');
    if (r->args.len) {
        out_char(&o, '?');
        out_str(&o, r->args);
    }
    return response_redirect(r, STATUS_MOVED_PERMANENTLY, out_str_of(&o));
}

static int respond(struct request *r, struct file *f, struct str path)
{
    int status;

    if (f->error)
        status = files_failed(r, f, path);
    else if (f->kind == FILE_DIRECTORY)
        status = redirect_to_folder(r);
    else if (f->kind != FILE_REGULAR) {
        request_log(r, LOG_LEVEL_CRIT, 0, "\"%.*s\" is not a regular file", STR_ARG(path));
        status = STATUS_NOT_FOUND;
    } else if (r->method == METHOD_POST)
        status = STATUS_NOT_ALLOWED;
    else
        return files_respond(r, f, path);
    file_release(f);
    return status;
}

/* Neither an index file nor autoindex has answered for a folder. */
static int refuse_folder(struct request *r)
{
    struct str path = files_map_uri(r, 0, NULL);

    if (path.data)
        request_log(r, LOG_LEVEL_ERROR, 0, "directory index of \"%.*s\" is forbidden",
                    STR_ARG(path));
    return STATUS_FORBIDDEN;
}

int static_handler(struct request *r)
{
    struct file *f;

    if (r->method != METHOD_GET && r->method != METHOD_HEAD && r->method != METHOD_POST)
        return STATUS_NOT_ALLOWED;
    if (r->uri.data[r->uri.len - 1] == '/')
        return refuse_folder(r);
    struct str path = files_map_uri(r, 0, NULL);
    if (!path.data)
        return STATUS_INTERNAL_SERVER_ERROR;
    if (files_open(r, path, &f) == FILES_WAIT)
        return STEP_WAIT;
    return respond(r, f, path);
}

const struct http_step static_step = { "static", PHASE_CONTENT, NULL, static_handler };

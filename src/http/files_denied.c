/*
 * files_denied: see files_denied.h.  Runs when a request has failed already: it may look at the disk
 * and at the users' names.
 */
#include "http/files_denied.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include "http/request.h"

static void put_user(struct out *o, uid_t uid)
{
    const struct passwd *user = getpwuid(uid);

    if (user)
        out_str(o, str_of(user->pw_name));
    else
        out_printf(o, "uid %lu", (unsigned long)uid);
}

/* `user "www-data" (uid 33) may not search "/srv/x" (owner root, mode 0700)` */
static void put_reason(struct out *o, const char *verb, struct str path, const struct stat *st)
{
    const struct passwd *self = getpwuid(geteuid());

    if (self)
        out_printf(o, "user \"%s\" (uid %lu)", self->pw_name, (unsigned long)geteuid());
    else
        out_printf(o, "the user of uid %lu", (unsigned long)geteuid());
    out_printf(o, " may not %s \"%.*s\" (owner ", verb, STR_ARG(path));
    put_user(o, st->st_uid);
    out_printf(o, ", mode %04o)", (unsigned)(st->st_mode & 07777));
}

/* Looks at the first `len` bytes of the path.  true: the reason is found, or nothing can be seen. */
static bool explain_part(struct str path, size_t len, struct out *o)
{
    char part[4096];
    struct stat st;
    bool last = len == path.len;
    struct out name = out_fixed(part, sizeof part);

    out_str(&name, str_first(path, len));
    out_char(&name, '\0');
    if (name.overflow || stat(part, &st) != 0)
        return true;
    bool folder = S_ISDIR(st.st_mode);
    if (folder && faccessat(AT_FDCWD, part, X_OK, AT_EACCESS) != 0) {
        put_reason(o, "search", str_first(path, len), &st);
        return true;
    }
    if (last && faccessat(AT_FDCWD, part, R_OK, AT_EACCESS) != 0) {
        put_reason(o, "read", str_first(path, len), &st);
        return true;
    }
    return false;
}

void files_explain_denied(struct request *r, struct str path, struct out *o)
{
    size_t start = out_len(o);

    (void)r;
    for (size_t len = 1; len <= path.len; len++) {
        if ((len == 1 || len == path.len || path.data[len] == '/') && explain_part(path, len, o))
            break;
    }
    if (out_len(o) == start)
        OUT_LITERAL(o, "the permissions of folders and file would allow it: look for an access "
                       "control list, a security module or a sandbox");
}

int files_failed(struct request *r, const struct file *f, struct str path)
{
    const struct core_conf *conf = core_conf(r->conf);

    switch (f->error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
        if (conf->log_not_found)
            request_log(r, LOG_LEVEL_ERROR, f->error, "%s \"%.*s\" failed", f->failed,
                        STR_ARG(path));
        return STATUS_NOT_FOUND;
    case ELOOP:
    case EMLINK:
        request_log(r, LOG_LEVEL_ERROR, f->error, "%s \"%.*s\" failed", f->failed, STR_ARG(path));
        return STATUS_FORBIDDEN;
    case EACCES:
        break;
    default:
        request_log(r, LOG_LEVEL_CRIT, f->error, "%s \"%.*s\" failed", f->failed, STR_ARG(path));
        return STATUS_INTERNAL_SERVER_ERROR;
    }
    if (request_log_enabled(r, LOG_LEVEL_ERROR)) {
        struct out reason = out_growing(&r->arena, 8192);
        files_explain_denied(r, path, &reason);
        request_log(r, LOG_LEVEL_ERROR, 0, "%s \"%.*s\" failed (%d: Permission denied): %.*s",
                    f->failed, STR_ARG(path), EACCES, STR_ARG(out_str_of(&reason)));
    }
    return STATUS_FORBIDDEN;
}

/*
 * auth_basic: see auth_basic.h.  Hashing that takes its time runs in a thread; a request that ends
 * meanwhile leaves the thread's work to itself.
 */
#include "http/modules/auth_basic.h"

#include <errno.h>
#include <stdlib.h>

#include "base/password.h"
#include "event/threads.h"
#include "http/basic.h"
#include "http/core.h"
#include "http/files.h"
#include "http/modules/password_file.h"
#include "http/request.h"
#include "http/response.h"

struct realm {
    bool on;
    struct template text;
};

struct auth_basic_conf {
    struct realm realm;
    struct template file;
};

static bool parse_realm(struct setting *s, void *field)
{
    struct realm *realm = field;

    *realm = (struct realm){ .on = !str_eq(setting_arg(s, 1), STR("off")) };
    return !realm->on || template_compile(s, 1, config_variables(s), &realm->text);
}

static void print_realm(const struct directive *row, const void *field, struct out *o)
{
    const struct realm *realm = field;

    (void)row;
    out_printf(o, realm->on ? "\"%.*s\"" : "off%.*s", STR_ARG(realm->text.text));
}

static const struct type type_realm = {
    "string | off", "the realm's name, or off", parse_realm, print_realm,
};

static bool parse_file(struct setting *s, void *field)
{
    struct str path = setting_arg(s, 1);

    if (path.len == 0 || path.data[0] != '$')
        path = setting_conf_path(s, path);
    return template_compile_text(s, 1, path, config_variables(s), field);
}

static void print_file(const struct directive *row, const void *field, struct out *o)
{
    (void)row;
    out_str(o, ((const struct template *)field)->text);
}

static const struct type type_file = { "file", "a file", parse_file, print_file };

#define PLACES (IN_HTTP | IN_SERVER | IN_LOCATION | IN_LIMIT_EXCEPT)

static const struct directive rows[] = {
    { "auth_basic", PLACES, ARGS(1), &type_realm, FIELD(struct auth_basic_conf, realm),
      .initial = "off", .syntax = "string | off",
      .help = "Ask for a name and a password; the text is the realm that browsers show." },
    { "auth_basic_user_file", PLACES, ARGS(1), &type_file, FIELD(struct auth_basic_conf, file),
      .syntax = "file",
      .help = "Names and passwords, as htpasswd writes them. Read again when it changes." },
    { 0 },
};

struct module http_auth_basic_module = {
    .name = "ngx_http_auth_basic_module",
    .directives = rows,
    .conf_size = sizeof(struct auth_basic_conf),
};

/* ---- hashing in a thread ---- */

struct hashing {
    struct task task;
    struct request *request;           /* NULL: it has ended */
    bool done;
    enum password_result result;
    struct str entry, password;
    char texts[];
};

static void hash(struct task *t)
{
    struct hashing *h = CONTAINER(t, struct hashing, task);

    h->result = password_check(h->entry, h->password);
}

static void hashed(struct task *t)
{
    struct hashing *h = CONTAINER(t, struct hashing, task);

    h->done = true;
    if (h->request)
        request_wake(h->request->main);
    else
        free(h);
}

static void let_go(void *data)
{
    struct hashing *h = data;

    if (h->done)
        free(h);
    else
        h->request = NULL;
}

static struct hashing *start_hashing(struct request *r, struct str entry, struct str password)
{
    struct thread_pool *pool = files_pool(r);
    struct hashing *h = pool ? malloc(sizeof *h + entry.len + password.len) : NULL;

    if (!h)
        return NULL;
    *h = (struct hashing){ .task = { .work = hash, .done = hashed }, .request = r };
    memcpy(h->texts, entry.data, entry.len);
    memcpy(h->texts + entry.len, password.data, password.len);
    h->entry = (struct str){ h->texts, entry.len };
    h->password = (struct str){ h->texts + entry.len, password.len };
    if (!threads_post(pool, &h->task)) {
        free(h);
        return NULL;
    }
    request_cleanup(r, let_go, h);
    return h;
}

/* ---- requests ---- */

static int ask(struct request *r, const struct auth_basic_conf *c)
{
    struct str realm = template_value(&c->realm.text, request_script(r));
    struct out o = out_growing(&r->arena, 8192);

    OUT_LITERAL(&o, "Basic realm=\"");
    for (size_t i = 0; i < realm.len; i++) {
        if (realm.data[i] == '"' || realm.data[i] == '\\')
            out_char(&o, '\\');
        out_char(&o, realm.data[i]);
    }
    out_char(&o, '"');
    response_header(r, r->method == METHOD_CONNECT ? STR("Proxy-Authenticate")
                                                   : STR("WWW-Authenticate"), out_str_of(&o));
    return STATUS_UNAUTHORIZED;
}

static int judge(struct request *r, const struct auth_basic_conf *c, enum password_result result,
                 struct str user)
{
    switch (result) {
    case PASSWORD_RIGHT:
        return STEP_GRANTED;
    case PASSWORD_WRONG:
        request_log(r, LOG_LEVEL_ERROR, 0, "user \"%.*s\": password mismatch", STR_ARG(user));
        return ask(r, c);
    case PASSWORD_UNKNOWN_FORM:
        break;
    }
    request_log(r, LOG_LEVEL_ERROR, 0, "user \"%.*s\": the entry in the password file has a form "
                                       "that is not known here", STR_ARG(user));
    return STATUS_INTERNAL_SERVER_ERROR;
}

static int file_failed(struct request *r, struct str path)
{
    int error = errno;

    request_log(r, error == ENOENT ? LOG_LEVEL_ERROR : LOG_LEVEL_CRIT, error,
                "open() \"%.*s\" failed", STR_ARG(path));
    return error == ENOENT ? STATUS_FORBIDDEN : STATUS_INTERNAL_SERVER_ERROR;
}

static int check(struct request *r, const struct auth_basic_conf *c, struct str path,
                 struct str user, struct str password)
{
    struct str entry;

    if (!password_file_find(path, user, &entry))
        return file_failed(r, path);
    if (!entry.data) {
        request_log(r, LOG_LEVEL_ERROR, 0, "user \"%.*s\" was not found in \"%.*s\"", STR_ARG(user),
                    STR_ARG(path));
        return ask(r, c);
    }
    if (password_is_quick(entry))
        return judge(r, c, password_check(entry, password), user);
    void **hashing = REQUEST_CONTEXT(r, http_auth_basic_module);
    *hashing = start_hashing(r, entry, password);
    if (*hashing)
        return STEP_WAIT;
    request_log(r, LOG_LEVEL_CRIT, 0, "no thread is free to check a password");
    return STATUS_SERVICE_UNAVAILABLE;
}

static int run(struct request *r)
{
    const struct auth_basic_conf *c = CONF(r->conf, http_auth_basic_module);
    struct hashing *h = *REQUEST_CONTEXT(r, http_auth_basic_module);
    struct str user, password;

    if (!basic_credentials(r, &user, &password)) {
        request_log(r, LOG_LEVEL_INFO, 0, "no user/password was provided for basic authentication");
        return ask(r, c);
    }
    if (h)
        return h->done ? judge(r, c, h->result, user) : STEP_WAIT;
    struct str path = template_value_nul(&c->file, request_script(r));
    if (r->script.failed)
        return STATUS_INTERNAL_SERVER_ERROR;
    return path.len ? check(r, c, path, user, password) : STATUS_FORBIDDEN;
}

static bool enabled(void *const *conf)
{
    const struct auth_basic_conf *c = CONF(conf, http_auth_basic_module);

    return c->realm.on && !template_is_empty(&c->file);
}

const struct http_step auth_basic_step = { "auth_basic", PHASE_ACCESS, enabled, run };

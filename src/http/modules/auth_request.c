/*
 * auth_request: see auth_request.h.
 */
#include "http/modules/auth_request.h"

#include "http/core.h"
#include "http/request.h"
#include "http/response.h"
#include "http/subrequest.h"

/* A line of auth_request_set. */
struct assignment {
    const struct variable *variable;
    struct template value;
};

struct assignments {
    ARRAY(struct assignment) items;
};

struct auth_request_conf {
    struct template uri;               /* empty: off */
    struct assignments assignments;
};

static bool parse_uri(struct setting *s, void *field)
{
    struct template *t = field;

    *t = (struct template){ 0 };
    return str_eq(setting_arg(s, 1), STR("off")) ||
           template_compile(s, 1, config_variables(s), t);
}

static void print_uri(const struct directive *row, const void *field, struct out *o)
{
    const struct template *t = field;

    (void)row;
    out_str(o, template_is_empty(t) ? STR("off") : t->text);
}

static const struct type type_uri = { "uri | off", "a path, or off", parse_uri, print_uri };

/* The variable has no value until the subrequest has been answered. */
static bool get_nothing(struct script *s, const struct variable *var, struct value *v)
{
    (void)s;
    (void)var;
    v->state = VALUE_NOT_FOUND;
    return true;
}

static bool parse_assignment(struct setting *s, void *field)
{
    struct assignments *list = field;
    struct assignment a;
    struct variable var = { .get = get_nothing, .flags = VARIABLE_CHANGEABLE | VARIABLE_WEAK };

    if (!config_variable_name(s, 1, &var.name) || !config_define_variable(s, 1, &var))
        return false;
    a.variable = config_variable(s, 1, var.name);
    if (!a.variable || !template_compile(s, 2, config_variables(s), &a.value))
        return false;
    *ARRAY_PUSH(&list->items, setting_arena(s)) = a;
    return true;
}

static void print_assignment(const struct directive *row, const void *field, struct out *o)
{
    const struct assignments *list = field;

    (void)row;
    for (unsigned i = 0; i < list->items.count; i++)
        out_printf(o, i ? "; $%.*s \"%.*s\"" : "$%.*s \"%.*s\"",
                   STR_ARG(list->items.items[i].variable->name),
                   STR_ARG(list->items.items[i].value.text));
}

static const struct type type_assignment = {
    "$variable value", "a variable and a value", parse_assignment, print_assignment,
};

#define PLACES (IN_HTTP | IN_SERVER | IN_LOCATION)

static const struct directive rows[] = {
    { "auth_request", PLACES, ARGS(1), &type_uri, FIELD(struct auth_request_conf, uri),
      .initial = "off", .syntax = "uri | off",
      .help = "Ask a location first: 2xx lets the request pass, 401 and 403 refuse it." },
    { "auth_request_set", PLACES, ARGS(2), &type_assignment,
      FIELD(struct auth_request_conf, assignments), .flags = REPEATS, .syntax = "$variable value",
      .help = "A variable that is set when auth_request's location has answered." },
    { 0 },
};

struct module http_auth_request_module = {
    .name = "ngx_http_auth_request_module",
    .directives = rows,
    .conf_size = sizeof(struct auth_request_conf),
};

/* Values are copied: what the subrequest has read ends with it. */
static void assign(const struct auth_request_conf *c, struct request *r, struct request *sub)
{
    for (unsigned i = 0; i < c->assignments.items.count; i++) {
        const struct assignment *a = &c->assignments.items.items[i];
        struct str value = template_value(&a->value, &sub->script);
        variable_assign(request_script(r), a->variable, arena_str(&r->arena, value));
    }
}

static int judge(struct request *r, const struct request *sub)
{
    unsigned status = sub->response.status;
    struct str challenge;

    if (status >= STATUS_OK && status < STATUS_MULTIPLE_CHOICES)
        return STEP_GRANTED;
    if (status == STATUS_UNAUTHORIZED) {
        challenge = headers_joined(&sub->response.headers, &r->arena, STR("www_authenticate"));
        if (challenge.data)
            response_header(r, STR("WWW-Authenticate"), arena_str(&r->arena, challenge));
        return STATUS_UNAUTHORIZED;
    }
    if (status == STATUS_FORBIDDEN)
        return STATUS_FORBIDDEN;
    request_log(r, LOG_LEVEL_ERROR, 0, "auth request unexpected status: %u", status);
    return STATUS_INTERNAL_SERVER_ERROR;
}

static int run(struct request *r)
{
    const struct auth_request_conf *c = CONF(r->conf, http_auth_request_module);
    struct request **sub = (struct request **)REQUEST_CONTEXT(r, http_auth_request_module);

    if (!*sub) {
        struct str uri = template_value(&c->uri, request_script(r)), args = uri;
        uri = str_split(&args, '?');
        *sub = subrequest_new(r, uri, args.data ? args : STR(""));
    }
    if (!*sub)
        return STATUS_INTERNAL_SERVER_ERROR;
    int result = subrequest_run(*sub);
    if (result == STEP_WAIT)
        return STEP_WAIT;
    assign(c, r, *sub);
    result = judge(r, *sub);
    subrequest_end(*sub);
    return result;
}

static bool enabled(void *const *conf)
{
    const struct auth_request_conf *c = CONF(conf, http_auth_request_module);

    return !template_is_empty(&c->uri);
}

const struct http_step auth_request_step = { "auth_request", PHASE_ACCESS, enabled, run };

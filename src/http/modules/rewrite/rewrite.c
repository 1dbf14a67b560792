/*
 * rewrite: the rows of ngx_http_rewrite_module, and the lines that are one step each.  `rewrite` is in
 * rewrite_rule.c, `if` in rewrite_if.c, and what runs them in rewrite_run.c.
 */
#include "http/modules/rewrite/rewrite.h"

#include "config/types.h"
#include "http/modules/rewrite/rewrite_program.h"
#include "http/request.h"

bool rewrite_is_url(struct str s)
{
    return str_starts(s, STR("http://")) || str_starts(s, STR("https://")) ||
           str_starts(s, STR("$scheme"));
}

struct rewrite_step *rewrite_step_add(struct setting *s, enum rewrite_op op)
{
    struct rewrite_conf *c = s->conf;

    rewrite_place_ifs(s, &c->program, s->node);
    struct rewrite_step *step = ARRAY_PUSH(&c->program.steps, setting_arena(s));
    step->op = op;
    step->node = s->node;
    return step;
}

/* ---- set ---- */

/* A variable that `set` fills and that was not set on the way to here. */
static bool get_uninitialized(struct script *s, const struct variable *var, struct value *v)
{
    const struct request *r = s->object;
    const struct rewrite_conf *c = CONF(r->conf, http_rewrite_module);

    if (c->warn_uninitialized)
        request_log(r, LOG_LEVEL_WARN, 0, "using uninitialized \"%.*s\" variable",
                    STR_ARG(var->name));
    *v = (struct value){ .data = "", .state = VALUE_FOUND };
    return true;
}

/* The variable that word 1 names, made if there is none of that name. */
static const struct variable *variable_to_set(struct setting *s)
{
    struct variable own = {
        .get = get_uninitialized, .flags = VARIABLE_CHANGEABLE | VARIABLE_WEAK,
    };
    struct variables *names = config_variables(s);

    if (!config_variable_name(s, 1, &own.name))
        return NULL;
    const struct variable *there = variables_use(names, own.name);
    if (there && there->rest.len)              /* "http_x": still a field's where nothing set it */
        return there;
    if (!config_define_variable(s, 1, &own))
        return NULL;
    return variables_use(names, own.name);
}

static bool parse_set(struct setting *s, void *field)
{
    struct rewrite_set set = { .variable = variable_to_set(s) };

    (void)field;
    if (!set.variable || !template_compile(s, 2, config_variables(s), &set.value))
        return false;
    rewrite_step_add(s, REWRITE_OP_set)->set = set;
    return true;
}

/* ---- return, break ---- */

/* return code [text]; return code URL; return URL */
static bool parse_return(struct setting *s, void *field)
{
    struct rewrite_return answer = { .has_text = s->node->count == 3 };
    struct str first = setting_arg(s, 1);
    unsigned text = 2;

    (void)field;
    if (s->node->count == 2 && rewrite_is_url(first)) {
        answer.status = STATUS_FOUND;
        answer.has_text = true;
        text = 1;
    } else if (!str_to_uint(first, 999, &answer.status))
        return setting_error(s, 1, "invalid return code \"%.*s\"", STR_ARG(first));
    if (answer.has_text && !template_compile(s, text, config_variables(s), &answer.text))
        return false;
    rewrite_step_add(s, REWRITE_OP_return)->answer = answer;
    return true;
}

static bool parse_break(struct setting *s, void *field)
{
    (void)field;
    rewrite_step_add(s, REWRITE_OP_break);
    return true;
}

/* ---- the rows ---- */

static const struct type type_set = {
    "$variable value", "a variable and a text", parse_set, NULL,
};
static const struct type type_rule = {
    "regex replacement [flag]", "a regular expression, a path or address, and perhaps a flag",
    rewrite_parse_rule, NULL,
};
static const struct type type_return = {
    "code [text] | code URL | URL", "a status, and perhaps a text or an address", parse_return,
    NULL,
};
static const struct type type_break = { "", "no argument", parse_break, NULL };

#define LEVELS (IN_SERVER | IN_LOCATION | IN_SERVER_IF | IN_LOCATION_IF)

/* The program is the field of `if`; the others' lines add to it by themselves. */
static const struct directive rows[] = {
    { "if", IN_SERVER | IN_LOCATION, ARGS_RANGE(1, ARGS_ANY), NULL,
      FIELD(struct rewrite_conf, program), .flags = REPEATS | NOT_INHERITED, .open = rewrite_open_if,
      .syntax = "( $variable | $variable =|!= text | $variable ~|~*|!~|!~* regex | "
                "-f|-d|-e|-x|!-f|!-d|!-e|!-x path ) { ... }",
      .help = "Directives for requests that the condition holds for. In a location the last block "
              "whose condition holds takes the location's place." },
    { "set", LEVELS, ARGS(2), &type_set, .flags = REPEATS | NOT_INHERITED,
      .syntax = "$variable value", .help = "Gives a variable a value." },
    { "rewrite", LEVELS, ARGS_RANGE(2, 3), &type_rule, .flags = REPEATS | NOT_INHERITED,
      .syntax = "regex replacement [last | break | redirect | permanent]",
      .help = "Changes a path that matches, or redirects to an address. A \"?\" at the end of the "
              "replacement drops the request's arguments." },
    { "return", LEVELS, ARGS_RANGE(1, 2), &type_return, .flags = REPEATS | NOT_INHERITED,
      .syntax = "code [text] | code URL | URL",
      .help = "Stop here and answer with a status: with a text, or a redirect to an address." },
    { "break", LEVELS, ARGS(0), &type_break, .flags = REPEATS | NOT_INHERITED, .syntax = "",
      .help = "Stop rewriting, and stay in this location." },
    { "rewrite_log", IN_HTTP | LEVELS, ARGS(1), &type_flag, FIELD(struct rewrite_conf, log),
      .initial = "off", .help = "Write what regular expressions and rewrites did to the error log, at "
                                "level notice." },
    { "uninitialized_variable_warn", IN_HTTP | LEVELS, ARGS(1), &type_flag,
      FIELD(struct rewrite_conf, warn_uninitialized), .initial = "on",
      .help = "Write a warning where a variable is used before anything set it." },
    { 0 },
};

static bool finish(struct setting *s, void *conf)
{
    struct rewrite_conf *c = conf;

    c->inside_if = s->block->context == IN_LOCATION_IF;
    rewrite_place_ifs(s, &c->program, NULL);
    return true;
}

struct module http_rewrite_module = {
    .name = "ngx_http_rewrite_module",
    .directives = rows,
    .conf_size = sizeof(struct rewrite_conf),
    .finish = finish,
};

/*
 * rewrite_run: runs the programs of the server's level and of locations, and the steps that are short.
 */
#include "http/core.h"
#include "http/escape.h"
#include "http/http.h"
#include "http/mime.h"
#include "http/modules/rewrite/rewrite_program.h"
#include "http/request.h"
#include "http/response.h"
#include "http/trace.h"

/* ---- what steps share ---- */

enum pattern_result rewrite_match(struct rewrite_run *run, const struct pattern *p,
                                  struct str subject)
{
    struct script *s = request_script(run->r);
    enum pattern_result result = pattern_match(p, s, subject);

    if (result == PATTERN_NO_MATCH) {
        s->captures = NULL;
        s->capture_count = 0;
    }
    if (run->r->trace)
        run->r->trace->match(run->r, subject, result == PATTERN_MATCH);
    if (run->log && result != PATTERN_FAILED)
        request_log(run->r, LOG_LEVEL_NOTICE, 0, "\"%.*s\" %s \"%.*s\"", STR_ARG(pattern_text(p)),
                    result == PATTERN_MATCH ? "matches" : "does not match", STR_ARG(subject));
    return result;
}

/* Whether the path was sent with anything encoded: its captures are decoded then. */
static bool sent_encoded(const struct request *r)
{
    struct str sent = r->unparsed_uri;
    struct str path = r->parent ? STR("") : str_split(&sent, '?');

    return str_index(path, '%') >= 0 || str_index(path, '+') >= 0;
}

static const struct str *escape_captures(struct request *r)
{
    struct script *s = &r->script;
    struct str *escaped = ARENA_NEW_ARRAY(&r->arena, struct str, s->capture_count);

    for (unsigned i = 0; i < s->capture_count; i++) {
        struct out o = out_growing(&r->arena, TEMPLATE_MAX);
        escape_args(&o, s->captures[i]);
        escaped[i] = o.overflow ? STR("") : out_str_of(&o);
    }
    return escaped;
}

struct str rewrite_escaped_value(struct request *r, const struct template *t)
{
    struct script *s = request_script(r);
    const struct str *captures = s->captures;

    if (template_is_text(t) || s->capture_count == 0 || !sent_encoded(r))
        return template_value_nul(t, s);
    s->captures = escape_captures(r);
    struct str value = template_value_nul(t, s);
    s->captures = captures;
    return value;
}

struct str rewrite_value(const struct rewrite_run *run, const struct template *t)
{
    return run->escape ? rewrite_escaped_value(run->r, t)
                       : template_value_nul(t, request_script(run->r));
}

/* ---- short steps ---- */

int rewrite_op_set(struct rewrite_run *run, const struct rewrite_step *step)
{
    variable_assign(request_script(run->r), step->set.variable,
                    rewrite_value(run, &step->set.value));
    return STEP_NEXT;
}

int rewrite_op_break(struct rewrite_run *run, const struct rewrite_step *step)
{
    struct request_flags *flags = &run->r->flags;

    (void)step;
    flags->path_settled |= flags->uri_changed;
    flags->uri_changed = false;
    return REWRITE_END;
}

static bool is_redirect(unsigned status)
{
    return status == STATUS_MOVED_PERMANENTLY || status == STATUS_FOUND ||
           status == STATUS_SEE_OTHER || status == STATUS_TEMPORARY_REDIRECT ||
           status == STATUS_PERMANENT_REDIRECT;
}

int rewrite_op_return(struct rewrite_run *run, const struct rewrite_step *step)
{
    const struct rewrite_return *answer = &step->answer;
    struct request *r = run->r;

    if (!answer->has_text && answer->status >= STATUS_BAD_REQUEST)
        return (int)answer->status;
    struct str text = STR("");
    if (answer->has_text)
        text = template_value(&answer->text, request_script(r));
    if (r->script.failed)
        return STATUS_INTERNAL_SERVER_ERROR;
    if (is_redirect(answer->status))
        return response_redirect(r, answer->status, text);
    struct str type = r->response.type_settled ? r->response.content_type
                                               : mime_type(core_conf(r->conf), r->uri);
    return response_text(r, answer->status, type, text);
}

/* ---- programs ---- */

typedef int op(struct rewrite_run *run, const struct rewrite_step *step);

static op *const ops[] = {
#define OP(name) [REWRITE_OP_##name] = rewrite_op_##name,
    REWRITE_OPS(OP)
#undef OP
};

static int run_program(struct rewrite_run *run)
{
    while (run->depth > 0) {
        const struct rewrite_program *p = run->frames[run->depth - 1].program;
        unsigned *next = &run->frames[run->depth - 1].next;
        if (*next == p->steps.count) {
            run->depth--;
            continue;
        }
        const struct rewrite_step *step = &p->steps.items[(*next)++];
        unsigned depth = run->depth;
        int result = ops[step->op](run, step);
        if (run->r->trace)
            run->r->trace->rewrite(run->r, step, run->depth > depth, result);
        if (result == STEP_WAIT)
            --*next;
        if (result == REWRITE_END)
            break;
        if (result != STEP_NEXT)
            return result;
        if (run->r->script.failed)
            return STATUS_INTERNAL_SERVER_ERROR;
    }
    return STEP_NEXT;
}

/* Runs the program of the request's block, or goes on with the one that waited. */
static int run(struct request *r)
{
    struct rewrite_run **waiting = r->contexts ? (struct rewrite_run **)REQUEST_CONTEXT(
                                                     r, http_rewrite_module) : NULL;
    const struct rewrite_conf *c = CONF(r->conf, http_rewrite_module);
    struct rewrite_run now;

    if (waiting && *waiting) {
        now = **waiting;
        *waiting = NULL;
    } else
        now = (struct rewrite_run){ .r = r, .frames = { { .program = &c->program } }, .depth = 1,
                                    .log = c->log, .escape = true };
    int result = run_program(&now);
    if (result == STEP_WAIT) {
        struct rewrite_run *kept = ARENA_NEW(&r->arena, struct rewrite_run);
        *kept = now;
        *REQUEST_CONTEXT(r, http_rewrite_module) = kept;
    }
    return result;
}

static int run_server(struct request *r)
{
    int result = run(r);

    if (result == STEP_NEXT)
        r->flags.uri_changed = false;          /* the location is found after this, in any case */
    return result;
}

/* The location's program has given the path another form: the location is looked for again. */
static int search_again(struct request *r)
{
    r->flags.uri_changed = false;
    if (!request_count_redirect(r, "processing", r->uri))
        return STATUS_INTERNAL_SERVER_ERROR;
    r->location = NULL;
    r->conf = r->server->root.conf;
    r->steps = r->server->root.steps;
    phases_restart(r, PHASE_FIND_LOCATION);
    return STEP_AGAIN;
}

static int run_location(struct request *r)
{
    if (r->location == &r->server->root)       /* its program was the server's */
        return STEP_NEXT;
    int result = run(r);
    return result == STEP_NEXT && r->flags.uri_changed ? search_again(r) : result;
}

static bool enabled(void *const *conf)
{
    const struct rewrite_conf *c = CONF(conf, http_rewrite_module);

    return c->program.steps.count > 0 || c->inside_if;
}

const struct http_step rewrite_server_step = {
    "server_rewrite", PHASE_SERVER_REWRITE, enabled, run_server,
};
const struct http_step rewrite_location_step = {
    "rewrite", PHASE_REWRITE, enabled, run_location,
};

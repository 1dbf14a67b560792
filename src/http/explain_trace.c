/*
 * explain_trace: what the trace of a request sees, as lines of an explanation.
 */
#include <errno.h>
#include <string.h>

#include "http/core.h"
#include "http/explain.h"
#include "http/files.h"
#include "http/location.h"
#include "http/modules/rewrite/rewrite_program.h"
#include "http/request.h"
#include "http/trace.h"

enum { LISTED = 24 };                  /* locations of a level that are shown where the path is another */

static struct explain *explain_of(const struct request *r)
{
    return r->main->trace->data;
}

void explain_add(struct explain *e, const char *part, enum explain_mark mark, struct str what,
                 struct str result, struct str place)
{
    struct explain_line *l = ARRAY_PUSH(&e->lines, &e->arena);

    *l = (struct explain_line){ part, mark, arena_str(&e->arena, what),
                                arena_str(&e->arena, result), place };
}

static struct str with_args(struct explain *e, struct str uri, struct str args)
{
    return arena_printf(&e->arena, "%.*s%s%.*s", STR_ARG(uri), args.len ? "?" : "", STR_ARG(args));
}

/* ---- steps ---- */

/* Steps that count in shared memory, ask another server or take a thread's time. */
static const struct {
    const char *step, *text;
} not_run[] = {
    { "limit_conn", "would count connections by their key; taken as below the limit" },
    { "limit_req", "would count requests by their key; taken as below the limit" },
    { "auth_request", "would ask with a subrequest; taken as allowed" },
    { "mirror", "would send a copy of the request" },
};

/* The nearest line of that name: where a step's question comes from. */
static const struct node *line_named(const struct block *b, struct str name)
{
    const struct node *n = NULL;

    for (; b && b->node && !n; b = b->parent)
        n = tree_find(b->node->children, name);
    return n;
}

static const struct block *block_of(const struct request *r)
{
    return r->location ? r->location->block : r->server->root.block;
}

static void assume(struct request *r, const char *step, struct str line, struct str text)
{
    struct explain *e = explain_of(r);
    const struct node *n = line_named(block_of(r), line);

    explain_add(e, step, EXPLAIN_ASSUMED, n ? explain_words(e, n, ";") : str_of(step), text,
                explain_place(e, n));
}

/* The line that hands the request to another server: of the location, or around its `if`. */
static const struct node *passing_line(const struct request *r)
{
    const struct location *l = r->location;
    const struct node *n = NULL;

    if (!l || !l->handler || !l->block)
        return NULL;
    for (const struct block *b = l->block; b && b->node && !n; b = b->parent) {
        for (n = b->node->children; n && !str_ends(n->words[0].text, STR("_pass")); n = n->next)
            ;
        if (b->context == IN_LOCATION)
            break;
    }
    return n;
}

/* The filters that its answer would meet. */
static void name_filters(struct request *r)
{
    const struct http_filter *filter;

    for (unsigned i = 0; (filter = pipeline_filter(i)) != NULL; i++) {
        if (r->location->filters >> i & 1)
            explain_add(explain_of(r), "filters", EXPLAIN_ASSUMED, str_of(filter->name),
                        STR("would see the answer"), STR(""));
    }
}

/* Whether a step is only named. */
static bool is_assumed(struct request *r, const struct http_step *step, int *result)
{
    struct explain *e = explain_of(r);
    const struct node *pass = strcmp(step->name, "handler") == 0 ? passing_line(r) : NULL;

    *result = STEP_NEXT;
    for (unsigned i = 0; i < sizeof not_run / sizeof not_run[0]; i++) {
        if (strcmp(step->name, not_run[i].step) == 0) {
            assume(r, step->name, str_of(step->name), str_of(not_run[i].text));
            return true;
        }
    }
    if (strcmp(step->name, "auth_basic") == 0 && r->headers.known[HEADER_AUTHORIZATION]) {
        assume(r, "auth_basic", STR("auth_basic_user_file"),
               STR("would check the password; taken as right"));
        *result = STEP_GRANTED;
        return true;
    }
    if (pass) {
        explain_upstream(e, r, pass);
        name_filters(r);
        e->assumed = true;
        *result = STEP_ABORT;
        return true;
    }
    return false;
}

static bool is_rule_for(const struct node *n, const struct peer *p)
{
    struct str name = n->words[0].text, who = n->count > 1 ? n->words[1].text : STR("");
    struct cidr network;
    bool stray;

    if (!str_eq(name, STR("allow")) && !str_eq(name, STR("deny")))
        return false;
    return str_eq(who, STR("all")) || (cidr_parse(who, &network, &stray) && cidr_contains(&network, p));
}

/* The line of allow or deny that decides: the first that fits, in the nearest block that has any. */
static const struct node *access_rule(const struct request *r)
{
    bool any = false;

    for (const struct block *b = block_of(r); b && b->node && !any; b = b->parent) {
        for (const struct node *n = b->node->children; n; n = n->next) {
            if (is_rule_for(n, &r->peer))
                return n;
            any |= str_eq(n->words[0].text, STR("allow")) || str_eq(n->words[0].text, STR("deny"));
        }
    }
    return NULL;
}

static void say_access(struct request *r, const char *name, int result)
{
    struct explain *e = explain_of(r);
    bool rules = strcmp(name, "access") == 0;
    const struct node *n = rules ? access_rule(r) : line_named(block_of(r), str_of(name));
    struct str line = n ? explain_words(e, n, ";") : STR("no rule fits the client");

    if (result == STEP_NEXT || result == STEP_GRANTED)
        explain_add(e, name, EXPLAIN_YES, line, STR("lets the client in"), explain_place(e, n));
    else if (result == STATUS_UNAUTHORIZED)
        explain_add(e, name, EXPLAIN_REFUSED, line,
                    STR("asks who it is (-H 'Authorization: Basic ...' shows what follows)"),
                    explain_place(e, n));
    else if (result > 0)
        explain_add(e, name, EXPLAIN_REFUSED, line, STR("keeps the client out"),
                    explain_place(e, n));
}

/* The line of the look around that was for this location; NULL: none was. */
static struct explain_line *found_line(struct explain *e, const struct location *l)
{
    struct str name = explain_location_name(e, l);
    struct str place = explain_place(e, l->block ? l->block->node : NULL);

    for (unsigned i = e->lines.count; i-- > e->walk_start;) {
        struct explain_line *line = &e->lines.items[i];
        if (line->mark == EXPLAIN_YES && str_eq(line->what, name) && str_eq(line->place, place))
            return line;
    }
    return NULL;
}

static void say_found(struct request *r)
{
    struct explain *e = explain_of(r);
    const struct location *l = r->location;
    struct str result = STR("");

    if (l->kind == LOCATION_SERVER)
        result = STR("no location fits: the server's own lines count");
    else if (l->block && l->block->context == IN_LIMIT_EXCEPT)
        result = STR("limit_except: the method is none of those");
    else if (l->internal && !r->flags.internal)
        result = STR("internal: clients do not get here");
    struct explain_line *last = found_line(e, l);
    if (last) {
        last->mark = EXPLAIN_CHOSEN;
        if (result.len)
            last->result = result;
        return;
    }
    explain_add(e, "location", EXPLAIN_CHOSEN, explain_location_name(e, l), result,
                explain_place(e, l->block ? l->block->node : NULL));
}

static void say_result(struct request *r, const struct http_step *step, int result)
{
    struct explain *e = explain_of(r);

    const struct explain_line *last = e->lines.count ? &e->lines.items[e->lines.count - 1] : NULL;
    bool told = last && last->mark == EXPLAIN_CHOSEN && last->part == step->name;

    if (result == STEP_RESPOND && step->phase == PHASE_CONTENT && !told)
        explain_add(e, step->name, EXPLAIN_CHOSEN, STR("answers"), STR(""), STR(""));
    else if (result == STEP_WAIT)
        explain_add(e, step->name, EXPLAIN_ASSUMED, STR("would wait here"), STR(""), STR(""));
    else if (result > 0 && step->phase != PHASE_ACCESS)
        explain_add(e, step->name, EXPLAIN_REFUSED, STR("answers"), status_title((unsigned)result),
                    STR(""));
}

/* The line that a step is there for. */
static void say_line(struct request *r, const char *name)
{
    struct explain *e = explain_of(r);
    const struct node *n = line_named(block_of(r), str_of(name));

    if (n)
        explain_add(e, name, EXPLAIN_PLAIN, explain_words(e, n, ";"), STR(""), explain_place(e, n));
}

static void say_peer(struct request *r, const char *name)
{
    struct explain *e = explain_of(r);
    struct out o = out_growing(&e->arena, 256);

    peer_put_ip(&o, &r->peer);
    explain_add(e, name, EXPLAIN_GOES, out_str_of(&o), STR("counts as the client's address"),
                STR(""));
}

static int on_step(struct request *r, const struct http_step *step)
{
    struct explain *e = explain_of(r);
    int result;

    if (is_assumed(r, step, &result))
        return result;
    bool rewriting = step->phase == PHASE_SERVER_REWRITE || step->phase == PHASE_REWRITE;
    e->part = rewriting ? "rewrite" : step->name;
    e->uri = with_args(e, r->uri, r->args);
    if (step->run == location_find) {
        explain_add(e, "location", EXPLAIN_PLAIN, r->uri, STR("is the path to find one for"),
                    STR(""));
        e->walk_start = e->lines.count;
        e->walks++;
    } else if (strcmp(step->name, "try_files") == 0)
        say_line(r, step->name);
    struct peer peer = r->peer;
    result = step->run(r);
    if (memcmp(&peer, &r->peer, sizeof peer) != 0)
        say_peer(r, step->name);
    if (step->phase == PHASE_ACCESS)
        say_access(r, step->name, result);
    else if (step->run == location_find && r->location)
        say_found(r);
    say_result(r, step, result);
    return result;
}

/* ---- filters ---- */

/* What a filter did is seen by what has become of the response. */
static int on_filter(struct request *r, const struct http_filter *filter)
{
    struct explain *e = explain_of(r);
    struct response before = r->response;
    int status = filter->apply(r);
    const struct response *now = &r->response;
    struct out o = out_growing(&e->arena, 4096);

    if (status)
        out_str(&o, status_title((unsigned)status));
    else if (now->status != before.status)
        out_printf(&o, "makes it %u", now->status);
    else if (now->content_encoding.len != before.content_encoding.len)
        out_printf(&o, "encodes the body: %.*s", STR_ARG(now->content_encoding));
    else if (now->body != before.body)
        OUT_LITERAL(&o, "changes the body");
    else if (now->charset.len && !before.charset.len)
        out_printf(&o, "names the character set: %.*s", STR_ARG(now->charset));
    for (unsigned i = before.headers.list.count; i < now->headers.list.count; i++)
        out_printf(&o, "%s%.*s", out_len(&o) ? ", " : "adds ",
                   STR_ARG(now->headers.list.items[i].name));
    explain_add(e, "filters", status ? EXPLAIN_REFUSED : out_len(&o) ? EXPLAIN_YES : EXPLAIN_NO,
                str_of(filter->name), out_len(&o) ? out_str_of(&o) : STR("nothing to do here"),
                STR(""));
    return status;
}

/* ---- locations ---- */

static bool path_is_theirs(const struct request *r, const struct location *l)
{
    return l->kind == LOCATION_EXACT ? str_eq(r->uri, l->name) : str_starts(r->uri, l->name);
}

static struct str why_found(const struct location *l)
{
    if (l->kind == LOCATION_EXACT)
        return STR("the path itself: nothing else is looked at");
    if (l->kind == LOCATION_PREFIX_FINAL)
        return STR("the longest prefix: \"^~\" leaves out regular expressions");
    return STR("the longest prefix");
}

static void on_level(struct request *r, const struct location *level, const struct location *found)
{
    struct explain *e = explain_of(r);
    unsigned others = 0;

    for (unsigned i = 0; i < level->nested.count; i++) {
        const struct location *l = level->nested.items[i];
        if (l->kind == LOCATION_REGEX || l->kind == LOCATION_NAMED)
            continue;
        bool theirs = path_is_theirs(r, l);
        if (!theirs && (level->nested.count > LISTED || e->walks > 1)) {
            others++;
            continue;
        }
        explain_add(e, "location", l == found ? EXPLAIN_YES : EXPLAIN_NO,
                    explain_location_name(e, l),
                    l == found ? why_found(l)
                    : theirs   ? STR("fits, but another fits better")
                    : l->kind == LOCATION_EXACT ? STR("is another path")
                                                : STR("the path does not begin so"),
                    explain_place(e, l->block->node));
    }
    if (others)
        explain_add(e, "location", EXPLAIN_NO, arena_printf(&e->arena, "%u more", others),
                    STR("the path does not begin so"), STR(""));
}

static void on_patterns(struct request *r, const struct location *level,
                        const struct location *found)
{
    struct explain *e = explain_of(r);
    unsigned others = 0;

    for (unsigned i = 0; i < level->regexes.count; i++) {
        const struct location *l = level->regexes.items[i];
        if (l != found && (level->regexes.count > LISTED || e->walks > 1)) {
            others++;
            continue;
        }
        explain_add(e, "location", l == found ? EXPLAIN_YES : EXPLAIN_NO,
                    explain_location_name(e, l),
                    l == found ? STR("the first regular expression that matches")
                               : STR("does not match"),
                    explain_place(e, l->block->node));
        if (l == found)
            break;
    }
    if (others)
        explain_add(e, "location", EXPLAIN_NO, arena_printf(&e->arena, "%u more", others),
                    found ? STR("stand before it and do not match") : STR("do not match"), STR(""));
}

/* ---- rewriting ---- */

static void on_match(struct request *r, struct str subject, bool matched)
{
    struct explain *e = explain_of(r);

    e->matched = matched;
    e->subject = arena_str(&e->arena, subject);
}

static struct str value_set(struct request *r, const struct rewrite_set *set)
{
    const struct value *v = variable_value(request_script(r), set->variable);

    return arena_printf(&explain_of(r)->arena, "$%.*s is \"%.*s\"", STR_ARG(set->variable->name),
                        STR_ARG(value_str(v)));
}

/* What an `if` looked at. */
static struct str condition(struct request *r, const struct rewrite_step *step, bool entered)
{
    struct explain *e = explain_of(r);
    const struct rewrite_test *t = &step->branch.test;
    const char *word = entered ? "holds" : "does not hold";

    if (!t->variable)
        return str_of(word);
    struct str value = value_str(variable_value(request_script(r), t->variable));
    return arena_printf(&e->arena, "%s: $%.*s is \"%.*s\"", word, STR_ARG(t->variable->name),
                        STR_ARG(value));
}

static void on_rewrite(struct request *r, const struct rewrite_step *step, bool entered, int result)
{
    struct explain *e = explain_of(r);
    struct str place = explain_place(e, step->node), words = explain_words(e, step->node, "");
    struct str now = with_args(e, r->uri, r->args);
    enum explain_mark mark = EXPLAIN_YES;
    struct str text = STR("");

    if (result == STEP_WAIT)
        return;
    switch (step->op) {
    case REWRITE_OP_set:
        text = value_set(r, &step->set);
        break;
    case REWRITE_OP_if:
        mark = entered ? EXPLAIN_YES : EXPLAIN_NO;
        text = condition(r, step, entered);
        break;
    case REWRITE_OP_rule:
        mark = !e->matched ? EXPLAIN_NO : EXPLAIN_GOES;
        text = !e->matched ? arena_printf(&e->arena, "does not match \"%.*s\"", STR_ARG(e->subject))
               : step->rule.status
                   ? arena_printf(&e->arena, "redirects: %u %.*s", step->rule.status,
                                  STR_ARG(r->response.location))
                   : arena_printf(&e->arena, "%.*s -> %.*s", STR_ARG(e->uri), STR_ARG(now));
        break;
    case REWRITE_OP_return:
        mark = EXPLAIN_CHOSEN;
        text = arena_printf(&e->arena, "answers %u", step->answer.status);
        break;
    case REWRITE_OP_break:
        text = STR("no more rewriting here");
        break;
    }
    explain_add(e, "rewrite", mark, words, text, place);
    if (entered && step->branch.location)
        explain_add(e, "rewrite", EXPLAIN_CHOSEN, words,
                    STR("its lines count now, in the location's place"), place);
    e->uri = now;
}

/* ---- redirects and statuses ---- */

static void on_redirect(struct request *r, struct str uri, struct str args)
{
    struct explain *e = explain_of(r);
    unsigned number = REQUEST_REDIRECTS - r->redirects_left + 1;

    explain_add(e, "redirect", EXPLAIN_GOES, with_args(e, uri, args),
                arena_printf(&e->arena, "internal, by %s (%u of %u)", e->part, number,
                             REQUEST_REDIRECTS),
                STR(""));
}

/* The line of error_page that is for a status. */
static const struct node *error_page_line(const struct request *r, unsigned status)
{
    for (const struct block *b = block_of(r); b && b->node; b = b->parent) {
        for (const struct node *n = b->node->children; n; n = n->next) {
            unsigned code;
            if (!str_eq(n->words[0].text, STR("error_page")))
                continue;
            for (unsigned i = 1; i + 1 < n->count; i++) {
                if (str_to_uint(n->words[i].text, 999, &code) && code == status)
                    return n;
            }
        }
    }
    return NULL;
}

static void on_status(struct request *r, unsigned status)
{
    struct explain *e = explain_of(r);
    const struct core_conf *conf = core_conf(r->conf);
    bool page = false;

    for (unsigned i = 0; i < conf->error_pages.count; i++)
        page |= conf->error_pages.items[i].status == status;
    if (!page || (r->flags.error_page && !conf->recursive_error_pages)) {
        explain_add(e, "error_page", EXPLAIN_PLAIN, status_title(status), STR("the built-in page"),
                    STR(""));
        return;
    }
    const struct node *n = error_page_line(r, status);
    e->part = "error_page";
    explain_add(e, "error_page", EXPLAIN_PLAIN, n ? explain_words(e, n, ";") : STR("error_page"),
                arena_printf(&e->arena, "for %.*s", STR_ARG(status_title(status))),
                explain_place(e, n));
}

static void on_file(struct request *r, struct str path, const struct file *f, bool opened)
{
    struct explain *e = explain_of(r);
    struct str text = STR("not there");
    bool good = f->kind != FILE_ABSENT && !f->error;

    if (f->error && f->error != ENOENT && f->error != ENOTDIR)
        text = arena_printf(&e->arena, "%s: %s", f->failed, strerror(f->error));
    else if (f->kind == FILE_DIRECTORY)
        text = STR("a folder");
    else if (f->kind == FILE_REGULAR)
        text = arena_printf(&e->arena, "a file of %lld bytes", (long long)f->size);
    else if (f->kind == FILE_OTHER)
        text = STR("neither file nor folder");
    explain_add(e, e->part, !good ? EXPLAIN_NO : opened ? EXPLAIN_CHOSEN : EXPLAIN_YES, path, text,
                STR(""));
}

static void on_log(const struct request *r, enum log_level level, int error, const char *format,
                   va_list args)
{
    struct explain *e = explain_of(r);

    if (level > LOG_LEVEL_NOTICE || (level == LOG_LEVEL_NOTICE && strcmp(e->part, "rewrite") == 0))
        return;
    struct str text = arena_vprintf(&e->arena, format, args);
    if (error)
        text = arena_printf(&e->arena, "%.*s (%d: %s)", STR_ARG(text), error, strerror(error));
    explain_add(e, "error log", EXPLAIN_PLAIN, text, STR(""), STR(""));
}

static const struct trace hooks = {
    .step = on_step,
    .filter = on_filter,
    .level = on_level,
    .patterns = on_patterns,
    .match = on_match,
    .rewrite = on_rewrite,
    .redirect = on_redirect,
    .status = on_status,
    .file = on_file,
    .log = on_log,
};

void explain_trace(struct request *r, struct explain *e)
{
    struct trace *t = ARENA_NEW(&e->arena, struct trace);

    *t = hooks;
    t->data = e;
    e->part = "request";
    e->uri = STR("");
    r->trace = t;
}

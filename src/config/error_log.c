/*
 * error_log: see error_log.h.
 */
#include "config/error_log.h"

#include "base/syslog.h"
#include "config.h"
#include "config/names.h"
#include "config/resolve.h"
#include "config/types.h"

struct str error_log_default_path;

static struct log_file *stderr_file(void)
{
    static struct log_file f = { .fd = 2 };

    return &f;
}

static void fini_syslog(void *data)
{
    syslog_fini(data);
}

/* Where the lines go, by the directive's first word. */
static bool open_target(struct setting *s, struct str where, struct log_target *t)
{
    struct syslog_names names = names_for_syslog(s);
    struct str problem;

    if (str_eq(where, STR("stderr")))
        t->file = stderr_file();
    else if (str_starts(where, STR("syslog:"))) {
        t->syslog = syslog_parse(setting_arena(s), where, &names, &problem);
        if (!t->syslog)
            return setting_error(s, 1, "%.*s", STR_ARG(problem));
        generation_cleanup(s->config->generation, fini_syslog, t->syslog);
    } else if (str_starts(where, STR("memory:")))
        return setting_error(s, 1, "logging to memory is not supported: name a file instead");
    else {
        t->file = ARENA_NEW(setting_arena(s), struct log_file);
        *t->file = (struct log_file){ .fd = -1, .path = setting_path(s, where) };
    }
    return true;
}

/* Only what is left when the block's lines are applied is going to be opened. */
static bool finish_error_log(struct setting *s, void *conf)
{
    struct log *log = &((struct error_log_conf *)conf)->log;

    for (unsigned i = 0; i < log->count; i++) {
        struct log_file **f = &log->targets[i].file;
        if (*f && (*f)->path.len)
            *f = generation_log_file(s->config->generation, (*f)->path);
    }
    return true;
}

/* The initial line, which stands in no file, is what -e says. */
static struct str target_word(const struct setting *s)
{
    bool initial = s->node->words[0].line == 0;

    return initial && error_log_default_path.len ? error_log_default_path : setting_arg(s, 1);
}

static void add_target(struct setting *s, struct error_log_conf *conf, struct log_target t,
                       struct str text)
{
    struct arena *a = setting_arena(s);
    ARRAY(struct log_target) targets = { conf->log.targets, conf->log.count, conf->log.count };
    ARRAY(struct str) texts = { conf->texts, conf->log.count, conf->log.count };

    *ARRAY_PUSH(&targets, a) = t;
    *ARRAY_PUSH(&texts, a) = arena_str(a, text);
    conf->texts = texts.items;
    conf->log.targets = targets.items;
    conf->log.count = targets.count;
    if (targets.count == 1 || t.level > conf->log.level)
        conf->log.level = t.level;
}

static bool parse_error_log(struct setting *s, void *field)
{
    struct log_target t = { .level = LOG_LEVEL_ERROR };
    struct str where = target_word(s);

    if (s->node->count > 2 && (!log_level_parse(setting_arg(s, 2), &t.level) ||
                               t.level == LOG_LEVEL_STDERR))
        return setting_error_hint(s, 2, STR("expected: one of debug info notice warn error crit "
                                            "alert emerg"),
                                  "invalid log level \"%.*s\"", STR_ARG(setting_arg(s, 2)));
    if (!open_target(s, where, &t))
        return false;
    add_target(s, field, t, where);
    return true;
}

static void print_error_log(const struct directive *row, const void *field, struct out *o)
{
    const struct error_log_conf *conf = field;

    (void)row;
    for (unsigned i = 0; i < conf->log.count; i++) {
        if (i)
            OUT_LITERAL(o, "; ");
        print_word(o, conf->texts[i]);
        out_printf(o, " %s", log_level_name(conf->log.targets[i].level));
    }
}

static const struct type type_error_log = {
    "file [level]", "a file, stderr or syslog:..., and perhaps a level", parse_error_log,
    print_error_log,
};

static const struct directive rows[] = {
    { "error_log", IN_MAIN | IN_HTTP | IN_MAIL | IN_STREAM | IN_SERVER | IN_LOCATION |
      IN_STREAM_SERVER | IN_MAIL_SERVER, ARGS_RANGE(1, 2), &type_error_log,
      .offset = 0, .size = sizeof(struct error_log_conf), .initial = WEIR_ERROR_LOG_PATH, .flags = REPEATS,
      .syntax = "file | stderr | syslog:server=address[,parameter=value] [level]",
      .help = "Where messages go, and from which level on.",
      .default_text = WEIR_ERROR_LOG_PATH " error" },
    { 0 },
};

struct module error_log_module = {
    .name = "ngx_core_module",
    .directives = rows,
    .conf_size = sizeof(struct error_log_conf),
    .finish = finish_error_log,
};

const struct log *error_log_main(const struct generation *g)
{
    return &((const struct error_log_conf *)CONF(g->main->conf, error_log_module))->log;
}

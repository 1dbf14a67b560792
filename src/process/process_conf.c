/*
 * process_conf: see process_conf.h.
 */
#include "process/process_conf.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "config.h"
#include "config/error_log.h"
#include "config/resolve.h"
#include "event/loop.h"

enum { MAX_WORKERS = 1024, MAX_CPUS = 1024 };

const struct process_conf *process_conf(const struct generation *g)
{
    return CONF(g->main->conf, process_module);
}

const struct process_conf *events_conf(const struct generation *g)
{
    const struct process_conf *conf = process_conf(g);

    return conf->events ? conf->events : conf;
}

const struct log *main_log(const struct generation *g)
{
    const struct error_log_conf *conf = CONF(g->main->conf, error_log_module);

    return &conf->log;
}

/* Keeps argument i. */
static struct str keep(struct setting *s, unsigned i)
{
    return arena_str(setting_arena(s), setting_arg(s, i));
}

/* ---- worker_processes ---- */

static bool parse_workers(struct setting *s, void *field)
{
    unsigned *count = field;

    if (str_eq(setting_arg(s, 1), STR("auto"))) {
        *count = 0;
        return true;
    }
    return (str_to_uint(setting_arg(s, 1), MAX_WORKERS, count) && *count > 0) ||
           setting_invalid(s, 1);
}

static void print_workers(const struct directive *row, const void *field, struct out *o)
{
    unsigned count = *(const unsigned *)field;

    (void)row;
    if (count == 0)
        OUT_LITERAL(o, "auto");
    else
        out_uint(o, count);
}

static const struct type type_workers = {
    .name = "number | auto",
    .expected = "a number from 1 to 1024, or auto",
    .parse = parse_workers,
    .print = print_workers,
};

/* ---- worker_cpu_affinity ---- */

static bool is_mask(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] != '0' && s.data[i] != '1')
            return false;
    }
    return s.len > 0 && s.len <= MAX_CPUS;
}

static bool parse_affinity(struct setting *s, void *field)
{
    struct affinity *a = field;
    unsigned first = 1;

    *a = (struct affinity){ 0 };
    a->automatic = str_eq(setting_arg(s, 1), STR("auto"));
    if (a->automatic) {
        first = 2;
        if (s->node->count > 3)
            return setting_error(s, 3, "invalid number of arguments in \"worker_cpu_affinity\" "
                                       "directive");
    }
    a->masks = ARENA_NEW_ARRAY(setting_arena(s), struct str, s->node->count);
    for (unsigned i = first; i < s->node->count; i++) {
        if (!is_mask(setting_arg(s, i)))
            return setting_invalid(s, i);
        a->masks[a->count++] = keep(s, i);
    }
    return true;
}

static void print_affinity(const struct directive *row, const void *field, struct out *o)
{
    const struct affinity *a = field;

    (void)row;
    if (a->automatic)
        OUT_LITERAL(o, "auto");
    for (unsigned i = 0; i < a->count; i++) {
        if (i || a->automatic)
            out_char(o, ' ');
        out_str(o, a->masks[i]);
    }
}

static const struct type type_affinity = {
    .name = "cpumask ... | auto [cpumask]",
    .expected = "masks of the digits 0 and 1, one for each worker",
    .parse = parse_affinity,
    .print = print_affinity,
};

/* ---- worker_priority ---- */

static bool parse_priority(struct setting *s, void *field)
{
    struct str text = setting_arg(s, 1);
    bool minus = str_starts(text, STR("-"));
    unsigned value;

    if (!str_to_uint(minus ? str_from(text, 1) : text, 20, &value))
        return setting_invalid(s, 1);
    *(int *)field = minus ? -(int)value : (int)value;
    return true;
}

static void print_priority(const struct directive *row, const void *field, struct out *o)
{
    (void)row;
    out_int(o, *(const int *)field);
}

static const struct type type_priority = {
    .name = "number",
    .expected = "a number from -20 to 20",
    .parse = parse_priority,
    .print = print_priority,
};

/* ---- user ---- */

/* A group that was not named is the one of the user's name, or the user's own. */
static bool find_group(struct setting *s, struct worker_user *u, const struct passwd *user)
{
    const struct group *group = getgrnam(u->group.data);

    if (!group && s->node->count > 2)
        return setting_error(s, 2, "getgrnam(\"%.*s\") failed", STR_ARG(u->group));
    u->gid = group ? group->gr_gid : user->pw_gid;
    return true;
}

/* Names are looked up by who can become another user: the master.  A worker takes only the text. */
static bool parse_user(struct setting *s, void *field)
{
    struct worker_user *u = field;
    const struct passwd *user;

    u->name = u->group = keep(s, 1);
    if (s->node->count > 2)
        u->group = keep(s, 2);
    if (geteuid() != 0) {
        setting_warn(s, 0, "the \"user\" directive makes sense only if the master process runs "
                           "with super-user privileges, ignored");
        return true;
    }
    user = getpwnam(u->name.data);
    if (!user)
        return setting_error(s, 1, "getpwnam(\"%.*s\") failed", STR_ARG(u->name));
    u->uid = user->pw_uid;
    return find_group(s, u, user);
}

static void print_user(const struct directive *row, const void *field, struct out *o)
{
    const struct worker_user *u = field;

    (void)row;
    if (u->name.len == 0) {
        OUT_LITERAL(o, WEIR_USER " " WEIR_GROUP);
        return;
    }
    out_str(o, u->name);
    if (!str_eq(u->name, u->group)) {
        out_char(o, ' ');
        out_str(o, u->group);
    }
}

static const struct type type_user = {
    .name = "user [group]",
    .expected = "a user's name, and a group's",
    .parse = parse_user,
    .print = print_user,
};

/* ---- limits ---- */

static bool parse_rlimit(struct setting *s, void *field)
{
    struct rlimit_value *limit = field;

    limit->set = true;
    return parse_offset(setting_arg(s, 1), &limit->value) || setting_invalid(s, 1);
}

static void print_rlimit(const struct directive *row, const void *field, struct out *o)
{
    const struct rlimit_value *limit = field;

    (void)row;
    if (limit->set)
        print_size(o, (uint64_t)limit->value);
}

static const struct type type_rlimit = {
    .name = "size",
    .expected = "a number, or a size such as 500m",
    .parse = parse_rlimit,
    .print = print_rlimit,
};

/* ---- debug_points ---- */

static const struct name_value debug_points[] = {
    { "stop", DEBUG_POINTS_STOP },
    { "abort", DEBUG_POINTS_ABORT },
    { 0 },
};

/* ---- lists: env, load_module ---- */

static bool parse_str_line(struct setting *s, void *field)
{
    struct str_list *list = field;

    *ARRAY_PUSH(list, setting_arena(s)) = keep(s, 1);
    return true;
}

static bool parse_module_line(struct setting *s, void *field)
{
    struct str_list *list = field;

    *ARRAY_PUSH(list, setting_arena(s)) = setting_path(s, setting_arg(s, 1));
    return true;
}

static void print_str_lines(const struct directive *row, const void *field, struct out *o)
{
    const struct str_list *list = field;

    (void)row;
    for (unsigned i = 0; i < list->count; i++) {
        if (i)
            out_char(o, ' ');
        out_str(o, list->items[i]);
    }
}

static const struct type type_env = {
    .name = "variable[=value]",
    .expected = "a variable's name",
    .parse = parse_str_line,
    .print = print_str_lines,
};

static const struct type type_load_module = {
    .name = "file",
    .expected = "a module's file",
    .parse = parse_module_line,
    .print = print_str_lines,
};

/* ---- events ---- */

static bool parse_use(struct setting *s, void *field)
{
    struct str *method = field;

    *method = keep(s, 1);
    return loop_has_method(method->data) ||
           setting_error(s, 1, "invalid event type \"%.*s\"", STR_ARG(*method));
}

static void print_use(const struct directive *row, const void *field, struct out *o)
{
    (void)row;
    out_str(o, *(const struct str *)field);
}

static const struct type type_use = {
    .name = "method",
    .expected = "a method that this build has: epoll, kqueue, poll or select",
    .parse = parse_use,
    .print = print_use,
};

static bool parse_debug_connection(struct setting *s, void *field)
{
    (void)field;
    setting_warn(s, 0, "\"debug_connection\" is ignored: this build writes no debugging log");
    return true;
}

static const struct type type_debug_connection = {
    .name = "address | CIDR | unix:",
    .expected = "an address or a network",
    .parse = parse_debug_connection,
};

static bool open_events(struct setting *s)
{
    struct process_conf *conf = s->conf;
    struct block *events = config_block(s, IN_EVENTS, NULL);

    if (events)
        conf->events = CONF(events->conf, process_module);
    return events != NULL;
}

#define MAIN(kind, name) .type = &(kind), FIELD(struct process_conf, name)

static const struct directive rows[] = {
    { "daemon", IN_MAIN, ARGS(1), MAIN(type_flag, daemon), .initial = "on",
      .help = "Whether to go into the background." },
    { "master_process", IN_MAIN, ARGS(1), MAIN(type_flag, master_process), .initial = "on",
      .help = "Whether workers are processes of their own; off is for development." },
    { "worker_processes", IN_MAIN, ARGS(1), MAIN(type_workers, worker_processes), .initial = "1",
      .help = "How many workers serve; auto is one for each processor that the process may use." },
    { "worker_cpu_affinity", IN_MAIN, ARGS_RANGE(1, ARGS_ANY), MAIN(type_affinity, affinity),
      .help = "Binds workers to processors: one mask for each worker, the last one for the rest." },
    { "worker_priority", IN_MAIN, ARGS(1), MAIN(type_priority, priority), .initial = "0",
      .help = "The scheduling priority of workers, as nice(1): from -20 to 20." },
    { "worker_rlimit_core", IN_MAIN, ARGS(1), MAIN(type_rlimit, rlimit_core),
      .help = "The largest core file of a worker." },
    { "worker_rlimit_nofile", IN_MAIN, ARGS(1), MAIN(type_rlimit, rlimit_nofile),
      .help = "How many descriptors a worker may open. Without it the limit is raised to what "
              "worker_connections needs, as far as the system allows." },
    { "worker_shutdown_timeout", IN_MAIN, ARGS(1), MAIN(type_time, shutdown_timeout),
      .help = "How long a worker that quits waits for its connections before it closes them." },
    { "working_directory", IN_MAIN, ARGS(1), MAIN(type_path, working_directory),
      .syntax = "directory",
      .help = "Where workers run: core files are written there." },
    { "user", IN_MAIN, ARGS_RANGE(1, 2), MAIN(type_user, user),
      .default_text = WEIR_USER " " WEIR_GROUP,
      .help = "Who the workers are, where the master is root." },
    { "pid", IN_MAIN, ARGS(1), MAIN(type_path, pid), .initial = WEIR_PID_PATH, .syntax = "file",
      .help = "The file that holds the master's process id." },
    { "lock_file", IN_MAIN, ARGS(1), .type = &type_accepted, .syntax = "file",
      .help = "Has no effect: locks need no file here." },
    { "env", IN_MAIN, ARGS(1), MAIN(type_env, env), .flags = REPEATS, .default_text = "TZ",
      .help = "A variable of the environment that workers keep, or are given." },
    { "debug_points", IN_MAIN, ARGS(1), MAIN(type_enum, debug_points), .data = debug_points,
      .syntax = "abort | stop",
      .help = "What a worker does that finds an internal error: abort leaves a core file, stop "
              "waits for a debugger." },
    { "timer_resolution", IN_MAIN, ARGS(1), MAIN(type_time, timer_resolution),
      .help = "The steps in which time moves for a worker; without it each turn reads the clock." },
    { "load_module", IN_MAIN, ARGS(1), MAIN(type_load_module, modules), .flags = REPEATS,
      .help = "Loads a module from a file." },
    { "pcre_jit", IN_MAIN, ARGS(1), .type = &type_accepted, .syntax = "on | off",
      .help = "Has no effect: expressions run in linear time without it." },
    { "ssl_engine", IN_MAIN, ARGS(1), .type = &type_accepted, .syntax = "device",
      .help = "Has no effect: OpenSSL 3 has providers in place of engines." },
    { "ssl_object_cache_inheritable", IN_MAIN, ARGS(1), .type = &type_accepted,
      .syntax = "on | off",
      .help = "Has no effect: certificates and keys are read again only where they changed." },
    { "include", IN_MAIN | IN_EVENTS | IN_HTTP | IN_SERVER | IN_LOCATION | IN_UPSTREAM |
                     IN_STREAM | IN_STREAM_SERVER | IN_STREAM_UPSTREAM | IN_MAIL | IN_MAIL_SERVER,
      ARGS(1), .type = &type_accepted, .syntax = "file | mask",
      .help = "Reads the lines of other files in this place." },
    { "events", IN_MAIN, ARGS(0), .open = open_events,
      .help = "How connections are waited for." },

    { "worker_connections", IN_EVENTS, ARGS(1), MAIN(type_number, worker_connections),
      .initial = "512",
      .help = "How many connections a worker holds at a time, those to upstreams included." },
    { "use", IN_EVENTS, ARGS(1), MAIN(type_use, use),
      .help = "The method of waiting for events; without it the best there is." },
    { "multi_accept", IN_EVENTS, ARGS(1), MAIN(type_flag, multi_accept), .initial = "off",
      .help = "Whether a worker accepts all waiting connections at once, or one at a time." },
    { "accept_mutex", IN_EVENTS, ARGS(1), .type = &type_accepted, .syntax = "on | off",
      .default_text = "off",
      .help = "Has no effect: workers share connections evenly without a lock." },
    { "accept_mutex_delay", IN_EVENTS, ARGS(1), .type = &type_accepted, .syntax = "time",
      .default_text = "500ms", .help = "Has no effect, as accept_mutex." },
    { "debug_connection", IN_EVENTS, ARGS(1), .type = &type_debug_connection, .flags = REPEATS,
      .help = "Clients whose connections are logged in full, in a build with debugging." },
    { "worker_aio_requests", IN_EVENTS, ARGS(1), .type = &type_accepted, .syntax = "number",
      .default_text = "32", .help = "Has no effect: aio runs in thread pools." },
    { "stall_threshold", IN_EVENTS, ARGS(1), MAIN(type_time, stall_threshold),
      .initial = "1000ms",
      .help = "A worker that was busy for longer than this, without looking at its connections, "
              "says so in the log. 0: never." },
    { 0 },
};

struct module process_module = {
    .name = "ngx_core_module",
    .directives = rows,
    .conf_size = sizeof(struct process_conf),
};

/*
 * limits: see limits.h.
 */
#include "process/limits.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/os.h"
#include "config.h"
#include "process/cpus.h"

enum { SPARE_DESCRIPTORS = 64, MAX_CPUS = 1024 };

extern char **environ;

/* ---- resources ---- */

static bool set_limit(int which, rlim_t soft, rlim_t hard)
{
    struct rlimit limit = { .rlim_cur = soft, .rlim_max = hard };

    return setrlimit(which, &limit) == 0;
}

/* What worker_connections needs besides the connections themselves: files that are being sent come
 * from the cache, or are open one for a connection. */
static rlim_t descriptors_needed(const struct generation *g)
{
    return (rlim_t)events_conf(g)->worker_connections + g->listens.count + g->log_files.count +
           g->zones.count + SPARE_DESCRIPTORS;
}

static void warn_of_shortfall(rlim_t needed, rlim_t got, unsigned ordinal)
{
    if (got < needed && ordinal == 0)
        log_note(LOG_LEVEL_WARN, 0,
                 "worker_connections need %llu descriptors, and a worker may open %llu: raise the "
                 "limit (LimitNOFILE= of the service, worker_rlimit_nofile) or lower "
                 "worker_connections",
                 (unsigned long long)needed, (unsigned long long)got);
}

static void raise_descriptors(const struct generation *g, unsigned ordinal)
{
    rlim_t needed = descriptors_needed(g);
    struct rlimit now;

    if (getrlimit(RLIMIT_NOFILE, &now) != 0)
        return;
    if (now.rlim_cur < needed && !set_limit(RLIMIT_NOFILE, needed, needed > now.rlim_max
                                                                       ? needed : now.rlim_max))
        set_limit(RLIMIT_NOFILE, needed < now.rlim_max ? needed : now.rlim_max, now.rlim_max);
    if (getrlimit(RLIMIT_NOFILE, &now) == 0)
        warn_of_shortfall(needed, now.rlim_cur, ordinal);
}

static void set_descriptors(const struct process_conf *conf, const struct generation *g,
                            unsigned ordinal)
{
    rlim_t wanted = (rlim_t)conf->rlimit_nofile.value;

    if (!conf->rlimit_nofile.set)
        raise_descriptors(g, ordinal);
    else if (set_limit(RLIMIT_NOFILE, wanted, wanted))
        warn_of_shortfall(descriptors_needed(g), wanted, ordinal);
    else
        log_note(LOG_LEVEL_ALERT, errno, "setrlimit(RLIMIT_NOFILE, %llu) failed",
                 (unsigned long long)wanted);
}

void limits_make_room(unsigned descriptors)
{
    struct rlimit now;

    if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur < descriptors)
        set_limit(RLIMIT_NOFILE, now.rlim_max < descriptors ? now.rlim_max : descriptors,
                  now.rlim_max);
}

static void set_core_size(const struct process_conf *conf)
{
    rlim_t size = (rlim_t)conf->rlimit_core.value;

    if (conf->rlimit_core.set && !set_limit(RLIMIT_CORE, size, size))
        log_note(LOG_LEVEL_ALERT, errno, "setrlimit(RLIMIT_CORE, %llu) failed",
                 (unsigned long long)size);
}

/* ---- processors ---- */

/* The n-th processor of those allowed, counted round. */
static void choose_one(bool *set, unsigned n)
{
    unsigned allowed = 0, at = 0;

    for (unsigned i = 0; i < MAX_CPUS; i++)
        allowed += set[i];
    if (allowed == 0)
        return;
    for (unsigned i = 0; i < MAX_CPUS; i++) {
        if (set[i])
            set[i] = at++ == n % allowed;
    }
}

/* The last digit is CPU 0. */
static void read_mask(struct str mask, bool *set)
{
    for (unsigned i = 0; i < MAX_CPUS; i++)
        set[i] = i < mask.len && mask.data[mask.len - 1 - i] == '1';
}

static void set_processors(const struct affinity *a, unsigned ordinal)
{
    bool set[MAX_CPUS];

    if (!a->automatic && a->count == 0)
        return;
    if (a->count)
        read_mask(a->masks[ordinal < a->count ? ordinal : a->count - 1], set);
    else if (!os_get_affinity(set, MAX_CPUS))
        return;
    if (a->automatic)
        choose_one(set, ordinal);
    if (!os_set_affinity(set, MAX_CPUS))
        log_note(LOG_LEVEL_ALERT, errno, "worker_cpu_affinity could not be set");
}

unsigned limits_workers(const struct process_conf *conf)
{
    return conf->worker_processes ? conf->worker_processes : cpus_available();
}

/* ---- user ---- */

bool limits_find_user(const struct process_conf *conf, struct worker_user *found)
{
    const struct passwd *user;
    const struct group *group;

    *found = conf->user;
    if (geteuid() != 0 || found->name.len)
        return true;
    found->name = STR(WEIR_USER);
    found->group = STR(WEIR_GROUP);
    user = getpwnam(WEIR_USER);
    group = getgrnam(WEIR_GROUP);
    if (!user || !group) {
        log_note(LOG_LEVEL_EMERG, 0, "there is no %s \"%s\": name one with the directive \"user\"",
                 user ? "group" : "user", user ? WEIR_GROUP : WEIR_USER);
        return false;
    }
    found->uid = user->pw_uid;
    found->gid = group->gr_gid;
    return true;
}

static bool failed(const char *what)
{
    log_note(LOG_LEVEL_EMERG, errno, "%s failed", what);
    return false;
}

static bool become_user(const struct process_conf *conf, bool transparent)
{
    struct worker_user user;

    if (geteuid() != 0)
        return true;
    if (!limits_find_user(conf, &user))
        return false;
    if (setgid(user.gid) != 0)
        return failed("setgid()");
    if (initgroups(user.name.data, user.gid) != 0)
        return failed("initgroups()");
    if (transparent && user.uid != 0 && !os_keep_rights())
        return failed("keeping rights");
    if (setuid(user.uid) != 0)
        return failed("setuid()");
    if (user.uid != 0 && setuid(0) == 0) {
        log_note(LOG_LEVEL_EMERG, 0, "the rights of root could not be given up");
        return false;
    }
    if (transparent && user.uid != 0 && !os_reduce_rights())
        log_note(LOG_LEVEL_ALERT, errno, "the right to bind to foreign addresses could not be kept");
    return true;
}

/* ---- all of it ---- */

bool limits_enter(const struct process_conf *conf, const struct generation *g, unsigned ordinal)
{
    if (conf->priority && setpriority(PRIO_PROCESS, 0, conf->priority) != 0)
        log_note(LOG_LEVEL_ALERT, errno, "setpriority(%d) failed", conf->priority);
    set_descriptors(conf, g, ordinal);
    set_core_size(conf);
    set_processors(&conf->affinity, ordinal);
    if (!become_user(conf, g->transparent))
        return false;
    os_allow_core_dumps();
    os_no_new_rights();
    if (conf->working_directory.len && chdir(conf->working_directory.data) != 0) {
        log_note(LOG_LEVEL_ALERT, errno, "chdir(\"%.*s\") failed",
                 STR_ARG(conf->working_directory));
        return false;
    }
    limits_set_environment(conf);
    return true;
}

void limits_change(const struct generation *g, unsigned ordinal)
{
    set_descriptors(process_conf(g), g, ordinal);
}

static bool same_list(const struct str *a, unsigned a_count, const struct str *b, unsigned b_count)
{
    if (a_count != b_count)
        return false;
    for (unsigned i = 0; i < a_count; i++) {
        if (!str_eq(a[i], b[i]))
            return false;
    }
    return true;
}

static bool same_affinity(const struct affinity *a, const struct affinity *b)
{
    return a->automatic == b->automatic && same_list(a->masks, a->count, b->masks, b->count);
}

static bool same_user(const struct worker_user *a, const struct worker_user *b)
{
    return str_eq(a->name, b->name) && str_eq(a->group, b->group) && a->uid == b->uid &&
           a->gid == b->gid;
}

/* A process without rights can lower its limits, and never raise them again. */
static bool is_raised(const struct rlimit_value *from, const struct rlimit_value *to)
{
    return to->set && (!from->set || to->value > from->value);
}

bool limits_need_new_workers(const struct generation *old_generation,
                             const struct generation *new_generation)
{
    const struct process_conf *a = process_conf(old_generation), *b = process_conf(new_generation);

    return !same_user(&a->user, &b->user) || !same_affinity(&a->affinity, &b->affinity) ||
           !same_list(a->env.items, a->env.count, b->env.items, b->env.count) ||
           !same_list(a->modules.items, a->modules.count, b->modules.items, b->modules.count) ||
           !str_eq(a->working_directory, b->working_directory) || a->priority != b->priority ||
           is_raised(&a->rlimit_nofile, &b->rlimit_nofile) ||
           (new_generation->transparent && !old_generation->transparent) ||
           a->rlimit_core.set != b->rlimit_core.set ||
           a->rlimit_core.value != b->rlimit_core.value ||
           !str_eq(events_conf(old_generation)->use, events_conf(new_generation)->use);
}

/* ---- environment ---- */

/* "NAME=value" of a line of `env`, from the environment where it gives none; NULL: it is not set. */
static char *variable(struct str line)
{
    struct str rest = line, name = str_split(&rest, '=');
    const char *value;
    struct out o;
    char *text;
    size_t size;

    if (rest.data)
        return strndup(line.data, line.len);
    value = getenv(name.data);
    if (!value)
        return NULL;
    size = name.len + strlen(value) + 2;
    text = malloc(size);
    if (!text)
        return NULL;
    o = out_fixed(text, size);
    out_printf(&o, "%.*s=%s", STR_ARG(name), value);
    out_char(&o, '\0');
    return text;
}

void limits_set_environment(const struct process_conf *conf)
{
    static char *empty[1], **list;
    unsigned count = 0;
    bool zone = false;

    list = calloc(conf->env.count + 2, sizeof *list);
    if (!list) {
        environ = empty;
        return;
    }
    for (unsigned i = 0; i < conf->env.count; i++) {
        struct str line = conf->env.items[i];

        zone |= str_eq(line, STR("TZ")) || str_starts(line, STR("TZ="));
        list[count] = variable(line);
        count += list[count] != NULL;
    }
    if (!zone) {
        list[count] = variable(STR("TZ"));
        count += list[count] != NULL;
    }
    environ = list;
}

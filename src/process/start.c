/*
 * start: see start.h.
 */
#include "process/start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "event/loop.h"
#include "process/inherit.h"
#include "process/limits.h"
#include "process/live.h"
#include "process/load.h"
#include "process/master.h"
#include "process/notify.h"
#include "process/pidfile.h"
#include "process/renewal.h"
#include "process/shared.h"
#include "process/signals.h"
#include "process/single.h"
#include "process/sockets.h"
#include "base/zone.h"

enum { MASTER_DESCRIPTORS = 4096 };

static struct generation *read_configuration(const struct options *o, struct diag *d)
{
    struct loaded l = load_read(o, d);

    diag_print(d, stderr, isatty(STDERR_FILENO));
    if (l.generation)
        renewal_watch(l.tree, l.generation);
    else
        load_free(&l);
    return l.generation;
}

static bool share_memory(void)
{
    if (!shared_init() || zone_reserve() == 0) {
        log_note(LOG_LEVEL_EMERG, errno, "mmap() failed");
        return false;
    }
    return true;
}

/* The parent ends once the child is on its own. */
static bool go_into_background(void)
{
    int nothing;

    fflush(NULL);
    switch (fork()) {
    case -1:
        log_note(LOG_LEVEL_EMERG, errno, "fork() failed");
        return false;
    case 0:
        break;
    default:
        _exit(0);
    }
    log_after_fork();
    setsid();
    nothing = open("/dev/null", O_RDWR);
    if (nothing < 0) {
        log_note(LOG_LEVEL_EMERG, errno, "open(\"/dev/null\") failed");
        return false;
    }
    dup2(nothing, STDIN_FILENO);
    dup2(nothing, STDOUT_FILENO);
    if (nothing > STDERR_FILENO)
        close(nothing);
    return true;
}

/* Until everything is open, messages go to the terminal as well as to the log of `g`. */
static struct log *log_of_start(struct generation *g)
{
    static struct log_file terminal = { .fd = STDERR_FILENO, .bare = true };
    const struct log *main = main_log(g);
    struct log *both = ARENA_NEW(&g->arena, struct log);

    both->targets = ARENA_NEW_ARRAY(&g->arena, struct log_target, main->count + 1);
    both->targets[0] = (struct log_target){ .level = LOG_LEVEL_WARN, .file = &terminal };
    both->count = 1;
    both->level = LOG_LEVEL_WARN;
    for (unsigned i = 0; i < main->count; i++) {
        const struct log_target *t = &main->targets[i];

        if (t->file && t->file->fd == STDERR_FILENO)
            continue;
        both->targets[both->count++] = *t;
        if (t->level > both->level)
            both->level = t->level;
    }
    return both;
}

/* What was shown before the configuration was known goes to its log as well. */
static void log_warnings(const struct diag *d, const struct log *log)
{
    for (unsigned i = 0; i < log->count; i++) {
        if (log->targets[i].file && log->targets[i].file->fd == STDERR_FILENO)
            return;
    }
    diag_log(d, log);
}

static bool open_all(const struct options *o, struct generation *g)
{
    struct worker_user user;
    unsigned workers = process_conf(g)->master_process ? limits_workers(process_conf(g)) : 1;

    log_process = log_of_start(g);
    if (!limits_find_user(process_conf(g), &user) || !load_open(g, workers, true))
        return false;
    inherit_close_rest();
    return o->text.data || process_conf(g)->daemon || pidfile_write(process_conf(g)->pid);
}

static int run(const struct options *o, struct generation *g, bool background)
{
    if (!loop_init(NULL, MASTER_DESCRIPTORS)) {
        log_note(LOG_LEVEL_EMERG, errno, "the event loop could not be started");
        return 1;
    }
    signals_init();
    return process_conf(g)->master_process ? master_run(o, g, background) : single_run(o, g);
}

/* A process in the background has another id: its file is written when it is there. */
static bool enter_background(const struct generation *g)
{
    if (!inherit_upgraded() && !go_into_background())
        return false;
    if (!pidfile_write(process_conf(g)->pid))
        return false;
    live_point_stderr(log_process);
    return true;
}

int start_server(const struct options *o)
{
    struct generation *g;
    struct diag d;

    clock_update();
    signals_block();
    inherit_init();
    notify_init();
    diag_init(&d);
    g = read_configuration(o, &d);
    if (!g || !share_memory() || !open_all(o, g))
        return 1;
    log_warnings(&d, main_log(g));
    diag_fini(&d);
    if (process_conf(g)->daemon && !enter_background(g))
        return 1;
    load_commit(g, process_conf(g)->master_process ? limits_workers(process_conf(g)) : 1);
    return run(o, g, process_conf(g)->daemon);
}

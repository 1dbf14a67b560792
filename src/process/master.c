/*
 * master: see master.h.  It serves nothing, and waits in the same loop as a worker: for signals,
 * answers of workers, and timers.
 */
#include "process/master.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/os.h"
#include "config/bundle.h"
#include "event/loop.h"
#include "event/timer.h"
#include "process/children.h"
#include "process/dynamic.h"
#include "process/inherit.h"
#include "process/limits.h"
#include "process/live.h"
#include "process/load.h"
#include "process/notify.h"
#include "process/pidfile.h"
#include "process/renewal.h"
#include "process/signals.h"
#include "process/sockets.h"
#include "process/upgrade.h"
#include "process/zones.h"

enum {
    KILL_AFTER_MS = 1000,              /* TERM was not enough */
    SPARE_CHUNKS = 16,
};

enum phase {
    RUNNING,
    RETIRED,                           /* WINCH: no workers, another binary serves */
    QUITTING,
    TERMINATING,
};

static enum phase phase;
static const struct options *options;
static struct generation *current;
static bool in_background;
static pid_t new_binary, first_parent;
static struct timer kill_timer, alive_timer;

/* ---- what workers report ---- */

static void on_settled(void)
{
    char text[128];
    struct out o = out_fixed(text, sizeof text);

    out_printf(&o, "serving with %u workers, configuration %u", children_running(),
               current->number);
    out_char(&o, '\0');
    if (phase == RUNNING)
        notify_ready(text);
    log_note(LOG_LEVEL_NOTICE, 0, "configuration %u is in use", current->number);
}

static void on_swept(void)
{
    unsigned workers = children_oldest();

    zones_sweep(workers < current->number ? workers : current->number);
}

/* ---- reload ---- */

static int pack(const struct loaded *l)
{
    struct bundle b = {
        .tree = l->tree,
        .prefix = options->prefix,
        .conf_prefix = options->conf_prefix,
    };

    b.files.items = l->generation->files.items;
    b.files.count = l->generation->files.count;
    int fd = bundle_pack(&b);

    if (fd < 0)
        log_note(LOG_LEVEL_ALERT, errno, "the configuration could not be packed for the workers");
    return fd;
}

static bool keep_pid_path(const struct generation *g)
{
    struct str old = process_conf(current)->pid, new = process_conf(g)->pid;

    return str_eq(old, new) || pidfile_write(new);
}

static void hand_over(struct generation *g, int bundle)
{
    unsigned workers = limits_workers(process_conf(g));
    struct generation *old = current;
    bool fresh = limits_need_new_workers(old, g);

    load_commit(g, workers);
    current = g;
    if (in_background)
        live_point_stderr(log_process);
    generation_unref(old);             /* first: a worker that is born now need not inherit it */
    if (fresh)
        children_replace(g, workers);
    else
        children_adopt(g, workers, bundle);
    on_swept();
}

/* false (logged): nothing has changed, and the generation is still the caller's. */
static bool take_over(struct loaded *l)
{
    struct worker_user user;
    bool done = false;
    int bundle = -1;

    if (l->generation && limits_find_user(process_conf(l->generation), &user) &&
        load_open(l->generation, limits_workers(process_conf(l->generation)), false)) {
        bundle = pack(l);
        done = bundle >= 0 && keep_pid_path(l->generation);
        if (!done)
            load_rollback();
    }
    if (done)
        hand_over(l->generation, bundle);
    else if (l->generation)
        dynamic_restore();
    if (bundle >= 0)
        close(bundle);
    return done;
}

/* false (logged): nothing has changed. */
static bool try_reload(void)
{
    struct loaded l;
    struct diag d;

    diag_init(&d);
    l = load_read(options, &d);
    diag_log(&d, log_process);
    bool done = take_over(&l);
    if (done) {
        renewal_watch(l.tree, l.generation);
        l = (struct loaded){ 0 };
    }
    load_free(&l);
    diag_fini(&d);
    chunk_trim(SPARE_CHUNKS);
    return done;
}

static bool renew(struct loaded *l)
{
    bool done = take_over(l);

    chunk_trim(SPARE_CHUNKS);
    return done;
}

static void reload(void)
{
    log_note(LOG_LEVEL_NOTICE, 0, "reconfiguring");
    notify_reloading();
    if (try_reload())
        return;
    log_note(LOG_LEVEL_ERROR, 0, "the new configuration is not used, the former one stays in use");
    notify_ready("reload failed, see the error log; the former configuration is in use");
}

/* ---- orders ---- */

static void reopen(void)
{
    log_note(LOG_LEVEL_NOTICE, 0, "reopening logs");
    live_open_logs(current);
    if (in_background)
        live_point_stderr(log_process);
    children_reopen(current);
}

/* The service ends, or goes on in the new binary. */
static void tell_manager_of_end(void)
{
    if (new_binary)
        notify_main_pid(new_binary);
    else
        notify_stopping();
}

static void terminate(void)
{
    phase = TERMINATING;
    renewal_end();
    tell_manager_of_end();
    children_stop_respawning();
    children_signal(SIGTERM);
    timer_set(&kill_timer, KILL_AFTER_MS);
}

static void quit(void)
{
    phase = QUITTING;
    renewal_end();
    tell_manager_of_end();
    children_stop_respawning();
    children_quit();
    sockets_close_all(new_binary == 0);
}

/* The workers go, the master stays, and can bring them back: for the time of an upgrade. */
static void retire(void)
{
    phase = RETIRED;
    renewal_end();
    children_stop_respawning();
    children_quit();
}

static void come_back(void)
{
    phase = RUNNING;
    children_start(current, limits_workers(process_conf(current)));
    renewal_begin(options, renew);
}

static void upgrade(void)
{
    pid_t pid;

    if (new_binary || (inherit_upgraded() && getppid() == first_parent)) {
        log_note(LOG_LEVEL_NOTICE, 0,
                 "an upgrade is under way: end the old or the new process first");
        return;
    }
    pid = upgrade_start(options);
    if (pid > 0)
        new_binary = pid;
}

static void new_binary_ended(int status)
{
    log_note(LOG_LEVEL_NOTICE, 0, "new binary process %d exited with code %d", (int)new_binary,
             WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    new_binary = 0;
    pidfile_take_back();
    if (phase == RETIRED)
        come_back();
}

static void reap(void)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == new_binary)
            new_binary_ended(status);
        else
            children_ended(pid, status);
    }
}

static void obey(unsigned orders)
{
    if (orders & ORDER_REAP)
        reap();
    if (phase == TERMINATING)
        return;
    if (orders & ORDER_TERMINATE)
        terminate();
    else if ((orders & ORDER_QUIT) && phase != QUITTING)
        quit();
    if (phase >= QUITTING)
        return;
    if (orders & ORDER_RELOAD) {
        if (phase == RETIRED)
            come_back();
        else
            reload();
    }
    if (orders & ORDER_REOPEN)
        reopen();
    if (orders & ORDER_UPGRADE)
        upgrade();
    if ((orders & ORDER_RETIRE) && in_background)
        retire();
}

/* ---- life ---- */

static void on_kill_timer(struct timer *t)
{
    (void)t;
    children_signal(SIGKILL);
}

static void on_alive_timer(struct timer *t)
{
    notify_alive();
    timer_set(t, notify_interval());
}

static void set_title(const struct options *o)
{
    char space[1024];
    struct out title = out_fixed(space, sizeof space - 1);

    OUT_LITERAL(&title, "weir: master process");
    for (char **word = o->argv; *word; word++) {
        out_char(&title, ' ');
        out_str(&title, str_of(*word));
    }
    *title.at = '\0';
    os_set_title(space);
}

int master_run(const struct options *o, struct generation *g, bool background)
{
    options = o;
    current = g;
    first_parent = getppid();
    in_background = background;
    timer_init(&kill_timer, on_kill_timer);
    timer_init(&alive_timer, on_alive_timer);
    set_title(o);
    children_init(on_settled, on_swept);
    if (notify_interval())
        timer_set(&alive_timer, notify_interval());
    renewal_begin(options, renew);
    children_start(g, limits_workers(process_conf(g)));
    while (phase < QUITTING || children_running()) {
        loop_turn(-1);
        obey(signals_take());
    }
    pidfile_remove();
    sockets_close_all(new_binary == 0);
    log_note(LOG_LEVEL_NOTICE, 0, "exit");
    renewal_forget();
    generation_unref(current);
    return 0;
}

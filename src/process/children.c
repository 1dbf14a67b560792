/*
 * children: see children.h.
 */
#include "process/children.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "base/log.h"
#include "event/timer.h"
#include "process/packet.h"
#include "process/shared.h"
#include "process/worker.h"

enum {
    FIRST_DELAY_MS = 100,              /* before a worker that keeps dying is started again */
    MAX_DELAY_MS = 5000,
    LIVED_MS = 5000,                   /* it did not die of its start */
};

enum child_state {
    CHILD_STARTING,                    /* has not answered yet */
    CHILD_SERVING,
    CHILD_QUITTING,                    /* was asked to end, nobody takes its place */
    CHILD_WAITING,                     /* dead, started again when the timer is up */
};

struct child {
    struct list link;
    enum child_state state;
    pid_t pid;
    unsigned ordinal, slot;
    struct channel channel;
    unsigned sent, ready;              /* generations: the newest it was given, and serves */
    unsigned oldest;                   /* that it holds */
    uint64_t started_ms;
    unsigned quick_deaths;             /* one after the other */
    struct timer respawn;
    struct child *replaces;            /* quits when this one serves */
};

static struct list children = { &children, &children };
static struct generation *newest;      /* what new workers serve */
static bool respawning;
static void (*on_settled)(void), (*on_swept)(void);

static struct child *child_at(struct list *node)
{
    return CONTAINER(node, struct child, link);
}

void children_init(void (*settled)(void), void (*swept)(void))
{
    on_settled = settled;
    on_swept = swept;
}

/* ---- starting ---- */

static struct child *child_new(unsigned ordinal);
static bool spawn(struct child *c);

static void free_child(struct child *c)
{
    LIST_EACH(node, &children) {
        if (child_at(node)->replaces == c)
            child_at(node)->replaces = NULL;
    }
    timer_cancel(&c->respawn);
    channel_fini(&c->channel);
    list_remove(&c->link);
    free(c);
}

static void on_respawn(struct timer *t)
{
    struct child *c = CONTAINER(t, struct child, respawn);

    if (respawning)
        spawn(c);
    else
        free_child(c);
}

static struct child *child_new(unsigned ordinal)
{
    struct child *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->state = CHILD_WAITING;
    c->ordinal = ordinal;
    c->channel.watch.fd = -1;
    timer_init(&c->respawn, on_respawn);
    list_push(&children, &c->link);
    return c;
}

static void start_later(struct child *c)
{
    unsigned delay = (unsigned)FIRST_DELAY_MS << (c->quick_deaths < 6 ? c->quick_deaths : 6);

    c->state = CHILD_WAITING;
    c->quick_deaths++;
    timer_set(&c->respawn, delay < MAX_DELAY_MS ? delay : MAX_DELAY_MS);
}

/* The channels of its brothers are not a worker's affair. */
_Noreturn static void become_worker(const struct child *own, int channel)
{
    struct worker_start start = { newest, own->ordinal, own->slot, channel };

    LIST_EACH(node, &children) {
        if (child_at(node)->channel.watch.fd >= 0)
            close(child_at(node)->channel.watch.fd);
    }
    worker_main(&start);
}

static void on_message(struct channel *channel, struct message *m);

static void on_end(struct channel *channel)
{
    channel_fini(channel);             /* SIGCHLD says the rest */
}

/* Signals wait until the child has its own handlers. */
static pid_t fork_blocked(struct child *c, const int fds[2])
{
    sigset_t all, before;
    pid_t pid;

    fflush(NULL);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0) {
        close(fds[0]);
        become_worker(c, fds[1]);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

static bool no_worker(struct child *c, const char *why)
{
    log_note(LOG_LEVEL_ALERT, errno, "%s failed: no worker process", why);
    start_later(c);
    return false;
}

static bool spawn(struct child *c)
{
    int fds[2];

    if (!channel_pair(fds))
        return no_worker(c, "socketpair()");
    c->slot = shared_take_slot();
    c->pid = c->slot < SHARED_NO_SLOT ? fork_blocked(c, fds) : -1;
    close(fds[1]);
    if (c->pid < 0) {
        close(fds[0]);
        if (c->slot < SHARED_NO_SLOT)
            shared_give_slot(c->slot);
        return no_worker(c, "fork()");
    }
    c->channel.on_message = on_message;
    c->channel.on_end = on_end;
    if (!channel_init(&c->channel, fds[0]))
        log_note(LOG_LEVEL_ALERT, errno, "the channel of worker %d cannot be watched", (int)c->pid);
    c->state = CHILD_STARTING;
    c->sent = c->oldest = newest->number;
    c->ready = 0;
    c->started_ms = clock_ms();
    log_note(LOG_LEVEL_NOTICE, 0, "start worker process %d", (int)c->pid);
    return true;
}

/* ---- ending ---- */

static bool is_running(const struct child *c)
{
    return c->state != CHILD_WAITING;
}

static void quit(struct child *c)
{
    if (!is_running(c)) {
        free_child(c);
        return;
    }
    c->state = CHILD_QUITTING;
    if (kill(c->pid, SIGQUIT) != 0)
        log_note(LOG_LEVEL_ALERT, errno, "kill(%d, SIGQUIT) failed", (int)c->pid);
}

void children_quit(void)
{
    LIST_EACH_SAFE(node, &children)
        quit(child_at(node));
}

void children_signal(int signal)
{
    LIST_EACH(node, &children) {
        if (is_running(child_at(node)))
            kill(child_at(node)->pid, signal);
    }
}

void children_stop_respawning(void)
{
    respawning = false;
}

static struct child *find(pid_t pid)
{
    LIST_EACH(node, &children) {
        if (is_running(child_at(node)) && child_at(node)->pid == pid)
            return child_at(node);
    }
    return NULL;
}

static void log_end(pid_t pid, int status)
{
    if (WIFSIGNALED(status))
        log_note(LOG_LEVEL_ALERT, 0, "worker process %d exited on signal %d%s", (int)pid,
                 WTERMSIG(status), WCOREDUMP(status) ? " (core dumped)" : "");
    else
        log_note(LOG_LEVEL_NOTICE, 0, "worker process %d exited with code %d", (int)pid,
                 WEXITSTATUS(status));
}

/* At once, where the worker has served; with growing pauses where it keeps dying. */
static void start_again(struct child *c)
{
    bool served = c->ready != 0;

    if (served && clock_ms() - c->started_ms >= LIVED_MS)
        c->quick_deaths = 0;
    if (served && c->quick_deaths == 0) {
        c->quick_deaths = 1;
        spawn(c);
    } else {
        start_later(c);
    }
}

bool children_ended(int pid, int status)
{
    struct child *c = find(pid);

    if (!c)
        return false;
    log_end(c->pid, status);
    shared_give_slot(c->slot);
    channel_fini(&c->channel);
    if (c->state == CHILD_QUITTING || !respawning) {
        free_child(c);
    } else {
        c->state = CHILD_WAITING;
        start_again(c);
    }
    on_swept();
    return true;
}

/* ---- numbers of workers ---- */

/* The one that stands for the ordinal: neither quitting, nor about to be replaced. */
static struct child *holder(unsigned ordinal)
{
    struct child *found = NULL;

    LIST_EACH(node, &children) {
        struct child *c = child_at(node);

        if (c->ordinal == ordinal && c->state != CHILD_QUITTING && (!found || c->replaces == found))
            found = c;
    }
    return found;
}

static void add_missing(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct child *c = holder(i) ? NULL : child_new(i);

        if (c)
            spawn(c);
    }
}

static void drop_surplus(unsigned count)
{
    LIST_EACH_SAFE(node, &children) {
        struct child *c = child_at(node);

        if (c->ordinal >= count && c->state != CHILD_QUITTING)
            quit(c);
    }
}

void children_start(struct generation *g, unsigned count)
{
    newest = g;
    respawning = true;
    drop_surplus(count);
    add_missing(count);
}

static void replace(struct child *old)
{
    struct child *c = child_new(old->ordinal);

    if (!c)
        return;
    c->replaces = old;
    spawn(c);
}

void children_replace(struct generation *g, unsigned count)
{
    newest = g;
    respawning = true;
    drop_surplus(count);
    for (unsigned i = 0; i < count; i++) {
        struct child *c = holder(i);

        if (c && is_running(c))
            replace(c);
    }
    add_missing(count);
}

static bool takes_generations(const struct child *c)
{
    return c->state == CHILD_STARTING || c->state == CHILD_SERVING;
}

/* The worker goes on with what it has, until a new process has taken its place. */
static void on_failed(struct child *c, unsigned number, struct str why)
{
    log_note(LOG_LEVEL_WARN, 0, "worker process %d cannot take up what it was sent (%.*s): "
                                "a new process replaces it", (int)c->pid, STR_ARG(why));
    if (number == newest->number && takes_generations(c) && holder(c->ordinal) == c)
        replace(c);
}

void children_adopt(struct generation *g, unsigned count, int bundle)
{
    newest = g;
    respawning = true;
    drop_surplus(count);
    LIST_EACH(node, &children) {
        struct child *c = child_at(node);

        if (!takes_generations(c) || c->sent == g->number)
            continue;
        c->sent = g->number;
        if (!packet_send(&c->channel, g, bundle, c->ordinal))
            on_failed(c, g->number, STR("it could not be sent"));
    }
    add_missing(count);
}

void children_reopen(const struct generation *g)
{
    LIST_EACH(node, &children) {
        struct child *c = child_at(node);

        if (is_running(c))
            packet_send_logs(&c->channel, g);
    }
}

/* ---- answers ---- */

static bool settled(void)
{
    LIST_EACH(node, &children) {
        const struct child *c = child_at(node);

        if (c->state != CHILD_QUITTING && (c->ready != newest->number || c->replaces))
            return false;
    }
    return true;
}

static void on_ready(struct child *c, unsigned number)
{
    c->ready = number;
    if (c->state == CHILD_STARTING)
        c->state = CHILD_SERVING;
    if (c->replaces) {
        struct child *old = c->replaces;

        c->replaces = NULL;
        quit(old);
    }
    if (settled())
        on_settled();
}

static void on_message(struct channel *channel, struct message *m)
{
    struct child *c = CONTAINER(channel, struct child, channel);
    struct cursor at = cursor_of(m->payload.data, m->payload.len);
    unsigned number = cursor_u32(&at);

    if (at.bad || number == 0 || number > newest->number)
        return;
    switch (m->type) {
    case MESSAGE_READY:
        on_ready(c, number);
        break;
    case MESSAGE_FAILED:
        on_failed(c, number, cursor_str(&at, cursor_left(&at)));
        break;
    case MESSAGE_OLDEST:
        c->oldest = number;
        on_swept();
        break;
    default:
        break;
    }
}

/* ---- questions ---- */

unsigned children_running(void)
{
    unsigned running = 0;

    LIST_EACH(node, &children)
        running += is_running(child_at(node));
    return running;
}

unsigned children_oldest(void)
{
    unsigned oldest = UINT_MAX;

    LIST_EACH(node, &children) {
        const struct child *c = child_at(node);

        if (is_running(c) && c->oldest < oldest)
            oldest = c->oldest;
    }
    return oldest;
}

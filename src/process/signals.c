/*
 * signals: see signals.h.  A handler does no more than note the signal and wake the loop.
 */
#include "process/signals.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

#include "event/loop.h"

static const struct {
    int signal;
    enum order order;
    bool worker;                       /* means something to a worker, too */
    const char *name;                  /* of -s */
} table[] = {
    { SIGTERM, ORDER_TERMINATE, true, "stop" },
    { SIGINT, ORDER_TERMINATE, true, NULL },
    { SIGQUIT, ORDER_QUIT, true, "quit" },
    { SIGHUP, ORDER_RELOAD, false, "reload" },
    { SIGUSR1, ORDER_REOPEN, false, "reopen" },
    { SIGUSR2, ORDER_UPGRADE, false, NULL },
    { SIGWINCH, ORDER_RETIRE, false, NULL },
    { SIGCHLD, ORDER_REAP, false, NULL },
};

enum { SIGNALS = sizeof table / sizeof *table };

static volatile sig_atomic_t came[SIGNALS];

static void on_signal(int signal)
{
    for (unsigned i = 0; i < SIGNALS; i++) {
        if (table[i].signal == signal)
            came[i] = 1;
    }
    loop_wake();
}

static void handle(int signal, void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, NULL);
}

static void unblock(void)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void signals_block(void)
{
    sigset_t own;

    sigemptyset(&own);
    for (unsigned i = 0; i < SIGNALS; i++)
        sigaddset(&own, table[i].signal);
    sigprocmask(SIG_BLOCK, &own, NULL);
}

void signals_init(void)
{
    for (unsigned i = 0; i < SIGNALS; i++)
        handle(table[i].signal, on_signal);
    handle(SIGPIPE, SIG_IGN);
    unblock();
}

void signals_init_worker(void)
{
    for (unsigned i = 0; i < SIGNALS; i++) {
        came[i] = 0;
        handle(table[i].signal, table[i].worker ? on_signal : SIG_IGN);
    }
    handle(SIGCHLD, SIG_DFL);
    unblock();
}

void signals_reset(void)
{
    for (unsigned i = 0; i < SIGNALS; i++)
        handle(table[i].signal, SIG_DFL);
    handle(SIGPIPE, SIG_DFL);
    unblock();
}

unsigned signals_take(void)
{
    unsigned orders = 0;

    for (unsigned i = 0; i < SIGNALS; i++) {
        if (came[i]) {
            came[i] = 0;
            orders |= table[i].order;
        }
    }
    return orders;
}

int signals_named(const char *name)
{
    for (unsigned i = 0; i < SIGNALS; i++) {
        if (table[i].name && strcmp(table[i].name, name) == 0)
            return table[i].signal;
    }
    return 0;
}

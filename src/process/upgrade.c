/*
 * upgrade: see upgrade.h.  The sockets' numbers go by the variable NGINX, as nginx does it, so that
 * either program can take over from the other.
 */
#include "process/upgrade.h"

#include <errno.h>
#include <stdlib.h>
#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "base/out.h"
#include "process/pidfile.h"
#include "process/signals.h"
#include "process/sockets.h"

_Noreturn static void run(const struct options *o)
{
    struct arena arena;
    struct out numbers;

    arena_init(&arena);
    numbers = out_growing(&arena, 1 << 20);
    sockets_put_numbers(&numbers);
    out_char(&numbers, '\0');
    signals_reset();
    if (!numbers.overflow && setenv("NGINX", numbers.start, 1) == 0)
        execvp(o->argv[0], o->argv);
    log_note(LOG_LEVEL_ALERT, errno, "execve() failed while executing new binary process \"%s\"",
             o->argv[0]);
    _exit(1);
}

pid_t upgrade_start(const struct options *o)
{
    sigset_t all, before;
    pid_t pid;

    if (!pidfile_set_aside())
        return -1;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0) {
        log_after_fork();
        run(o);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (pid < 0) {
        log_note(LOG_LEVEL_ALERT, errno, "fork() failed: no new binary");
        pidfile_take_back();
        return -1;
    }
    log_note(LOG_LEVEL_NOTICE, 0, "start new binary process %d", (int)pid);
    return pid;
}

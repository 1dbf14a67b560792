/*
 * signals: what people and systems tell a process by signals, as bits that the main loop takes.
 */
#ifndef PROCESS_SIGNALS_H
#define PROCESS_SIGNALS_H

#include <stdbool.h>

enum order {
    ORDER_TERMINATE = 1,   /* TERM, INT: now */
    ORDER_QUIT = 2,        /* QUIT: when requests are done */
    ORDER_RELOAD = 4,      /* HUP */
    ORDER_REOPEN = 8,      /* USR1: log files */
    ORDER_UPGRADE = 16,    /* USR2: a new binary */
    ORDER_RETIRE = 32,     /* WINCH: workers quit, the master stays */
    ORDER_REAP = 64,       /* CHLD */
};

/* Signals wait from here on, until a handler can take them. */
void signals_block(void);
/* The loop must run: a signal wakes it.  Those that waited come now. */
void signals_init(void);
/* In a worker, born with signals blocked: only TERM, INT and QUIT mean something. */
void signals_init_worker(void);
/* Orders since the last call. */
unsigned signals_take(void);
/* Between fork and exec of another program: everything as the system has it. */
void signals_reset(void);
/* The signal of `weir -s NAME`; 0: there is none of that name. */
int signals_named(const char *name);

#endif

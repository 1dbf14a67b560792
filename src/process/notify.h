/*
 * notify: what a service manager is told (the sd_notify protocol: datagrams to $NOTIFY_SOCKET).
 * Without a manager all of this does nothing.
 */
#ifndef PROCESS_NOTIFY_H
#define PROCESS_NOTIFY_H

#include <stdint.h>
#include <sys/types.h>

/* Reads the environment; before the first fork. */
void notify_init(void);
/* Serving, with a line for people. */
void notify_ready(const char *status);
/* A new configuration is being read; notify_ready() ends it. */
void notify_reloading(void);
void notify_stopping(void);
void notify_status(const char *status);
/* Another process is the master from now on. */
void notify_main_pid(pid_t pid);
/* How often notify_alive() must be called, in ms: half of what the manager waits for; 0: never. */
uint64_t notify_interval(void);
void notify_alive(void);

#endif

/*
 * inherit: listening sockets that were open when the process began: from the binary before this one
 * (variable NGINX, "7;8;", as nginx hands them on) or from systemd (LISTEN_FDS).
 */
#ifndef PROCESS_INHERIT_H
#define PROCESS_INHERIT_H

#include "net/address.h"

/* Reads the environment, and takes the variables out of it; before any fork. */
void inherit_init(void);
/* Whether a former binary handed its sockets on. */
bool inherit_upgraded(void);
/* A socket of that address and type, each only once; -1: there is none. */
int inherit_take(const struct address *address, int type);
/* Closes those that nobody took. */
void inherit_close_rest(void);

#endif

/*
 * split_clients: a variable whose value is chosen by the hash of a text, in given shares.  One engine
 * for http and stream.
 */
#ifndef SCRIPT_SPLIT_CLIENTS_H
#define SCRIPT_SPLIT_CLIENTS_H

#include "config/directive.h"

extern struct module http_split_clients_module, stream_split_clients_module;

#endif

/*
 * cli: what the command line can ask for besides serving.  Each gives the exit code.
 */
#ifndef PROCESS_CLI_H
#define PROCESS_CLI_H

#include "process/options.h"

/* -t and -T. */
int cli_test(const struct options *o);
/* -s: tells the running master. */
int cli_signal(const struct options *o);
/* weir help [NAME | --list | --man | --html | --completion] */
int cli_help(int argc, char **argv);
/* weir dump [options] */
int cli_dump(const struct options *o);
/* weir explain [options] [-X METHOD] [-H 'Name: value'] [--from ADDRESS] [--json] URL */
int cli_explain(int argc, char **argv);
/* weir serve [DIRECTORY] [-l ADDRESS:PORT] [--print] */
int cli_serve(struct options *o, int argc, char **argv);

#endif

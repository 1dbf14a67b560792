/*
 * main: which of the program's doings the command line asks for.
 */
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "weir_modules.h"
#include "process/cli.h"
#include "process/dynamic.h"
#include "process/options.h"
#include "process/start.h"

static int obey(const struct options *o)
{
    if (o->help) {
        options_help();
        return 0;
    }
    if (o->version)
        options_version(o->build);
    if (o->version && !o->test)
        return 0;
    if (o->test)
        return cli_test(o);
    return o->signal ? cli_signal(o) : start_server(o);
}

static int run_options(int argc, char **argv, int (*run)(const struct options *o))
{
    struct options o;
    int code = options_read(&o, argc, argv) ? run(&o) : 1;

    options_fini(&o);
    return code;
}

static int run_serve(int argc, char **argv)
{
    struct options o;
    int code;

    options_init(&o, argv);
    code = cli_serve(&o, argc - 2, argv + 2);
    options_fini(&o);
    return code;
}

int main(int argc, char **argv)
{
    os_title_init(argc, argv);
    dynamic_init(weir_modules);
    if (argc > 1 && strcmp(argv[1], "help") == 0)
        return cli_help(argc - 2, argv + 2);
    if (argc > 1 && strcmp(argv[1], "dump") == 0)
        return run_options(argc - 1, argv + 1, cli_dump);
    if (argc > 1 && strcmp(argv[1], "explain") == 0)
        return cli_explain(argc - 2, argv + 2);
    if (argc > 1 && strcmp(argv[1], "serve") == 0)
        return run_serve(argc, argv);
    return run_options(argc, argv, obey);
}

/*
 * main: which of the program's doings the command line asks for.
 */
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "modules.h"
#include "process/cli.h"
#include "process/dynamic.h"
#include "process/options.h"
#include "process/start.h"

static int run_options(int argc, char **argv)
{
    struct options o;

    if (!options_read(&o, argc, argv))
        return 1;
    if (o.help) {
        options_help();
        return 0;
    }
    if (o.version) {
        options_version(o.build);
        if (!o.test)
            return 0;
    }
    if (o.test)
        return cli_test(&o);
    if (o.signal)
        return cli_signal(&o);
    return start_server(&o);
}

static int run_dump(int argc, char **argv)
{
    struct options o;

    return options_read(&o, argc - 1, argv + 1) ? cli_dump(&o) : 1;
}

static int run_serve(int argc, char **argv)
{
    struct options o;

    options_init(&o, argv);
    return cli_serve(&o, argc - 2, argv + 2);
}

int main(int argc, char **argv)
{
    os_title_init(argc, argv);
    dynamic_init(weir_modules);
    if (argc > 1 && strcmp(argv[1], "help") == 0)
        return cli_help(argc - 2, argv + 2);
    if (argc > 1 && strcmp(argv[1], "dump") == 0)
        return run_dump(argc, argv);
    if (argc > 1 && strcmp(argv[1], "serve") == 0)
        return run_serve(argc, argv);
    return run_options(argc, argv);
}

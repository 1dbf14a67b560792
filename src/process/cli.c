/*
 * cli: testing and showing a configuration, help, and signals to a running master.
 */
#include "process/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "config/reference.h"
#include "process/live.h"
#include "process/load.h"
#include "process/pidfile.h"
#include "process/process_conf.h"
#include "process/signals.h"

static struct loaded read_and_tell(const struct options *o)
{
    struct loaded l;
    struct diag d;

    diag_init(&d);
    d.advise = true;
    l = load_read(o, &d);
    diag_print(&d, stderr, isatty(STDERR_FILENO));
    diag_fini(&d);
    return l;
}

/* Every file as it was read, with its name above. */
static void dump_files(const struct tree *t)
{
    for (unsigned i = 0; i < t->files.count; i++) {
        const struct tree_file *f = &t->files.items[i];

        if (str_eq(f->path, STR("command line")))
            continue;
        printf("# configuration file %.*s:\n", STR_ARG(f->path));
        fwrite(f->text.data, 1, f->text.len, stdout);
        putchar('\n');
    }
}

static bool logs_can_be_opened(const struct generation *g)
{
    for (unsigned i = 0; i < g->log_files.count; i++) {
        const struct log_file *f = g->log_files.items[i];

        if (f->path.len && f->fd < 0)
            return false;
    }
    return true;
}

int cli_test(const struct options *o)
{
    struct loaded l = read_and_tell(o);
    bool good = l.generation != NULL;

    if (good && !o->quiet)
        fprintf(stderr, "weir: the configuration file %s syntax is ok\n", o->conf_path.data);
    if (good) {
        live_track(l.generation);
        live_open_logs(l.generation);
        good = logs_can_be_opened(l.generation);
    }
    if (!good)
        fprintf(stderr, "weir: configuration file %s test failed\n", o->conf_path.data);
    else if (!o->quiet)
        fprintf(stderr, "weir: configuration file %s test is successful\n", o->conf_path.data);
    if (good && o->dump)
        dump_files(l.tree);
    load_free(&l);
    return good ? 0 : 1;
}

int cli_dump(const struct options *o)
{
    struct loaded l = read_and_tell(o);
    int code = l.generation ? 0 : 1;

    if (l.generation)
        reference_dump(stdout, l.generation, l.tree);
    load_free(&l);
    return code;
}

/* ---- signals ---- */

static int no_pid(const char *path)
{
    int error = errno;

    fprintf(stderr, "weir: [error] open() \"%s\" failed (%d: %s)\n", path, error, strerror(error));
    if (error == ENOENT)
        fprintf(stderr, "weir: is it running? Its pid file is named by \"pid\" in the "
                        "configuration (-c, -p choose which)\n");
    return 1;
}

static int send_signal(const char *path, int signal)
{
    pid_t pid = pidfile_read(path);

    if (pid < 0 && errno)
        return no_pid(path);
    if (pid < 0) {
        fprintf(stderr, "weir: [error] invalid PID number in \"%s\"\n", path);
        return 1;
    }
    if (kill(pid, signal) == 0)
        return 0;
    fprintf(stderr, "weir: [alert] kill(%d, %d) failed (%d: %s)\n", (int)pid, signal, errno,
            strerror(errno));
    if (errno == ESRCH)
        fprintf(stderr, "weir: \"%s\" is left from a process that has died: it is not running\n",
                path);
    return 1;
}

int cli_signal(const struct options *o)
{
    struct loaded l = read_and_tell(o);
    int code = 1;

    if (l.generation)
        code = send_signal(process_conf(l.generation)->pid.data, signals_named(o->signal));
    load_free(&l);
    return code;
}

/* ---- help ---- */

static const struct {
    const char *word;
    void (*show)(FILE *f);
} references[] = {
    { "--list", reference_list },
    { "--man", reference_man },
    { "--html", reference_html },
    { "--completion", reference_completion },
};

int cli_help(int argc, char **argv)
{
    if (argc == 0) {
        options_help();
        return 0;
    }
    for (unsigned i = 0; i < sizeof references / sizeof *references; i++) {
        if (strcmp(argv[0], references[i].word) == 0) {
            references[i].show(stdout);
            return 0;
        }
    }
    return reference_help(stdout, str_of(argv[0])) ? 0 : 1;
}

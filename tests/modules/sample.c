/*
 * sample: a module for load_module, as small as one can be: a directive in main that says its text in
 * the log when the configuration is read.  Built by tests/functional/test_process.py.
 */
#include "base/log.h"
#include "config.h"
#include "config/resolve.h"
#include "config/types.h"
#include "process/module_abi.h"

struct sample_conf {
    struct str note;
};

static bool finish(struct setting *s, void *conf)
{
    const struct sample_conf *sample = conf;

    (void)s;
    if (sample->note.len)
        log_note(LOG_LEVEL_NOTICE, 0, "sample note: %.*s", STR_ARG(sample->note));
    return true;
}

static const struct directive rows[] = {
    { "sample_note", IN_MAIN, ARGS(1), .type = &type_str, FIELD(struct sample_conf, note),
      .help = "A text for the log." },
    { 0 },
};

static struct module sample_module = {
    .name = "sample_module",
    .directives = rows,
    .conf_size = sizeof(struct sample_conf),
    .finish = finish,
};

static struct module *const modules[] = { &sample_module, NULL };

const struct module_abi weir_module = {
    .version = MODULE_ABI_VERSION,
    .weir = WEIR_VERSION,
    .modules = modules,
};

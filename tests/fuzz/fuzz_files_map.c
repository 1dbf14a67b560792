/*
 * fuzz_files_map: alias.  Lines of the input: the location's name, the alias, the target of a request.
 * Whatever the three are, the mapped path never leads out of the folder that the alias names.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "config/error_log.h"
#include "http/files.h"
#include "http/location.h"
#include "http/request.h"
#include "http/v1/v1_parse.h"

static void map(struct str name, struct str alias, struct str target)
{
    static struct core_conf core;
    static struct error_log_conf error_log;
    static struct log_target none;
    static struct client client;
    static struct http_server server;
    void *conf[2] = { &core, &error_log };
    struct location location = { .kind = LOCATION_PREFIX, .name = name, .conf = conf };
    struct request r = { .conf = conf, .location = &location, .client = &client, .server = &server };
    struct v1_path path;

    arena_init(&r.arena);
    r.main = &r;
    error_log.log = (struct log){ &none, 0, LOG_LEVEL_STDERR };
    http_core_module.index = 0;
    error_log_module.index = 1;
    core.is_alias = true;
    core.alias.text = alias;
    char *space = arena_alloc(&r.arena, target.len + 1);
    if (v1_parse_path(target, true, space, &path) && str_starts(path.path, name)) {
        r.uri = path.path;
        struct str mapped = files_map_uri(&r, 0, NULL);
        if (mapped.data) {
            struct str rest = mapped;
            unsigned ups = 0;
            while (rest.data)
                ups += str_eq(str_split(&rest, '/'), STR(".."));
            assert(ups <= files_count_dots(alias));
            assert(str_starts(mapped, alias) && strlen(mapped.data) == mapped.len);
        }
    }
    arena_fini(&r.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = { (const char *)data, size };
    struct str name = str_split(&input, '\n');

    if (!input.data)
        return 0;
    struct str alias = str_split(&input, '\n');
    if (!input.data || name.len == 0 || alias.len == 0 || input.len == 0 || input.data[0] != '/')
        return 0;
    map(name, alias, input);
    return 0;
}

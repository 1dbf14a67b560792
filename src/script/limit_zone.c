/*
 * limit_zone: see limit_zone.h.
 */
#include "script/limit_zone.h"

#include "config/zone_words.h"

static bool init(struct zone *z, void *data)
{
    const struct limit_zone *l = data;

    return zone_table_init(z, l->data_size);
}

struct limit_zone *limit_zone_define(struct setting *s, unsigned word, struct str name, size_t size,
                                     const void *tag, size_t data_size)
{
    struct zone_spec *spec = zone_words_define(s, word, name, size, tag);

    if (!spec)
        return NULL;
    struct limit_zone *z = spec->data;
    if (z && z->data_size) {
        setting_error(s, word, "\"%.*s\" is already bound to key \"%.*s\"", STR_ARG(name),
                      STR_ARG(z->key.text));
        return NULL;
    }
    if (!z)
        z = ARENA_NEW(setting_arena(s), struct limit_zone);
    *z = (struct limit_zone){ .spec = spec, .name = spec->name, .data_size = data_size };
    spec->init = init;
    spec->data = z;
    return template_compile(s, 1, config_variables(s), &z->key) ? z : NULL;
}

static bool tell_undefined(struct setting *s, unsigned word, struct str name)
{
    return setting_error_hint(s, word, STR("no line defines a zone of that name for this use"),
                              "zero size shared memory zone \"%.*s\"", STR_ARG(name));
}

/* A zone without size, until its definition comes. */
static struct limit_zone *want(struct setting *s, unsigned word, struct str name, const void *tag)
{
    struct zone_spec *spec = zone_words_define(s, word, name, 0, tag);

    if (!spec)
        return NULL;
    struct limit_zone *z = ARENA_NEW(setting_arena(s), struct limit_zone);
    *z = (struct limit_zone){
        .spec = spec, .name = spec->name, .wanted = s->node, .wanted_word = word,
    };
    spec->data = z;
    return z;
}

struct limit_zone *limit_zone_find(struct setting *s, unsigned word, struct str name,
                                   const void *tag)
{
    struct generation *g = s->config->generation;

    for (unsigned i = 0; i < g->zones.count; i++) {
        struct zone_spec *spec = g->zones.items[i];
        if (spec->tag == tag && str_eq(spec->name, name))
            return spec->data;
    }
    if (s->block->context & (IN_HTTP | IN_STREAM))
        return want(s, word, name, tag);
    tell_undefined(s, word, name);
    return NULL;
}

bool limit_zone_all_defined(struct setting *s, const void *tag)
{
    struct generation *g = s->config->generation;
    bool good = true;

    for (unsigned i = 0; i < g->zones.count; i++) {
        struct limit_zone *z = g->zones.items[i]->data;
        if (g->zones.items[i]->tag != tag || !z->wanted)
            continue;
        struct setting place = *s;
        place.node = z->wanted;
        good = tell_undefined(&place, z->wanted_word, z->name);
        z->wanted = NULL;
    }
    return good;
}

bool limit_zone_key(const struct limit_zone *z, struct script *s, struct str *key)
{
    *key = template_value(&z->key, s);
    if (key->len <= ZONE_TABLE_MAX_KEY)
        return key->len > 0;
    log_write(s->log ? s->log : log_process, LOG_LEVEL_ERROR, 0, s->scope,
              "the value of the \"%.*s\" key is more than 65535 bytes", STR_ARG(z->key.text));
    return false;
}

/*
 * zone_words: see zone_words.h.
 */
#include "config/zone_words.h"

#include "base/zone.h"
#include "config/types.h"

bool zone_words_parse(struct setting *s, unsigned word, struct str text, struct str *name,
                      size_t *size)
{
    struct str rest = text;

    *name = str_split(&rest, ':');
    if (name->len == 0 || !rest.data || !parse_size(rest, size))
        return setting_error_hint(s, word, STR("a zone is written name:size, such as one:10m"),
                                  "invalid zone size \"%.*s\"", STR_ARG(setting_arg(s, word)));
    if (*size < ZONE_MIN_SIZE)
        return setting_error(s, word, "zone \"%.*s\" is too small: it needs %d bytes at least",
                             STR_ARG(*name), ZONE_MIN_SIZE);
    return true;
}

struct zone_spec *zone_words_define(struct setting *s, unsigned word, struct str name, size_t size,
                                    const void *tag)
{
    struct generation *g = s->config->generation;

    for (unsigned i = 0; i < g->zones.count; i++) {
        struct zone_spec *known = g->zones.items[i];
        if (!str_eq(known->name, name))
            continue;
        if (known->tag == tag && known->size == 0)
            known->size = size;
        if (known->tag == tag && known->size == size)
            return known;
        setting_error(s, word, known->tag == tag ? "the size %zu of shared zone \"%.*s\" conflicts "
                                                   "with the one that was given before"
                                                 : "%zu bytes of shared zone \"%.*s\": it is in "
                                                   "use for something else already",
                      size, STR_ARG(name));
        return NULL;
    }
    struct zone_spec *spec = ARENA_NEW(&g->arena, struct zone_spec);
    *spec = (struct zone_spec){ .name = arena_str(&g->arena, name), .size = size, .tag = tag };
    *ARRAY_PUSH(&g->zones, &g->arena) = spec;
    return spec;
}

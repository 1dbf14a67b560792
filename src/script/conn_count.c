/*
 * conn_count: see conn_count.h.
 */
#include "script/conn_count.h"

#include "config/generation.h"
#include "config/zone_words.h"

static const char tag;

static bool parse_zone(struct setting *s, void *field)
{
    struct str word = setting_arg(s, 2), name;
    size_t size;

    (void)field;
    if (!str_starts(word, STR("zone=")))
        return setting_error(s, 2, "invalid parameter \"%.*s\"", STR_ARG(word));
    return zone_words_parse(s, 2, str_from(word, 5), &name, &size) &&
           limit_zone_define(s, 2, name, size, &tag, sizeof(unsigned));
}

static void print_zone(const struct directive *row, const void *field, struct out *o)
{
    (void)row;
    (void)field;
    (void)o;
}

const struct type type_conn_limit_zone = {
    "key zone=name:size", "a key and zone=name:size", parse_zone, print_zone,
};

static bool parse_limit(struct setting *s, void *field)
{
    struct conn_limits *list = field;
    struct conn_limit l = { .zone = limit_zone_find(s, 1, setting_arg(s, 1), &tag) };

    if (!l.zone)
        return false;
    if (!str_to_uint(setting_arg(s, 2), 65535, &l.max) || l.max == 0)
        return setting_error(s, 2, "invalid number of connections \"%.*s\"",
                             STR_ARG(setting_arg(s, 2)));
    for (unsigned i = 0; i < list->limits.count; i++) {
        if (list->limits.items[i].zone == l.zone)
            return setting_error(s, 0, "\"limit_conn\" directive is duplicate");
    }
    if (list->limits.count == CONN_LIMITS_MAX)
        return setting_error(s, 0, "at most %d limits may be in one block", CONN_LIMITS_MAX);
    *ARRAY_PUSH(&list->limits, setting_arena(s)) = l;
    return true;
}

static void print_limit(const struct directive *row, const void *field, struct out *o)
{
    const struct conn_limits *list = field;

    (void)row;
    for (unsigned i = 0; i < list->limits.count; i++) {
        const struct conn_limit *l = &list->limits.items[i];
        out_printf(o, i ? "; %.*s %u" : "%.*s %u", STR_ARG(l->zone->name), l->max);
    }
}

const struct type type_conn_limit = {
    "zone number", "a zone's name and a number", parse_limit, print_limit,
};

static bool is_unused(const void *data)
{
    return *(const unsigned *)data == 0;
}

/* Counts one more for a key.  false: there are `max` already. */
static bool take_one(const struct conn_limit *l, struct str key, struct conn_held *held)
{
    struct zone *zone = l->zone->spec->zone;
    bool good = true;

    zone_lock(zone);
    unsigned *count = zone_table_find(zone, key);
    if (!count)
        count = zone_table_add(zone, key, is_unused);
    if (count && *count >= l->max)
        good = false;
    else if (count) {                          /* a zone that is full of live ones counts nothing more */
        (*count)++;
        held->items[held->count].zone = zone;
        held->items[held->count].epoch = zone_epoch(zone);
        held->items[held->count++].place = count;
    }
    zone_unlock(zone);
    return good;
}

const struct conn_limit *conn_count_take(const struct conn_limits *limits, struct script *s,
                                         struct conn_held *held)
{
    held->count = 0;
    for (unsigned i = 0; i < limits->limits.count; i++) {
        const struct conn_limit *l = &limits->limits.items[i];
        struct str key;
        if (!limit_zone_key(l->zone, s, &key) || take_one(l, key, held))
            continue;
        conn_count_give_back(held);
        return l;
    }
    return NULL;
}

void conn_count_give_back(struct conn_held *held)
{
    for (unsigned i = 0; i < held->count; i++) {
        struct zone *zone = held->items[i].zone;
        zone_lock(zone);
        unsigned *count = held->items[i].place;
        if (zone_epoch(zone) == held->items[i].epoch && --*count == 0)
            zone_table_remove(zone, count);
        zone_unlock(zone);
    }
    held->count = 0;
}

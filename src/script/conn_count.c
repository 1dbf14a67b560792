/*
 * conn_count: see conn_count.h.  Each count of one is a small struct in the zone, in the list of the
 * process that holds it: what a dead process has left there is given back by the next that needs it.
 */
#include "script/conn_count.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
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

const struct type type_conn_limit_zone = {
    "key zone=name:size", "a key and zone=name:size", parse_zone, NULL,
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

bool conn_count_all_defined(struct setting *s)
{
    return limit_zone_all_defined(s, &tag);
}

/* ---- who holds what; all with the zone's lock held ---- */

struct holder {
    struct holder *next;
    pid_t pid;
    struct list holds;
};

struct conn_hold {
    struct list link;
    unsigned *count;                   /* of its key */
};

static void end_hold(struct zone *zone, struct conn_hold *hold)
{
    if (--*hold->count == 0)
        zone_table_remove(zone, hold->count);
    list_remove(&hold->link);
    zone_free(zone, hold);
}

/* Gives back what processes that are gone have left. */
static void bury(struct zone *zone)
{
    struct holder **link = (struct holder **)zone_table_extra(zone);

    while (*link) {
        struct holder *h = *link;
        if (kill(h->pid, 0) == 0 || errno != ESRCH) {
            link = &h->next;
            continue;
        }
        LIST_EACH_SAFE(node, &h->holds)
            end_hold(zone, CONTAINER(node, struct conn_hold, link));
        *link = h->next;
        zone_free(zone, h);
    }
}

/* The same where a limit is reached: not more than once a second, because refusals come in floods. */
static bool bury_again(struct zone *zone)
{
    static time_t last;

    if (clock_seconds() == last)
        return false;
    last = clock_seconds();
    bury(zone);
    return true;
}

/* This process's own; a new one looks for the dead first.  NULL: there is no room. */
static struct holder *own_holder(struct zone *zone)
{
    struct holder **first = (struct holder **)zone_table_extra(zone);
    pid_t pid = getpid();

    for (struct holder *h = *first; h; h = h->next) {
        if (h->pid == pid)
            return h;
    }
    bury(zone);
    struct holder *h = zone_alloc(zone, sizeof *h);
    if (!h)
        return NULL;
    *h = (struct holder){ .next = *first, .pid = pid };
    list_init(&h->holds);
    *first = h;
    return h;
}

/* An entry is there for as long as someone is counted in it. */
static bool none_can_go(const void *data)
{
    (void)data;
    return false;
}

/* One more for a key that may be new.  NULL: there is no room. */
static struct conn_hold *new_hold(struct zone *zone, struct str key, unsigned *count)
{
    struct holder *owner = own_holder(zone);
    struct conn_hold *hold = owner ? zone_alloc(zone, sizeof *hold) : NULL;

    if (hold && !count)
        count = zone_table_add(zone, key, none_can_go);
    if (!hold || !count) {
        if (hold)
            zone_free(zone, hold);
        return NULL;
    }
    ++*count;
    hold->count = count;
    list_init(&hold->link);
    list_push(&owner->holds, &hold->link);
    return hold;
}

/* ---- for the engines ---- */

/* Counts one more for a key.  false: there are `max` already. */
static bool take_one(const struct conn_limit *l, struct str key, struct script *s,
                     struct conn_held *held)
{
    struct zone *zone = l->zone->spec->zone;
    struct conn_hold *hold = NULL;

    zone_lock(zone);
    unsigned *count = zone_table_find(zone, key);
    if (count && *count >= l->max && bury_again(zone))
        count = zone_table_find(zone, key);
    bool good = !count || *count < l->max;
    if (good)
        hold = new_hold(zone, key, count);
    unsigned epoch = zone_epoch(zone);
    zone_unlock(zone);
    if (hold) {
        held->items[held->count].zone = zone;
        held->items[held->count].epoch = epoch;
        held->items[held->count++].hold = hold;
    } else if (good)                           /* full of live ones: nobody is refused for that */
        log_write(s->log ? s->log : log_process, LOG_LEVEL_WARN, 0, s->scope,
                  "zone \"%.*s\" is full, a connection is not counted", STR_ARG(l->zone->name));
    return good;
}

const struct conn_limit *conn_count_take(const struct conn_limits *limits, struct script *s,
                                         struct conn_held *held)
{
    held->count = 0;
    for (unsigned i = 0; i < limits->limits.count; i++) {
        const struct conn_limit *l = &limits->limits.items[i];
        struct str key;
        if (!limit_zone_key(l->zone, s, &key) || take_one(l, key, s, held))
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
        if (zone_epoch(zone) == held->items[i].epoch)
            end_hold(zone, held->items[i].hold);
        zone_unlock(zone);
    }
    held->count = 0;
}

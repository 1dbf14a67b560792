/*
 * v2_priority: who sends first (RFC 9218): what clients and responses say of urgency and of being
 * incremental, and the order of streams that wait for the connection.  The trees of RFC 7540 are not
 * looked at.
 */
#include "http/v2/v2.h"

/* ---- what is said ---- */

/* The members of a dictionary that are known; what is not said stays as it is (section 4). */
static void read_priority(struct str value, struct v2_priority *p)
{
    for (struct str rest = value; rest.data;) {
        struct str parameters = str_split(&rest, ',');
        struct str item = str_trim(str_split(&parameters, ';'));
        if (item.len == 3 && str_starts(item, STR("u=")) && item.data[2] >= '0' &&
            item.data[2] < '0' + V2_URGENCIES)
            p->urgency = (uint8_t)(item.data[2] - '0');
        else if (str_eq(item, STR("i")) || str_eq(item, STR("i=?1")))
            p->incremental = true;
        else if (str_eq(item, STR("i=?0")))
            p->incremental = false;
    }
}

static void set(struct v2_stream *s, struct v2_priority p)
{
    bool queued = !list_empty(&s->place) && s->head_made;

    s->priority = p;
    if (queued)
        v2_stream_queue(s);
}

void v2_prioritize(struct v2_stream *s, struct str value)
{
    struct v2_priority p = { .urgency = V2_URGENCY };

    read_priority(value, &p);
    set(s, p);
}

static struct v2_early *place_of(struct v2 *v, uint32_t id)
{
    return &v->early[id / 2 % V2_EARLY];
}

void v2_priority_early(struct v2 *v, uint32_t id, struct str value)
{
    struct v2_early *e = place_of(v, id);

    *e = (struct v2_early){ .id = id, .priority = { .urgency = V2_URGENCY } };
    read_priority(value, &e->priority);
}

void v2_priority_begin(struct v2_stream *s)
{
    const struct v2_early *e = place_of(s->v2, s->id);

    if (e->id == s->id)
        set(s, e->priority);
}

void v2_priority_respond(struct v2_stream *s)
{
    const struct headers *fields = &s->request->response.headers;
    const struct str name = STR("priority");
    struct v2_priority p = s->priority;

    for (unsigned i = 0; i < fields->list.count; i++) {
        const struct header *f = &fields->list.items[i];
        if (f->name.len == name.len && !f->hidden && str_eq_nocase(f->name, name))
            read_priority(f->value, &p);
    }
    set(s, p);
}

/* ---- whose turn it is ---- */

/* Those that are served one after the other come first, in the order of their numbers. */
void v2_stream_queue(struct v2_stream *s)
{
    struct list *queue = &s->v2->waiting[s->priority.urgency], *place = queue->next;

    list_remove(&s->place);
    if (s->priority.incremental) {
        list_push(queue, &s->place);
        return;
    }
    while (place != queue) {
        const struct v2_stream *other = CONTAINER(place, struct v2_stream, place);
        if (other->priority.incremental || other->id > s->id)
            break;
        place = place->next;
    }
    list_push(place, &s->place);               /* in front of it */
}

/* Whether anybody of an urgency below `end` waits. */
static bool somebody_waits(const struct v2 *v, unsigned end)
{
    for (unsigned i = 0; i < end; i++) {
        if (!list_empty(&v->waiting[i]))
            return true;
    }
    return false;
}

bool v2_streams_wait(const struct v2 *v)
{
    return somebody_waits(v, V2_URGENCIES);
}

bool v2_stream_must_wait(const struct v2_stream *s)
{
    const struct list *equals = &s->v2->waiting[s->priority.urgency];

    if (somebody_waits(s->v2, s->priority.urgency))
        return true;
    if (list_empty(equals))
        return false;
    const struct v2_stream *first = CONTAINER(equals->next, struct v2_stream, place);
    return s->priority.incremental || (!first->priority.incremental && first->id < s->id);
}

/*
 * queue: see queue.h.
 */
#include "upstream/queue.h"

#include "base/clock.h"
#include "config/types.h"
#include "upstream/balance.h"

/* Peers that other workers have freed, or that have rested, are found by asking again so often. */
enum { LOOK_MS = 100, DEFAULT_TIMEOUT = 60000 };

static struct pick *pick_of(struct list *link)
{
    return CONTAINER(link, struct pick, queued.link);
}

void queue_leave(struct pick *p)
{
    if (!p->queued.waits)
        return;
    struct queue *q = p->group->queue;
    p->queued.waits = false;
    list_remove(&p->queued.link);
    if (--q->count == 0)
        timer_cancel(&q->timer);
}

static void call(struct pick *p)
{
    queue_leave(p);
    p->queued.wake(p->queued.owner);
}

/* Who has failed at some peers may fail to get one where the next can: only if one who may have any finds
 * none, nobody will. */
void queue_serve(struct upstream *u)
{
    LIST_EACH_SAFE(link, &u->queue->waiting) {
        struct pick *p = pick_of(link);
        if (balance_choose(p))
            call(p);
        else if (!p->asked)
            break;
    }
}

/* Until the next look, or the end of the first one's time. */
static void set_timer(struct queue *q)
{
    uint64_t until = pick_of(q->waiting.next)->queued.until, now = clock_ms();
    uint64_t left = until > now ? until - now : 0;

    timer_set(&q->timer, left < LOOK_MS ? left : LOOK_MS);
}

static void on_timer(struct timer *t)
{
    struct queue *q = CONTAINER(t, struct queue, timer);

    queue_serve(pick_of(q->waiting.next)->group);
    while (q->count && pick_of(q->waiting.next)->queued.until <= clock_ms())
        call(pick_of(q->waiting.next));
    if (q->count)
        set_timer(q);
}

void queue_init(struct queue *q)
{
    list_init(&q->waiting);
    timer_init(&q->timer, on_timer);
}

bool queue_join(struct pick *p, void (*wake)(void *owner), void *owner)
{
    struct queue *q = p->group->queue;

    if (!q || q->count >= q->max)
        return false;
    p->queued = (struct queue_place){
        .since = clock_ms(), .until = clock_ms() + q->timeout, .waits = true, .wake = wake,
        .owner = owner,
    };
    list_push(&q->waiting, &p->queued.link);
    if (q->count++ == 0)
        set_timer(q);
    return true;
}

/* ---- the directive ---- */

static bool parse(struct setting *s, void *field)
{
    struct upstream *u = s->block->object;
    struct queue *q = ARENA_NEW(setting_arena(s), struct queue);
    struct str prefix = STR("timeout=");

    (void)field;
    q->timeout = DEFAULT_TIMEOUT;
    if (!str_to_uint(setting_arg(s, 1), UINT32_MAX, &q->max) || q->max == 0)
        return setting_invalid(s, 1);
    if (s->node->count > 2 &&
        (!str_starts(setting_arg(s, 2), prefix) ||
         !parse_time(str_from(setting_arg(s, 2), prefix.len), &q->timeout)))
        return setting_error(s, 2, "invalid parameter \"%.*s\"", STR_ARG(setting_arg(s, 2)));
    queue_init(q);
    u->queue = q;
    return true;
}

static const struct type type = {
    "number [timeout=time]", "a number, and perhaps timeout=time", parse, NULL,
};

static const struct directive rows[] = {
    { "queue", IN_UPSTREAM, ARGS_RANGE(1, 2), &type,
      .help = "How many requests may wait in a worker while no server of the group can take one, and how "
              "long: 60s, if nothing else is said. What is beyond that is answered with 502." },
    { 0 },
};

struct module http_upstream_queue_module = {
    .name = "ngx_http_upstream_queue_module", .directives = rows,
};

/*
 * threads: see threads.h.
 */
#include "event/threads.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/os.h"
#include "event/loop.h"

struct thread {
    struct list link;          /* in its pool's running or ended threads */
    struct thread_pool *pool;
    pthread_t id;
};

struct thread_pool {
    struct list link;          /* of all pools */
    struct str name;
    unsigned max_queue;
    /* The rest is shared with the threads, under the mutex. */
    pthread_mutex_t mutex;
    pthread_cond_t posted;
    struct list queue;         /* tasks that wait for a thread */
    unsigned queued;
    unsigned wanted, started;  /* threads */
    struct list running, ended;
};

static struct list pools = { &pools, &pools };
static unsigned pending;

/* One queue of finished tasks for all pools; `wake` tells the loop that it has some. */
static struct {
    pthread_mutex_t mutex;
    struct list tasks;
    struct watch watch;
    int wake[2];
    bool open;
} finished = {
    .mutex = PTHREAD_MUTEX_INITIALIZER,
    .tasks = { &finished.tasks, &finished.tasks },
};

/* ---- in the threads ---- */

static void finish(struct task *t)
{
    pthread_mutex_lock(&finished.mutex);
    bool first = list_empty(&finished.tasks);
    list_push(&finished.tasks, &t->link);
    pthread_mutex_unlock(&finished.mutex);
    if (first)
        os_wake_signal(finished.wake);
}

/* The next task; NULL when the pool has a thread too many. */
static struct task *next_task(struct thread *self)
{
    struct thread_pool *pool = self->pool;
    struct task *task = NULL;

    pthread_mutex_lock(&pool->mutex);
    while (pool->started <= pool->wanted && list_empty(&pool->queue))
        pthread_cond_wait(&pool->posted, &pool->mutex);
    if (pool->started <= pool->wanted) {
        task = CONTAINER(list_pop(&pool->queue), struct task, link);
        pool->queued--;
    } else {
        pool->started--;
        list_remove(&self->link);
        list_push(&pool->ended, &self->link);
    }
    pthread_mutex_unlock(&pool->mutex);
    return task;
}

static void *run_thread(void *argument)
{
    struct thread *self = argument;

    for (struct task *t; (t = next_task(self));) {
        t->work(t);
        finish(t);
    }
    return NULL;
}

/* ---- in the loop ---- */

/* All tasks that are finished by now; those that done() makes finish wait for the next event. */
static void on_finished(struct watch *w)
{
    struct list tasks;

    (void)w;
    os_wake_drain(finished.wake);
    list_init(&tasks);
    pthread_mutex_lock(&finished.mutex);
    while (!list_empty(&finished.tasks))
        list_push(&tasks, list_pop(&finished.tasks));
    pthread_mutex_unlock(&finished.mutex);
    for (struct list *node; (node = list_pop(&tasks));) {
        struct task *t = CONTAINER(node, struct task, link);
        pending--;
        t->done(t);
    }
}

static bool open_finished(void)
{
    if (finished.open)
        return true;
    if (!os_wake_open(finished.wake))
        return false;
    watch_init(&finished.watch, finished.wake[0], on_finished);
    finished.watch.level = true;
    if (loop_add(&finished.watch)) {
        finished.open = true;
        return true;
    }
    int saved = errno;
    os_wake_close(finished.wake);
    errno = saved;
    return false;
}

static struct thread_pool *new_pool(struct str name)
{
    struct thread_pool *pool = calloc(1, sizeof *pool + name.len);

    if (!pool)
        return NULL;
    memcpy(pool + 1, name.data, name.len);
    pool->name = (struct str){ (char *)(pool + 1), name.len };
    list_init(&pool->queue);
    list_init(&pool->running);
    list_init(&pool->ended);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->posted, NULL);
    list_push(&pools, &pool->link);
    return pool;
}

static void free_pool(struct thread_pool *pool)
{
    list_remove(&pool->link);
    pthread_cond_destroy(&pool->posted);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}

static struct thread_pool *find_pool(struct str name)
{
    LIST_EACH(node, &pools) {
        struct thread_pool *pool = CONTAINER(node, struct thread_pool, link);
        if (str_eq(pool->name, name))
            return pool;
    }
    return NULL;
}

/* Joins what has ended by itself. */
static void reap(struct thread_pool *pool)
{
    struct list ended;

    list_init(&ended);
    pthread_mutex_lock(&pool->mutex);
    while (!list_empty(&pool->ended))
        list_push(&ended, list_pop(&pool->ended));
    pthread_mutex_unlock(&pool->mutex);
    for (struct list *node; (node = list_pop(&ended));) {
        struct thread *thread = CONTAINER(node, struct thread, link);
        pthread_join(thread->id, NULL);
        free(thread);
    }
}

/* Returns an errno, 0 if there is a thread more. */
static int start_thread(struct thread_pool *pool)
{
    struct thread *thread = calloc(1, sizeof *thread);
    sigset_t all, before;

    if (!thread)
        return ENOMEM;
    thread->pool = pool;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_mutex_lock(&pool->mutex);   /* it must not end before it is in the list */
    int error = pthread_create(&thread->id, NULL, run_thread, thread);
    if (error) {
        free(thread);
    } else {
        list_push(&pool->running, &thread->link);
        pool->started++;
    }
    pthread_mutex_unlock(&pool->mutex);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Threads too many end when they next look for work. */
static void resize(struct thread_pool *pool, unsigned threads)
{
    reap(pool);
    pthread_mutex_lock(&pool->mutex);
    unsigned before = pool->wanted;
    pool->wanted = threads;
    unsigned missing = threads > pool->started ? threads - pool->started : 0;
    if (threads < before)
        pthread_cond_broadcast(&pool->posted);
    pthread_mutex_unlock(&pool->mutex);
    for (unsigned i = 0; i < missing; i++) {
        int error = start_thread(pool);
        if (error) {
            log_note(LOG_LEVEL_ALERT, error, "thread pool \"%.*s\": thread %u of %u can not start",
                     STR_ARG(pool->name), threads - missing + i + 1, threads);
            return;
        }
    }
}

static bool has_threads(struct thread_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    bool some = pool->started > 0;
    pthread_mutex_unlock(&pool->mutex);
    return some;
}

struct thread_pool *threads_pool(struct str name, unsigned threads, unsigned max_queue)
{
    struct thread_pool *pool = find_pool(name);

    if (!open_finished() || (!pool && !(pool = new_pool(name)))) {
        log_note(LOG_LEVEL_ALERT, errno, "thread pool \"%.*s\" can not start", STR_ARG(name));
        return NULL;
    }
    pool->max_queue = max_queue;
    resize(pool, threads);
    if (has_threads(pool))
        return pool;
    free_pool(pool);
    return NULL;
}

bool threads_post(struct thread_pool *pool, struct task *t)
{
    pthread_mutex_lock(&pool->mutex);
    bool fits = pool->queued < pool->max_queue;
    if (fits) {
        list_push(&pool->queue, &t->link);
        pool->queued++;
        pthread_cond_signal(&pool->posted);
    }
    pthread_mutex_unlock(&pool->mutex);
    pending += fits;
    return fits;
}

unsigned threads_pending(void)
{
    return pending;
}

static void close_finished(void)
{
    list_init(&finished.tasks);
    if (finished.open)
        os_wake_close(finished.wake);
    finished.open = false;
    pending = 0;
}

/* Joins a pool's threads, each as it ends. */
static void end_pool(struct thread_pool *pool)
{
    resize(pool, 0);
    for (;;) {
        pthread_mutex_lock(&pool->mutex);
        struct list *node = list_pop(&pool->running);
        pthread_mutex_unlock(&pool->mutex);
        if (!node)
            break;
        struct thread *thread = CONTAINER(node, struct thread, link);
        pthread_join(thread->id, NULL);
        pthread_mutex_lock(&pool->mutex);
        list_remove(&thread->link);
        pthread_mutex_unlock(&pool->mutex);
        free(thread);
    }
    reap(pool);
    free_pool(pool);
}

void threads_fini(void)
{
    while (!list_empty(&pools))
        end_pool(CONTAINER(pools.next, struct thread_pool, link));
    if (finished.open)
        loop_remove(&finished.watch);
    close_finished();
}

void threads_after_fork(void)
{
    /* Mutexes may have been held by threads that are not here: all of it is made anew, and what the
     * pools held is left to the parent. */
    list_init(&pools);
    pthread_mutex_init(&finished.mutex, NULL);
    close_finished();
}

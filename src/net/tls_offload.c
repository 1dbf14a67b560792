/*
 * tls_offload: the costly step of full handshakes (the exchange of keys, the signature) in threads, when
 * so many come at once that all other connections would wait.  The step has its server and certificates
 * by then; a thread reads and writes nothing but the connection's own struct.
 */
#include <stdlib.h>

#include <openssl/err.h>

#include "base/clock.h"
#include "event/threads.h"
#include "net/tls_private.h"

/* Full handshakes in one turn of the loop, before threads help: a thread's turn costs a tenth of what it
 * does. */
enum { HERE = 16 };

struct tls_offload {
    struct task task;
    struct tls *tls;
    int result;                        /* of tls_step() */
    bool failed, finished, abandoned;
    struct tls_fault fault;
};

static unsigned running;

unsigned tls_offload_running(void)
{
    return running;
}

bool tls_offload_wanted(void)
{
    static uint64_t turn;
    static unsigned count;

    if (turn != clock_ms()) {
        turn = clock_ms();
        count = 0;
    }
    return ++count > HERE;
}

static void work(struct task *task)
{
    struct tls_offload *o = CONTAINER(task, struct tls_offload, task);
    struct tls *t = o->tls;

    ERR_clear_error();
    o->result = tls_step(t);
    int code = o->result == 1 ? 0 : SSL_get_error(t->ssl, o->result);
    o->failed = o->result != 1 && code != SSL_ERROR_WANT_READ && code != SSL_ERROR_WANT_WRITE;
    if (o->failed)
        tls_step_failed(t, &o->fault, code);
}

static void done(struct task *task)
{
    struct tls_offload *o = CONTAINER(task, struct tls_offload, task);

    running--;
    o->finished = true;
    o->tls->threaded = false;
    if (!o->abandoned) {
        loop_post(&o->tls->connection->watch);
        return;
    }
    tls_free(o->tls);
    free(o);
}

bool tls_offload_begin(struct tls *t)
{
    struct thread_pool *pool = t->acceptor->threads(t->acceptor);
    struct tls_offload *o = pool ? calloc(1, sizeof *o) : NULL;

    if (!o)
        return false;
    o->tls = t;
    o->task.work = work;
    o->task.done = done;
    t->offload = o;
    t->threaded = true;
    if (threads_post(pool, &o->task)) {
        running++;
        return true;
    }
    t->offload = NULL;
    t->threaded = false;
    free(o);
    return false;
}

enum tls_result tls_offload_end(struct tls *t, int *result, struct tls_fault *f)
{
    struct tls_offload *o = t->offload;

    if (!o->finished)
        return TLS_AGAIN;
    t->offload = NULL;
    bool failed = o->failed;
    *result = o->result;
    *f = o->fault;
    free(o);
    if (failed)
        tls_io_send(t, false);         /* the alert that says so */
    return failed ? TLS_FAILED : TLS_DONE;
}

void tls_offload_abandon(struct tls *t)
{
    struct tls_offload *o = t->offload;

    if (!o->finished) {
        o->abandoned = true;
        return;
    }
    tls_free(t);
    free(o);
}

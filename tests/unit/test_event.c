/*
 * test_event: the loop, with every backend in turn.  kqueue is tested on Linux by a stand-in for
 * the BSDs' calls (test_event/).
 */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/os.h"
#include "event/backend.h"
#include "event/timer.h"

#include "config.h"
#include "modules_enabled.h"

#define DECLARE(name) extern const struct backend name##_backend;
EVENT_ENGINES(DECLARE)
#define ENTRY(name) &name##_backend,

#ifdef HAVE_KQUEUE
const struct backend *const backends[] = { EVENT_ENGINES(ENTRY) NULL };
#else
#include "event/kqueue.c"
#include "kqueue_standin.c"
const struct backend *const backends[] = { EVENT_ENGINES(ENTRY) &kqueue_backend, NULL };
#endif

static const char *method;

static bool tells_eof(void)
{
    return strcmp(method, "select") != 0;
}

/* A watch that counts its calls. */
struct probe {
    struct watch watch;
    struct deferred deferred;
    struct timer timer;
    unsigned calls;
    struct probe *victim;      /* to be removed by the handler */
    bool repost;
};

static void on_probe(struct watch *w)
{
    struct probe *p = CONTAINER(w, struct probe, watch);

    p->calls++;
    if (p->victim) {
        loop_close(&p->victim->watch);
        free(p->victim);
        p->victim = NULL;
    }
    if (p->repost) {
        p->repost = false;
        loop_post(w);
    }
}

static void probe_init(struct probe *p, int fd)
{
    *p = (struct probe){ 0 };
    watch_init(&p->watch, fd, on_probe);
}

static void probe_add(struct probe *p, int fd)
{
    probe_init(p, fd);
    assert_true(loop_add(&p->watch));
}

static void stream_pair(int fds[2])
{
    assert_int_equal(os_socket_pair(AF_UNIX, SOCK_STREAM, fds), 0);
}

static void put(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static ssize_t get(int fd)
{
    char space[64];

    return read(fd, space, sizeof space);
}

/* A listening socket on 127.0.0.1 and its address. */
static int tcp_listen(struct sockaddr_in *address)
{
    socklen_t len = sizeof *address;
    int fd = os_socket(AF_INET, SOCK_STREAM, 0);

    *address = (struct sockaddr_in){ .sin_family = AF_INET };
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &len), 0);
    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

static int tcp_connect(const struct sockaddr_in *address)
{
    int fd = os_socket(AF_INET, SOCK_STREAM, 0);

    if (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0)
        assert_int_equal(errno, EINPROGRESS);
    return fd;
}

static int setup(void **state)
{
    (void)state;
    return loop_init(method, 16) && strcmp(loop_method(), method) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    loop_fini();
    timer_reset_all();
    return 0;
}

/* ---- readiness ---- */

static void test_pipe(void **state)
{
    struct probe in, out;
    int fds[2];

    (void)state;
    assert_true(os_pipe(fds));
    probe_add(&in, fds[0]);
    probe_add(&out, fds[1]);
    loop_turn(0);
    assert_int_equal(in.calls, 0);
    assert_int_equal(out.calls, 1);
    assert_int_equal(out.watch.ready, READY_WRITE);
    put(fds[1], "x");
    loop_turn(1000);
    assert_int_equal(in.calls, 1);
    assert_true(in.watch.ready & READY_READ);
    loop_close(&in.watch);
    loop_close(&out.watch);
    assert_int_equal(in.watch.fd, -1);
    assert_false(in.watch.added);
}

static void test_edge(void **state)
{
    struct probe p;
    int fds[2];

    (void)state;
    stream_pair(fds);
    probe_add(&p, fds[0]);
    loop_turn(1000);
    assert_int_equal(p.watch.ready, READY_WRITE);
    assert_int_equal(p.calls, 1);

    /* Said once, however long it stays unused. */
    put(fds[1], "abc");
    loop_turn(1000);
    assert_int_equal(p.watch.ready, READY_WRITE | READY_READ);
    assert_int_equal(p.calls, 2);
    for (int i = 0; i < 3; i++)
        loop_turn(0);
    assert_int_equal(p.calls, 2);
    assert_int_equal(p.watch.ready, READY_WRITE | READY_READ);

    /* Used up: silence, until there is more. */
    assert_int_equal(get(fds[0]), 3);
    p.watch.ready &= (uint8_t)~READY_READ;
    loop_turn(0);
    assert_int_equal(p.calls, 2);
    put(fds[1], "d");
    loop_turn(1000);
    assert_int_equal(p.calls, 3);
    assert_true(p.watch.ready & READY_READ);
    loop_close(&p.watch);
    close(fds[1]);
}

static void test_write_room(void **state)
{
    static char block[65536];
    struct probe p;
    int fds[2];

    (void)state;
    stream_pair(fds);
    probe_add(&p, fds[0]);
    loop_turn(0);
    while (write(fds[0], block, sizeof block) > 0)
        continue;
    assert_true(errno == EAGAIN || errno == EWOULDBLOCK);
    p.watch.ready &= (uint8_t)~READY_WRITE;
    p.calls = 0;
    loop_turn(0);
    assert_int_equal(p.calls, 0);
    while (read(fds[1], block, sizeof block) > 0)
        continue;
    loop_turn(1000);
    assert_int_equal(p.calls, 1);
    assert_true(p.watch.ready & READY_WRITE);
    loop_close(&p.watch);
    close(fds[1]);
}

static void test_eof(void **state)
{
    struct probe p;
    int fds[2];

    (void)state;
    stream_pair(fds);
    probe_add(&p, fds[0]);
    loop_turn(0);
    put(fds[1], "last");
    shutdown(fds[1], SHUT_WR);
    loop_turn(1000);
    assert_true(p.watch.ready & READY_READ);
    if (tells_eof())
        assert_true(p.watch.ready & READY_EOF);
    assert_false(p.watch.ready & READY_ERROR);
    assert_int_equal(get(fds[0]), 4);
    assert_int_equal(get(fds[0]), 0);

    /* The end is told once, also where the owner goes on without reading. */
    p.watch.ready |= READY_EOF;
    p.watch.ready &= (uint8_t)~READY_READ;
    p.calls = 0;
    for (int i = 0; i < 3; i++)
        loop_turn(0);
    assert_true(p.calls <= 1);

    close(fds[1]);
    for (int i = 0; i < 3; i++)
        loop_turn(0);
    assert_true(p.calls <= 2);
    loop_close(&p.watch);
}

static void test_reset(void **state)
{
    struct sockaddr_in address;
    struct probe p;
    int listener = tcp_listen(&address), client = tcp_connect(&address);
    int served = accept(listener, NULL, NULL);

    (void)state;
    assert_true(served >= 0);
    probe_add(&p, client);
    loop_turn(1000);
    assert_true(p.watch.ready & READY_WRITE);
    setsockopt(served, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
    close(served);
    loop_turn(1000);
    assert_true(p.watch.ready & READY_READ);
    if (tells_eof())
        assert_true(p.watch.ready & (READY_EOF | READY_ERROR));
    p.calls = 0;
    for (int i = 0; i < 3; i++)
        loop_turn(0);
    assert_true(p.calls <= 1);
    assert_int_equal(get(client), -1);
    assert_int_equal(errno, ECONNRESET);
    loop_close(&p.watch);
    close(listener);
}

static void test_connect(void **state)
{
    struct sockaddr_in address;
    struct probe p;
    int listener = tcp_listen(&address), error = -1;
    socklen_t len = sizeof error;

    (void)state;
    probe_add(&p, tcp_connect(&address));
    loop_turn(1000);
    assert_int_equal(p.watch.ready, READY_WRITE);
    assert_int_equal(getsockopt(p.watch.fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    assert_int_equal(error, 0);
    loop_close(&p.watch);
    close(listener);
}

static void test_connect_failure(void **state)
{
    struct sockaddr_in address;
    struct probe p;
    int listener = tcp_listen(&address), fd = os_socket(AF_INET, SOCK_STREAM, 0), error = 0;
    socklen_t len = sizeof error;

    (void)state;
    close(listener);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) {
        assert_int_equal(errno, ECONNREFUSED);   /* loopback may say so at once */
        close(fd);
        return;
    }
    probe_add(&p, fd);
    loop_turn(1000);
    assert_true(p.watch.ready & READY_WRITE);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    assert_int_equal(error, ECONNREFUSED);
    loop_close(&p.watch);
}

static void test_level(void **state)
{
    struct sockaddr_in address;
    struct probe p;
    int listener = tcp_listen(&address), clients[3];

    (void)state;
    probe_init(&p, listener);
    p.watch.level = true;
    assert_true(loop_add(&p.watch));
    loop_turn(0);
    assert_int_equal(p.calls, 0);
    for (int i = 0; i < 3; i++)
        clients[i] = tcp_connect(&address);
    for (unsigned i = 0; i < 3; i++) {
        loop_turn(1000);
        assert_int_equal(p.calls, i + 1);
        int fd = os_accept(listener, NULL, NULL);
        assert_true(fd >= 0);
        close(fd);
    }
    loop_turn(0);
    assert_int_equal(p.calls, 3);
    for (int i = 0; i < 3; i++)
        close(clients[i]);
    loop_close(&p.watch);
}

static void test_remove_in_handler(void **state)
{
    struct probe *probes[2];
    int a[2], b[2];

    (void)state;
    stream_pair(a);
    stream_pair(b);
    for (int i = 0; i < 2; i++) {
        probes[i] = malloc(sizeof *probes[i]);
        probe_add(probes[i], i ? b[0] : a[0]);
    }
    loop_turn(0);
    probes[0]->calls = probes[1]->calls = 0;
    probes[0]->victim = probes[1];
    probes[1]->victim = probes[0];
    put(a[1], "x");
    put(b[1], "x");
    loop_turn(1000);
    /* Whichever came first has closed and freed the other, which must not have been called. */
    struct probe *left = get(a[1]) == 0 ? probes[1] : probes[0];
    assert_int_equal(left->calls, 1);
    loop_close(&left->watch);
    free(left);
    close(a[1]);
    close(b[1]);
}

static void test_descriptor_reused(void **state)
{
    struct probe old, fresh;
    int a[2], b[2];

    (void)state;
    stream_pair(a);
    int number = a[0];
    probe_add(&old, number);
    loop_turn(0);
    loop_close(&old.watch);
    stream_pair(b);
    int same = b[0] == number ? 0 : 1;
    assert_int_equal(b[same], number);
    probe_add(&fresh, number);
    loop_turn(0);
    put(b[!same], "x");
    loop_turn(1000);
    assert_true(fresh.watch.ready & READY_READ);
    assert_int_equal(old.calls, 1);

    /* Taken out without being closed, and put in again. */
    loop_remove(&fresh.watch);
    put(b[!same], "x");
    fresh.calls = 0;
    loop_turn(0);
    assert_int_equal(fresh.calls, 0);
    assert_true(loop_add(&fresh.watch));
    loop_turn(1000);
    assert_int_equal(fresh.calls, 1);
    assert_int_equal(fresh.watch.ready, READY_READ | READY_WRITE);
    loop_close(&fresh.watch);
    close(a[1]);
    close(b[!same]);
}

enum { PAIRS = 490 };

static void test_many(void **state)
{
    static struct probe probes[2 * PAIRS];

    (void)state;
    for (unsigned i = 0; i < PAIRS; i++) {
        int fds[2];
        stream_pair(fds);
        probe_add(&probes[2 * i], fds[0]);
        probe_add(&probes[2 * i + 1], fds[1]);
    }
    for (int i = 0; i < 4; i++)
        loop_turn(0);
    for (unsigned i = 0; i < PAIRS; i++) {
        assert_true(probes[2 * i].watch.ready & READY_WRITE);
        put(probes[2 * i].watch.fd, "x");
    }
    for (int i = 0; i < 4; i++)
        loop_turn(0);
    for (unsigned i = 0; i < PAIRS; i++) {
        assert_false(probes[2 * i].watch.ready & READY_READ);
        assert_true(probes[2 * i + 1].watch.ready & READY_READ);
        assert_int_equal(probes[2 * i + 1].calls, 2);
    }
    for (unsigned i = 0; i < 2 * PAIRS; i++)
        loop_close(&probes[i].watch);
}

static void test_bad_descriptor(void **state)
{
    struct probe p;

    (void)state;
    probe_init(&p, -1);
    assert_false(loop_add(&p.watch));
    assert_false(p.watch.added);
    loop_remove(&p.watch);   /* harmless */
}

/* ---- the turn ---- */

static char order[32];
static unsigned order_len;

static void note(char c)
{
    if (order_len < sizeof order - 1)
        order[order_len++] = c;
}

static void assert_order(const char *expected)
{
    order[order_len] = '\0';
    assert_string_equal(order, expected);
    order_len = 0;
}

static void release_noted(struct deferred *d)
{
    (void)d;
    note('f');
}

static void on_timer_noted(struct timer *t)
{
    struct probe *p = CONTAINER(t, struct probe, timer);

    note('t');
    loop_post(&p->watch);
}

static void on_noted(struct watch *w)
{
    struct probe *p = CONTAINER(w, struct probe, watch);

    note(w->fd >= 0 ? 'e' : 'p');
    if (p->victim) {
        loop_post(&p->victim->watch);
        loop_post(&p->victim->watch);
    }
    if (p->repost) {
        p->repost = false;
        loop_post(w);
        loop_defer(&p->deferred, release_noted);
    }
}

static void test_order(void **state)
{
    struct probe event, posted;
    int fds[2];

    (void)state;
    stream_pair(fds);
    probe_add(&event, fds[0]);
    probe_init(&posted, -1);
    event.watch.on_event = posted.watch.on_event = on_noted;
    loop_turn(0);
    assert_order("e");

    /* Ready ones, timers, what was posted meanwhile (once), and frees at the end. */
    event.victim = &posted;
    event.repost = true;
    timer_init(&event.timer, on_timer_noted);
    timer_set(&event.timer, 0);
    put(fds[1], "x");
    loop_turn(1000);
    assert_order("etpef");

    /* What is posted while the queue is run waits for the next turn, which does not wait. */
    assert_false(list_empty(&posted.watch.posted));
    loop_turn(-1);
    assert_order("p");
    posted.repost = true;
    loop_post(&posted.watch);
    loop_turn(-1);
    assert_order("ppf");

    /* A removed watch is not called. */
    loop_post(&posted.watch);
    loop_remove(&posted.watch);
    loop_turn(0);
    assert_order("");
    loop_close(&event.watch);
    close(fds[1]);
}

static void on_timer(struct timer *t)
{
    CONTAINER(t, struct probe, timer)->calls++;
}

static void test_timer_wakes(void **state)
{
    struct probe p;

    (void)state;
    probe_init(&p, -1);
    timer_init(&p.timer, on_timer);
    clock_update();
    uint64_t before = clock_ms();
    timer_set(&p.timer, 30);
    while (p.calls == 0)
        loop_turn(-1);
    assert_true(clock_ms() - before >= 30);
    assert_true(clock_ms() - before < 1000);
}

static void test_max_wait(void **state)
{
    (void)state;
    clock_update();
    uint64_t before = clock_ms();
    loop_turn(20);
    assert_true(clock_ms() - before >= 19);
    assert_true(clock_ms() - before < 1000);
}

static void test_resolution(void **state)
{
    struct probe p;
    uint64_t last = clock_ms(), steps = 0;

    (void)state;
    /* A watch that always posts itself: there is work in every turn. */
    probe_init(&p, -1);
    loop_set_resolution(20);
    clock_update();
    uint64_t start = last = clock_ms();
    while (clock_ms() - start < 100) {
        loop_post(&p.watch);
        loop_turn(-1);
        if (clock_ms() != last) {
            assert_true(clock_ms() - last >= 20);
            last = clock_ms();
            steps++;
        }
    }
    assert_true(steps <= 5);
    loop_set_resolution(0);
}

static void on_alarm(int number)
{
    (void)number;
    loop_wake();
}

static void test_wake_by_signal(void **state)
{
    struct sigaction act = { .sa_handler = on_alarm }, before;

    (void)state;
    sigaction(SIGALRM, &act, &before);
    clock_update();
    uint64_t start = clock_ms();
    alarm(1);
    loop_turn(10000);
    assert_true(clock_ms() - start < 5000);

    /* Also a signal that came before the wait. */
    loop_turn(0);
    start = clock_ms();
    raise(SIGALRM);
    loop_turn(10000);
    assert_true(clock_ms() - start < 5000);
    sigaction(SIGALRM, &before, NULL);
    loop_turn(0);
}

static void *wake_soon(void *unused)
{
    nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
    loop_wake();
    return unused;
}

static void test_wake_by_thread(void **state)
{
    pthread_t thread;

    (void)state;
    for (int i = 0; i < 3; i++) {
        clock_update();
        uint64_t start = clock_ms();
        assert_int_equal(pthread_create(&thread, NULL, wake_soon, NULL), 0);
        loop_turn(10000);
        assert_true(clock_ms() - start < 5000);
        assert_true(clock_ms() - start >= 10);
        pthread_join(thread, NULL);
    }
}

/* The child's part: a number other than 0 says what is wrong. */
static int child_turns(struct probe *inherited)
{
    struct probe p;
    int fds[2];

    if (!loop_after_fork())
        return 1;
    loop_turn(0);
    if (inherited->calls != 1)
        return 2;   /* posted in the parent, or its socket */
    if (os_socket_pair(AF_UNIX, SOCK_STREAM, fds) != 0)
        return 3;
    probe_init(&p, fds[0]);
    if (!loop_add(&p.watch) || write(fds[1], "x", 1) != 1)
        return 4;
    loop_turn(1000);
    if (!(p.watch.ready & READY_READ) || timer_next() != -1)
        return 5;
    loop_wake();
    loop_turn(10000);
    return 0;
}

static void test_fork(void **state)
{
    struct probe p;
    int fds[2], status;

    (void)state;
    stream_pair(fds);
    probe_add(&p, fds[0]);
    loop_turn(0);
    loop_post(&p.watch);
    timer_init(&p.timer, on_timer);
    timer_set(&p.timer, 100000);
    pid_t pid = fork();
    if (pid == 0)
        _exit(child_turns(&p));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);

    /* The parent's loop has lost nothing by that. */
    assert_true(timer_armed(&p.timer));
    timer_cancel(&p.timer);
    loop_turn(0);
    put(fds[1], "x");
    loop_turn(1000);
    assert_true(p.watch.ready & READY_READ);
    loop_wake();
    loop_turn(10000);
    loop_close(&p.watch);
    close(fds[1]);
}

/* ---- once ---- */

static void test_methods(void **state)
{
    (void)state;
    log_process = &(const struct log){ .count = 0 };
    assert_true(loop_has_method("epoll") || loop_has_method("kqueue"));
    assert_false(loop_has_method("eventport"));
    assert_false(loop_init("eventport", 16));
    assert_int_equal(errno, EINVAL);
    assert_true(loop_init(NULL, 16));
    assert_string_equal(loop_method(), backends[0]->name);
    loop_fini();
    loop_fini();
    assert_true(loop_after_fork());
}

static void test_select_limit(void **state)
{
    struct rlimit limit;
    struct probe p;

    (void)state;
    if (!loop_has_method("select"))
        skip();
    log_process = &(const struct log){ .count = 0 };
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < 2048)
        skip();
    limit.rlim_cur = 2048;
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_true(loop_init("select", 16));
    int high = dup2(0, 1500);
    assert_int_equal(high, 1500);
    probe_init(&p, high);
    assert_false(loop_add(&p.watch));
    assert_int_equal(errno, EMFILE);
    close(high);
    loop_fini();
}

int main(void)
{
    const struct CMUnitTest each[] = {
        cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_edge),
        cmocka_unit_test(test_write_room),
        cmocka_unit_test(test_eof),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_connect),
        cmocka_unit_test(test_connect_failure),
        cmocka_unit_test(test_level),
        cmocka_unit_test(test_remove_in_handler),
        cmocka_unit_test(test_descriptor_reused),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_bad_descriptor),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_timer_wakes),
        cmocka_unit_test(test_max_wait),
        cmocka_unit_test(test_resolution),
        cmocka_unit_test(test_wake_by_signal),
        cmocka_unit_test(test_wake_by_thread),
        cmocka_unit_test(test_fork),
    };
    const struct CMUnitTest once[] = {
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_select_limit),
    };
    int failed = 0;

    for (unsigned i = 0; backends[i]; i++) {
        method = backends[i]->name;
        failed += cmocka_run_group_tests_name(method, each, setup, teardown);
    }
    return failed + cmocka_run_group_tests(once, NULL, NULL);
}

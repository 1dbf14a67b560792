/* Tests of src/net: addresses, networks, listening sockets and who accepts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "event/connection.h"
#include "net/address.h"
#include "net/listen.h"

/* ---- addresses ---- */

static const char *text_of(const struct address *a)
{
    static char space[200];
    struct out o = out_fixed(space, sizeof space - 1);

    address_put(&o, a);
    *o.at = '\0';
    return space;
}

static void test_address_texts(void **state)
{
    static const struct {
        const char *host;
        unsigned port;
        const char *text;
    } rows[] = {
        { "127.0.0.1", 80, "127.0.0.1:80" },
        { "0.0.0.0", 65535, "0.0.0.0:65535" },
        { "::1", 443, "[::1]:443" },
        { "[::1]", 443, "[::1]:443" },
        { "[2001:DB8:0:0:0:0:0:1]", 1, "[2001:db8::1]:1" },
        { "::ffff:10.0.0.1", 8080, "[::ffff:10.0.0.1]:8080" },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct address a, b;
        struct peer p;

        assert_true(address_parse_ip(str_of(rows[i].host), rows[i].port, &a));
        assert_string_equal(text_of(&a), rows[i].text);
        assert_int_equal(address_port(&a), rows[i].port);
        p = peer_of(&a);
        peer_to_address(&p, &b);
        assert_true(address_eq(&a, &b));
        assert_int_equal(a.len, b.len);
    }
}

static void test_address_refused(void **state)
{
    static const char *const bad[] = {
        "", "localhost", "127.1", "127.0.0.1.1", "256.0.0.1", "127.0.0.1:80", "[127.0.0.1]", ":::",
        "[::1", "::1]", "1.2.3.4 ", "0x7f.0.0.1", "::1%lo",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:1111:2222:3333",
    };
    struct address a;

    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(address_parse_ip(str_of(bad[i]), 80, &a));
    assert_false(address_parse_ip((struct str){ "::1\0x", 5 }, 80, &a));
}

static void test_address_unix(void **state)
{
    char longest[200] = "unix:";
    struct address a, b;
    struct peer p;
    char space[64];
    struct out o = out_fixed(space, sizeof space - 1);

    (void)state;
    assert_true(address_parse_unix(STR("unix:/tmp/x"), &a));
    assert_string_equal(text_of(&a), "unix:/tmp/x");
    assert_int_equal(address_port(&a), 0);
    assert_true(address_parse_unix(STR("unix:/tmp/y"), &b));
    assert_false(address_eq(&a, &b));
    assert_false(address_parse_unix(STR("unix:"), &b));
    assert_false(address_parse_unix(STR("/tmp/x"), &b));
    memset(longest + 5, 'x', 107);
    assert_true(address_parse_unix(str_of(longest), &b));
    longest[5 + 107] = 'x';
    assert_false(address_parse_unix(str_of(longest), &b));
    p = peer_of(&a);
    peer_put_ip(&o, &p);
    *o.at = '\0';
    assert_string_equal(space, "unix:");
}

static void test_address_equality(void **state)
{
    struct address a, b;

    (void)state;
    assert_true(address_parse_ip(STR("127.0.0.1"), 80, &a));
    assert_true(address_parse_ip(STR("127.0.0.1"), 81, &b));
    assert_false(address_eq(&a, &b));
    address_set_port(&b, 80);
    assert_true(address_eq(&a, &b));
    assert_true(address_parse_ip(STR("::ffff:127.0.0.1"), 80, &b));
    assert_false(address_eq(&a, &b));
    assert_false(address_is_wildcard(&a));
    assert_true(address_parse_ip(STR("::"), 80, &b));
    assert_true(address_is_wildcard(&b));
    assert_true(address_parse_ip(STR("0.0.0.0"), 80, &b));
    assert_true(address_is_wildcard(&b));
}

/* ---- networks ---- */

static bool in_network(const char *network, const char *ip)
{
    struct address a;
    struct peer p;
    struct cidr c;
    bool stray;

    assert_true(cidr_parse(str_of(network), &c, &stray));
    assert_true(address_parse_ip(str_of(ip), 1, &a));
    p = peer_of(&a);
    return cidr_contains(&c, &p);
}

static void test_cidr(void **state)
{
    (void)state;
    assert_true(in_network("10.0.0.0/8", "10.255.255.255"));
    assert_false(in_network("10.0.0.0/8", "11.0.0.0"));
    assert_true(in_network("0.0.0.0/0", "1.2.3.4"));
    assert_false(in_network("0.0.0.0/0", "::1"));
    assert_true(in_network("192.168.1.1", "192.168.1.1"));
    assert_false(in_network("192.168.1.1", "192.168.1.2"));
    assert_true(in_network("192.168.1.128/25", "192.168.1.129"));
    assert_false(in_network("192.168.1.128/25", "192.168.1.127"));
    assert_true(in_network("2001:db8::/32", "2001:db8:ffff::1"));
    assert_false(in_network("2001:db8::/33", "2001:db8:ffff::1"));
    assert_true(in_network("::/0", "::ffff:1.2.3.4"));
    assert_true(in_network("1.2.3.0/24", "::ffff:1.2.3.4"));
    assert_true(in_network("::1", "::1"));
}

static void test_cidr_texts(void **state)
{
    static const char *const bad[] = { "", "/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8/8",
                                       "::/129", "10.0.0.0/-1", "10.0.0.0/255.0.0.0", "x/8",
                                       "unix:" };
    struct cidr c;
    bool stray;

    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(cidr_parse(str_of(bad[i]), &c, &stray));
    assert_true(cidr_parse(STR("10.1.0.0/8"), &c, &stray));
    assert_true(stray);
    assert_int_equal(c.ip[1], 0);
    assert_true(cidr_parse(STR("10.0.0.0/8"), &c, &stray));
    assert_false(stray);
}

/* ---- listening ---- */

struct client {
    struct connection connection;
    struct listener *listener;
};

static unsigned accepted;

static void close_client(struct connection *c)
{
    struct listener *l = ((struct client *)c)->listener;

    connection_close(c);
    listener_connection_closed(l);
}

static const void *origin_of(const struct connection *c)
{
    return ((const struct client *)c)->listener;
}

static const struct connection_kind client_kind = {
    .name = "test",
    .size = sizeof(struct client),
    .drain = close_client,
    .abort = close_client,
    .origin = origin_of,
};

static void on_client(struct watch *w)
{
    struct connection *c = (struct connection *)w;
    char byte;

    if (c->transport->recv(c, &byte, 1) != IO_AGAIN)
        close_client(c);
}

static void on_timeout(struct timer *t)
{
    (void)t;
}

static void accept_client(struct listener *l, int fd, const struct address *peer)
{
    struct client *c = connection_new(&client_kind, fd, on_client, on_timeout);

    (void)peer;
    assert_non_null(c);
    accepted++;
    c->listener = l;
    assert_true(loop_add(&c->connection.watch));
}

static const struct protocol test_protocol = { "test", SOCK_STREAM, accept_client, NULL };

static struct listen_spec spec_of(const char *text)
{
    struct listen_spec spec = { .text = str_of(text), .options = listen_options_initial,
                                .protocol = &test_protocol };

    if (!address_parse_unix(spec.text, &spec.address))
        assert_true(address_parse_ip(spec.text, 0, &spec.address));
    return spec;
}

static int connect_to(int listening)
{
    struct address a;
    int fd;

    assert_true(address_local(listening, &a));
    fd = socket(a.any.sa_family, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &a.any, a.len), 0);
    return fd;
}

static void turns(unsigned n)
{
    while (n--)
        loop_turn(5);
}

static int begin(void **state)
{
    (void)state;
    clock_update();
    accepted = 0;
    connection_set_limit(1000);
    return loop_init(NULL, 4096) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    connection_abort_all();
    turns(2);
    loop_fini();
    return 0;
}

static void on_gone(struct listener *l)
{
    bool *gone = l->spec->object;

    *gone = true;
}

static void test_accepting(void **state)
{
    struct listen_spec spec = spec_of("127.0.0.1");
    int fd = listen_open(&spec, -1, false), peers[3];
    struct listener *l;
    bool gone = false;

    (void)state;
    spec.object = &gone;
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    l = listener_new(&spec, fd, 0);
    assert_true(listener_start(l));
    for (unsigned i = 0; i < 3; i++)
        peers[i] = connect_to(fd);
    turns(4);
    assert_int_equal(accepted, 3);
    assert_int_equal(l->connections, 3);
    close(peers[0]);
    turns(2);
    assert_int_equal(l->connections, 2);
    listener_remove(l, on_gone);
    turns(2);
    assert_false(gone);
    close(peers[1]);
    close(peers[2]);
    turns(3);
    assert_true(gone);
    assert_int_equal(connection_count(), 0);
}

/* At worker_connections it stops; the connections that wait are served when there is room. */
static void test_full(void **state)
{
    struct listen_spec spec = spec_of("127.0.0.1");
    int fd = listen_open(&spec, -1, false), peers[4];
    struct listener *l = listener_new(&spec, fd, 0);
    bool gone;

    (void)state;
    spec.object = &gone;
    connection_set_limit(2);
    assert_true(listener_start(l));
    for (unsigned i = 0; i < 4; i++)
        peers[i] = connect_to(fd);
    turns(10);
    assert_int_equal(accepted, 2);
    close(peers[0]);
    turns(10);
    assert_int_equal(accepted, 3);
    connection_set_limit(100);
    turns(20);
    assert_int_equal(accepted, 4);
    for (unsigned i = 1; i < 4; i++)
        close(peers[i]);
    turns(3);
    listener_remove(l, on_gone);
    turns(2);
}

/* Idle connections make room. */
static void test_idle_make_room(void **state)
{
    struct listen_spec spec = spec_of("127.0.0.1");
    int fd = listen_open(&spec, -1, false), peers[6];
    struct listener *l = listener_new(&spec, fd, 0);
    bool gone;

    (void)state;
    spec.object = &gone;
    connection_set_limit(3);
    assert_true(listener_start(l));
    for (unsigned i = 0; i < 3; i++)
        peers[i] = connect_to(fd);
    turns(5);
    assert_int_equal(accepted, 3);
    listener_stop(l);
    for (unsigned i = 3; i < 6; i++)
        peers[i] = connect_to(fd);
    assert_int_equal(connection_close_idle(10), 0);     /* none was said to be idle */
    assert_true(listener_start(l));
    turns(5);
    assert_int_equal(accepted, 3);
    connection_drain_all();
    turns(10);
    assert_int_equal(accepted, 6);
    for (unsigned i = 0; i < 6; i++)
        close(peers[i]);
    turns(3);
    listener_remove(l, on_gone);
    turns(2);
}

/* Without descriptors it pauses, and goes on by itself. */
static void test_no_descriptors(void **state)
{
    struct listen_spec spec = spec_of("127.0.0.1");
    int fd = listen_open(&spec, -1, false), peer, spare;
    struct listener *l = listener_new(&spec, fd, 0);
    struct rlimit before, low;
    bool gone;

    (void)state;
    spec.object = &gone;
    assert_true(listener_start(l));
    peer = connect_to(fd);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    spare = dup(fd);
    low.rlim_cur = (rlim_t)spare + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    turns(3);
    assert_int_equal(accepted, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    turns(200);
    assert_int_equal(accepted, 1);
    close(spare);
    close(peer);
    turns(3);
    listener_remove(l, on_gone);
    turns(2);
}

static void test_unfair(void **state)
{
    static struct listen_share shares[3];
    struct listen_spec spec = spec_of("127.0.0.1");
    int fd = listen_open(&spec, -1, false), peers[40];
    struct listener *l = listener_new(&spec, fd, 0);
    unsigned share;
    bool gone;

    (void)state;
    spec.object = &gone;
    memset(shares, 0, sizeof shares);
    atomic_store(&shares[0].alive, 1);
    atomic_store(&shares[1].alive, 1);
    listen_share_with(shares, 3, 0);
    listen_set_multi_accept(true);
    assert_true(listener_start(l));
    for (unsigned i = 0; i < 40; i++)
        peers[i] = connect_to(fd);
    turns(1);
    share = accepted;
    assert_in_range(share, 5, 20);     /* the other one has none: a few are taken, not all */
    atomic_store(&shares[1].connections, 100);
    turns(20);
    assert_int_equal(accepted, 40);
    for (unsigned i = 0; i < 40; i++)
        close(peers[i]);
    turns(5);
    assert_int_equal(atomic_load(&shares[0].connections), 0);

    /* If nobody else takes them, they are served all the same. */
    atomic_store(&shares[1].connections, 0);
    accepted = 0;
    for (unsigned i = 0; i < 20; i++)
        peers[i] = connect_to(fd);
    turns(200);
    assert_int_equal(accepted, 20);
    for (unsigned i = 0; i < 20; i++)
        close(peers[i]);
    turns(5);
    listener_remove(l, on_gone);
    turns(2);
    listen_set_multi_accept(false);
    memset(shares, 0, sizeof shares);
    listen_share_with(shares, 1, 0);
}

static void test_unix_socket(void **state)
{
    char folder[] = "/tmp/weir-test-XXXXXX", path[64];
    struct listen_spec spec;
    struct stat st;
    int fd, second;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "unix:%s/sock", folder);
    spec = spec_of(path);
    fd = listen_open(&spec, -1, false);
    assert_true(fd >= 0);
    assert_int_equal(stat(path + 5, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0666);
    assert_int_equal(listen_open(&spec, -1, false), -1);        /* somebody listens */
    close(fd);
    second = listen_open(&spec, -1, false);                     /* a file that was left over */
    assert_true(second >= 0);
    close(second);
    unlink(path + 5);
    rmdir(folder);
}

static void test_options(void **state)
{
    struct listen_spec spec = spec_of("127.0.0.1");
    int fd, again, value;
    socklen_t len = sizeof value;

    (void)state;
    spec.options.rcvbuf = 65536;
    spec.options.keepalive = YES;
    spec.options.reuseport = true;
    spec.options.deferred = true;
    spec.options.backlog = 5;
    fd = listen_open(&spec, -1, false);
    assert_true(fd >= 0);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len), 0);
    assert_int_equal(value, 1);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, &len), 0);
    assert_int_equal(value, 1);
    assert_true(address_local(fd, &spec.address));
    again = listen_open(&spec, -1, false);
    assert_true(again >= 0);
    spec.options.keepalive = NO;
    assert_int_equal(listen_open(&spec, fd, false), fd);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len), 0);
    assert_int_equal(value, 0);
    close(fd);
    close(again);
}

static void test_in_use(void **state)
{
    struct listen_spec spec = spec_of("127.0.0.1");
    int fd = listen_open(&spec, -1, false);

    (void)state;
    assert_true(address_local(fd, &spec.address));
    assert_int_equal(listen_open(&spec, -1, false), -1);
    close(fd);
}

/* ---- connections ---- */

static void test_connection_memory(void **state)
{
    enum { MANY = 10000 };
    static struct connection *all[MANY];

    (void)state;
    connection_set_limit(MANY);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < MANY; i++) {
            all[i] = connection_new(&client_kind, -1, on_client, on_timeout);
            assert_non_null(all[i]);
        }
        assert_null(connection_new(&client_kind, -1, on_client, on_timeout));
        assert_int_equal(errno, EMFILE);
        assert_int_equal(connection_count(), MANY);
        for (unsigned i = 0; i < MANY; i++)
            connection_close(all[(i * 7919) % MANY]);
        assert_int_equal(connection_count(), 0);
        turns(1);
    }
}

static unsigned drained;

static void drain_one(struct connection *c)
{
    drained++;
    connection_close(c);
}

static void test_connection_idle(void **state)
{
    static const struct connection_kind kind = {
        .name = "idle", .size = sizeof(struct connection), .drain = drain_one, .abort = drain_one,
    };
    struct connection *c[4];

    (void)state;
    drained = 0;
    connection_set_limit(4);
    for (unsigned i = 0; i < 4; i++)
        c[i] = connection_new(&kind, -1, on_client, on_timeout);
    assert_true(c[0]->number < c[1]->number);
    connection_set_idle(c[2], true);
    connection_set_idle(c[1], true);
    connection_set_idle(c[3], true);
    connection_set_idle(c[3], false);
    assert_int_equal(connection_close_idle(1), 1);
    assert_int_equal(c[2]->watch.fd, -1);
    assert_int_equal(connection_count(), 3);
    assert_non_null(connection_new(&kind, -1, on_client, on_timeout));
    assert_int_equal(drained, 1);
    assert_non_null(connection_new(&kind, -1, on_client, on_timeout));  /* c[1] makes room */
    assert_int_equal(drained, 2);
    assert_null(connection_new(&kind, -1, on_client, on_timeout));
    connection_drain_all();
    assert_int_equal(connection_count(), 0);
    assert_int_equal(drained, 6);
}

struct pinned {
    struct connection connection;
    const void *origin, *pin;
};

static const void *pinned_origin(const struct connection *c)
{
    return ((const struct pinned *)c)->origin;
}

static const void *pinned_pin(const struct connection *c)
{
    return ((const struct pinned *)c)->pin;
}

/* Only those that are meant are asked, and those that are not stay idle. */
static void test_connection_choice(void **state)
{
    static const struct connection_kind kind = {
        .name = "pinned", .size = sizeof(struct pinned), .drain = drain_one, .abort = drain_one,
        .origin = pinned_origin, .pin = pinned_pin,
    };
    static const int doors[2], generations[2];
    struct pinned *p[8];

    (void)state;
    drained = 0;
    for (unsigned i = 0; i < 8; i++) {
        p[i] = connection_new(&kind, -1, on_client, on_timeout);
        p[i]->origin = &doors[i & 1];
        p[i]->pin = i & 2 ? &generations[i >> 2] : NULL;
        connection_set_idle(&p[i]->connection, i & 1);
    }
    connection_drain_from(&doors[0]);
    assert_int_equal(drained, 4);
    assert_int_equal(connection_abort_pinning(&generations[0]), 1);
    assert_int_equal(connection_abort_pinning(&generations[0]), 0);
    assert_int_equal(connection_count(), 3);
    assert_int_equal(connection_close_idle(100), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address_texts),
        cmocka_unit_test(test_address_refused),
        cmocka_unit_test(test_address_unix),
        cmocka_unit_test(test_address_equality),
        cmocka_unit_test(test_cidr),
        cmocka_unit_test(test_cidr_texts),
        cmocka_unit_test_setup_teardown(test_accepting, begin, end),
        cmocka_unit_test_setup_teardown(test_full, begin, end),
        cmocka_unit_test_setup_teardown(test_idle_make_room, begin, end),
        cmocka_unit_test_setup_teardown(test_no_descriptors, begin, end),
        cmocka_unit_test_setup_teardown(test_unfair, begin, end),
        cmocka_unit_test(test_unix_socket),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_in_use),
        cmocka_unit_test_setup_teardown(test_connection_memory, begin, end),
        cmocka_unit_test_setup_teardown(test_connection_idle, begin, end),
        cmocka_unit_test_setup_teardown(test_connection_choice, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
